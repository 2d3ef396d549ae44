//! NuGet: reserved, not built yet. The test sketches it against the seam with a registration index whose pages are
//! fetched in a second round.
//!
//! What building it will have to add: a registration states no hash of the bytes (its catalog leaf does, a document for
//! each release), and ids are equal without regard to case, so that the package's name is kept in lower case.

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use bytes::Bytes;
    use serde::Deserialize;
    use serde_json::value::RawValue;
    use url::Url;

    use crate::ecosystem::Ecosystem;
    use crate::ecosystem::Fetched;
    use crate::ecosystem::Inspected;
    use crate::ecosystem::Reading;
    use crate::ecosystem::Track;
    use crate::ecosystem::Unreadable;
    use crate::ecosystem::UpstreamPath;
    use crate::model::digest::Integrity;
    use crate::model::index::Artifact;
    use crate::model::index::Claims;
    use crate::model::index::Index;
    use crate::model::index::Origin;
    use crate::model::index::Row;
    use crate::model::package::EcosystemId;
    use crate::model::package::PackageId;
    use crate::model::package::Version;
    use crate::model::time::Timestamp;
    use crate::protocol::sketch::hear;

    struct Nuget;

    #[derive(Deserialize)]
    struct Page<'d> {
        #[serde(rename = "@id")]
        id: String,
        #[serde(borrow)]
        items: Option<Vec<Leaf<'d>>>,
    }

    #[derive(Deserialize)]
    struct Registration<'d> {
        #[serde(borrow)]
        items: Vec<Page<'d>>,
    }

    #[derive(Deserialize)]
    struct Leaf<'d> {
        #[serde(rename = "catalogEntry", borrow)]
        entry: &'d RawValue,
        #[serde(rename = "packageContent")]
        content: String,
    }

    #[derive(Deserialize)]
    struct Entry {
        id: String,
        version: String,
        listed: bool,
        published: String,
        deprecation: Option<Deprecation>,
    }

    #[derive(Deserialize)]
    struct Deprecation {
        message: String,
    }

    fn malformed(error: impl ToString) -> Unreadable {
        Unreadable::Malformed(error.to_string())
    }

    fn path_of(address: &str) -> Result<UpstreamPath, Unreadable> {
        let url = Url::parse(address).map_err(malformed)?;
        Ok(UpstreamPath(url.path().trim_start_matches('/').to_owned()))
    }

    fn row(leaf: &Leaf<'_>, text: &mut Vec<u8>) -> Result<Row, Unreadable> {
        let entry: Entry = serde_json::from_str(leaf.entry.get()).map_err(malformed)?;
        let start = text.len();
        text.extend_from_slice(leaf.entry.get().as_bytes());
        let file = format!("{}.{}.nupkg", entry.id.to_lowercase(), entry.version);
        Ok(Row {
            version: Version::parse(&entry.version).map_err(malformed)?,
            manifest: start..text.len(),
            // What is taken off the lists is dated 1900.
            published_at: Timestamp::parse(&entry.published).ok().filter(|_| entry.listed),
            artifacts: vec![Artifact { file, aliases: Vec::new(), location: leaf.content.clone(), integrity: Integrity::default() }],
            claims: Claims { deprecated: entry.deprecation.map(|deprecation| deprecation.message), ..Claims::default() },
            origin: Origin::default(),
            unreadable: None,
            removed_at: None,
        })
    }

    impl Ecosystem for Nuget {
        fn id(&self) -> EcosystemId {
            EcosystemId::Nuget
        }

        fn locate(&self, package: &PackageId) -> UpstreamPath {
            UpstreamPath(format!("v3/registration5-gz-semver2/{}/index.json", package.name))
        }

        fn read(&self, package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
            let [first, pages @ ..] = fetched else { return Err(malformed("no registration")) };
            let registration: Registration<'_> = serde_json::from_slice(&first.body).map_err(malformed)?;
            let mut missing = Vec::new();
            let (mut rows, mut text) = (Vec::new(), Vec::new());
            for page in &registration.items {
                let path = path_of(&page.id)?;
                let fetched_page;
                let leaves = match (&page.items, pages.iter().find(|page| page.path == path)) {
                    (Some(leaves), _) => leaves,
                    (None, Some(document)) => {
                        fetched_page = serde_json::from_slice::<Page<'_>>(&document.body).map_err(malformed)?.items.unwrap_or_default();
                        &fetched_page
                    }
                    (None, None) => {
                        missing.push(path);
                        continue;
                    }
                };
                for leaf in leaves {
                    rows.push(row(leaf, &mut text)?);
                }
            }
            if !missing.is_empty() {
                return Ok(Reading::NeedMore(missing));
            }
            Ok(Reading::Complete(Index {
                package: package.clone(),
                source: Fetched::digest(fetched),
                frame: Bytes::new(),
                pointers: Vec::new(),
                earlier: Vec::new(),
                rows,
                text: Bytes::from(text),
            }))
        }

        fn locate_artifact(&self, _: &PackageId, artifact: &Artifact) -> UpstreamPath {
            path_of(&artifact.location).unwrap()
        }

        fn inspect(&self, _: &PackageId, _: &Version, _: &[u8], _: &Bytes) -> Result<Inspected, Unreadable> {
            Err(Unreadable::Reserved(EcosystemId::Nuget))
        }

        fn precedence(&self, left: &Version, right: &Version) -> Ordering {
            let read = |version: &Version| semver::Version::parse(version.as_str()).unwrap();
            read(left).cmp(&read(right))
        }

        fn track(&self, version: &Version) -> Option<Track> {
            let version = semver::Version::parse(version.as_str()).ok()?;
            Some(Track { major: version.major, prerelease: (!version.pre.is_empty()).then(|| version.pre.to_string()) })
        }
    }

    #[test]
    fn pages_are_asked_for_in_a_second_round() {
        const INDEX: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/nuget/index.json");
        const PAGE: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/nuget/page.json");
        let base = "v3/registration5-gz-semver2/example.text.pipes";
        let (index, page) = (format!("{base}/index.json"), format!("{base}/page/1.0.0/1.2.0.json"));
        let package = PackageId::parse("nuget/example.text.pipes").unwrap();
        let (heard, asked) = hear(&Nuget, &package, &[(&index, INDEX), (&page, PAGE)]);
        assert_eq!(asked, [index, page]);
        let heard = heard.unwrap();
        let versions: Vec<&str> = heard.rows.iter().map(|row| row.version.as_str()).collect();
        assert_eq!(versions, ["1.0.0", "1.2.0", "2.0.0-rc.1"]);
        let [unlisted, listed, candidate] = heard.rows.as_slice() else { panic!("three releases") };
        assert_eq!((unlisted.published_at, unlisted.claims.deprecated.as_deref()), (None, Some("use 1.2.0")));
        assert_eq!(listed.published_at.unwrap().to_string(), "2023-05-11T16:02:11.100Z");
        assert!(heard.manifest(candidate).starts_with(b"{") && heard.manifest(candidate).ends_with(b"}"));
        let at = Nuget.locate_artifact(&package, &candidate.artifacts[0]);
        assert_eq!(at.0, "v3-flatcontainer/example.text.pipes/2.0.0-rc.1/example.text.pipes.2.0.0-rc.1.nupkg");
        assert_eq!(Nuget.precedence(&candidate.version, &listed.version), Ordering::Greater);
        assert_eq!(Nuget.track(&candidate.version).unwrap().prerelease.as_deref(), Some("rc.1"));
    }
}
