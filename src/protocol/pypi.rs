//! Python's simple index: reserved, not built yet. The test sketches it against the seam with a page of PEP 691, where a
//! release has several files and no document of its own.
//!
//! What building it will have to add: `locate` says no media type, and a simple index must be asked for JSON by `Accept`;
//! a file can be added to an old release at any time, so that the newest upload dates the release.

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;

    use bytes::Bytes;
    use serde::Deserialize;
    use serde_json::Value;
    use serde_json::value::RawValue;

    use crate::ecosystem::Ecosystem;
    use crate::ecosystem::Fetched;
    use crate::ecosystem::Inspected;
    use crate::ecosystem::Reading;
    use crate::ecosystem::Track;
    use crate::ecosystem::Unreadable;
    use crate::ecosystem::UpstreamPath;
    use crate::model::digest::DocumentDigest;
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

    struct Pypi;

    #[derive(Deserialize)]
    struct Page<'d> {
        name: String,
        versions: Vec<String>,
        #[serde(borrow)]
        files: Vec<&'d RawValue>,
    }

    #[derive(Deserialize)]
    struct File {
        filename: String,
        url: String,
        hashes: Hashes,
        #[serde(rename = "upload-time")]
        uploaded: Option<String>,
        yanked: Value,
    }

    #[derive(Deserialize)]
    struct Hashes {
        sha256: Option<String>,
    }

    fn malformed(error: impl ToString) -> Unreadable {
        Unreadable::Malformed(error.to_string())
    }

    /// `1.0` of `example_parser-1.0-py3-none-any.whl` and of `example-parser-1.0.tar.gz`.
    fn version_of<'f>(package: &PackageId, filename: &'f str) -> Option<&'f str> {
        let rest = filename.get(package.name.as_str().len() + 1..)?;
        let wheel = rest.strip_suffix(".whl").and_then(|rest| rest.split('-').next());
        wheel.or_else(|| rest.strip_suffix(".tar.gz"))
    }

    /// The row of one release, from its files in the page's order.
    fn row(package: &PackageId, version: &str, files: &[&RawValue], text: &mut Vec<u8>) -> Result<Row, Unreadable> {
        let start = text.len();
        let (mut artifacts, mut uploaded, mut yanked) = (Vec::new(), None, None);
        for raw in files {
            let file: File = serde_json::from_str(raw.get()).map_err(malformed)?;
            if version_of(package, &file.filename) != Some(version) {
                continue;
            }
            text.push(if artifacts.is_empty() { b'[' } else { b',' });
            text.extend_from_slice(raw.get().as_bytes());
            let sha256 = file.hashes.sha256.as_deref().map(DocumentDigest::from_hex).transpose().map_err(malformed)?;
            let integrity = Integrity { sha256, ..Integrity::default() };
            artifacts.push(Artifact { file: file.filename, aliases: Vec::new(), location: file.url, integrity });
            uploaded = uploaded.max(file.uploaded.and_then(|text| Timestamp::parse(&text).ok()));
            yanked = yanked.or_else(|| file.yanked.as_str().map(str::to_owned));
        }
        text.push(b']');
        Ok(Row {
            version: Version::parse(version).map_err(malformed)?,
            manifest: start..text.len(),
            published_at: uploaded,
            artifacts,
            claims: Claims { deprecated: yanked, ..Claims::default() },
            origin: Origin::default(),
            unreadable: None,
            removed_at: None,
        })
    }

    impl Ecosystem for Pypi {
        fn id(&self) -> EcosystemId {
            EcosystemId::Pypi
        }

        fn locate(&self, package: &PackageId) -> UpstreamPath {
            UpstreamPath(format!("simple/{}/", package.name))
        }

        fn read(&self, package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
            let [page] = fetched else { return Err(malformed("one page")) };
            let page_read: Page<'_> = serde_json::from_slice(&page.body).map_err(malformed)?;
            if page_read.name != package.name.as_str() {
                return Err(malformed("the page of another project"));
            }
            let mut text = Vec::new();
            let rows = page_read.versions.iter().map(|version| row(package, version, &page_read.files, &mut text));
            let rows = rows.collect::<Result<Vec<Row>, Unreadable>>()?;
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
            UpstreamPath(artifact.location.splitn(4, '/').nth(3).unwrap_or_default().to_owned())
        }

        fn inspect(&self, _: &PackageId, _: &Version, _: &[u8], _: &Bytes) -> Result<Inspected, Unreadable> {
            Err(Unreadable::Reserved(EcosystemId::Pypi))
        }

        /// Enough of PEP 440 for a sketch: the numbers of the release, then a candidate before its release.
        fn precedence(&self, left: &Version, right: &Version) -> Ordering {
            let read = |version: &Version| {
                let (release, candidate) =
                    version.as_str().split_once("rc").map_or((version.as_str(), false), |(release, _)| (release, true));
                (release.split('.').filter_map(|part| part.parse::<u64>().ok()).collect::<Vec<u64>>(), !candidate)
            };
            read(left).cmp(&read(right))
        }

        fn track(&self, version: &Version) -> Option<Track> {
            let major = version.as_str().split('.').next()?.parse().ok()?;
            Some(Track { major, prerelease: version.as_str().contains("rc").then(|| "rc".to_owned()) })
        }
    }

    #[test]
    fn a_release_has_several_files() {
        const PAGE: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/pypi/simple.json");
        let package = PackageId::parse("pypi/example-parser").unwrap();
        let (heard, _) = hear(&Pypi, &package, &[("simple/example-parser/", PAGE)]);
        let heard = heard.unwrap();
        let [first, yanked, candidate] = heard.rows.as_slice() else { panic!("three releases") };
        let files: Vec<&str> = first.artifacts.iter().map(|artifact| artifact.file.as_str()).collect();
        assert_eq!(files, ["example_parser-1.0-py3-none-any.whl", "example-parser-1.0.tar.gz"]);
        assert!(first.artifacts.iter().all(|artifact| artifact.integrity.sha256.is_some()));
        // The later of the two uploads.
        assert_eq!(first.published_at.unwrap().to_string(), "2024-02-03T11:00:00.000Z");
        let manifest: Value = serde_json::from_slice(&heard.manifest(first)).unwrap();
        assert_eq!(manifest.as_array().unwrap().len(), 2);
        assert_eq!(yanked.claims.deprecated.as_deref(), Some("broken on musl"));
        assert_eq!(candidate.artifacts[0].integrity, Integrity::default());
        assert_eq!(Pypi.precedence(&candidate.version, &yanked.version), Ordering::Greater);
        assert_eq!(Pypi.locate_artifact(&package, &first.artifacts[1]).0, "packages/2c/3d/example-parser-1.0.tar.gz");
    }
}
