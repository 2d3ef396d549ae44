//! OCI images: reserved, not built yet. The test sketches them against the seam: a release is a digest, tags are pointers,
//! manifests and layers are artifacts, and nothing says when anything was published, so that age counts from first sight.
//!
//! What building it will have to add: manifests must be asked for by `Accept`, which `locate` does not say; and images
//! share layers, so that a layer asked by its digest alone may go out if any release that has it is open, where an
//! artifact's file name is unique in an index today. The sketch names a layer by its release, too.

#[cfg(test)]
mod tests {
    use std::cmp::Ordering;
    use std::collections::BTreeMap;

    use bytes::Bytes;
    use serde::Deserialize;

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
    use crate::protocol::sketch::hear;

    struct Oci;

    #[derive(Deserialize)]
    struct Tags {
        tags: Vec<String>,
    }

    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }

    /// An index has `manifests`; a manifest has `config` and `layers`.
    #[derive(Deserialize)]
    struct Image {
        #[serde(default)]
        manifests: Vec<Descriptor>,
        config: Option<Descriptor>,
        #[serde(default)]
        layers: Vec<Descriptor>,
    }

    fn malformed(error: impl ToString) -> Unreadable {
        Unreadable::Malformed(error.to_string())
    }

    fn manifest_path(package: &PackageId, reference: &str) -> UpstreamPath {
        UpstreamPath(format!("v2/{}/manifests/{reference}", package.name))
    }

    fn artifact(release: &str, kind: &str, digest: &str) -> Result<Artifact, Unreadable> {
        let raw = digest.strip_prefix("sha256:").ok_or_else(|| malformed("only SHA-256 is sketched"))?;
        let sha256 = Some(DocumentDigest::from_hex(raw).map_err(malformed)?);
        Ok(Artifact {
            file: format!("{release}/{digest}"),
            aliases: Vec::new(),
            location: format!("{kind}/{digest}"),
            integrity: Integrity { sha256, ..Integrity::default() },
        })
    }

    impl Ecosystem for Oci {
        fn id(&self) -> EcosystemId {
            EcosystemId::Oci
        }

        fn locate(&self, package: &PackageId) -> UpstreamPath {
            UpstreamPath(format!("v2/{}/tags/list", package.name))
        }

        fn read(&self, package: &PackageId, fetched: &[Fetched]) -> Result<Reading, Unreadable> {
            let [tags, documents @ ..] = fetched else { return Err(malformed("no tags")) };
            let tags: Tags = serde_json::from_slice(&tags.body).map_err(malformed)?;
            let at = |reference: &str| documents.iter().find(|document| document.path == manifest_path(package, reference));
            let missing: Vec<UpstreamPath> =
                tags.tags.iter().filter(|tag| at(tag).is_none()).map(|tag| manifest_path(package, tag)).collect();
            if !missing.is_empty() {
                return Ok(Reading::NeedMore(missing));
            }
            let (mut pointers, mut releases) = (Vec::new(), BTreeMap::new());
            for tag in tags.tags {
                let Some(document) = at(&tag) else { continue };
                let digest = format!("sha256:{}", DocumentDigest::of(&document.body));
                pointers.push((tag, Version::parse(&digest).map_err(malformed)?));
                releases.insert(digest, document.body.clone());
            }
            let (mut rows, mut text, mut missing) = (Vec::new(), Vec::new(), Vec::new());
            for (digest, body) in releases {
                let image: Image = serde_json::from_slice(&body).map_err(malformed)?;
                let mut artifacts = Vec::new();
                for child in &image.manifests {
                    let Some(document) = at(&child.digest) else {
                        missing.push(manifest_path(package, &child.digest));
                        continue;
                    };
                    artifacts.push(artifact(&digest, "manifests", &child.digest)?);
                    let image: Image = serde_json::from_slice(&document.body).map_err(malformed)?;
                    for blob in image.config.iter().chain(&image.layers) {
                        artifacts.push(artifact(&digest, "blobs", &blob.digest)?);
                    }
                }
                let start = text.len();
                text.extend_from_slice(&body);
                rows.push(Row {
                    version: Version::parse(&digest).map_err(malformed)?,
                    manifest: start..text.len(),
                    published_at: None,
                    artifacts,
                    claims: Claims::default(),
                    origin: Origin::default(),
                    unreadable: None,
                    removed_at: None,
                });
            }
            if !missing.is_empty() {
                return Ok(Reading::NeedMore(missing));
            }
            Ok(Reading::Complete(Index {
                package: package.clone(),
                source: Fetched::digest(fetched),
                frame: Bytes::new(),
                pointers,
                earlier: Vec::new(),
                rows,
                text: Bytes::from(text),
            }))
        }

        fn locate_artifact(&self, package: &PackageId, artifact: &Artifact) -> UpstreamPath {
            UpstreamPath(format!("v2/{}/{}", package.name, artifact.location))
        }

        fn inspect(&self, _: &PackageId, _: &Version, _: &[u8], _: &Bytes) -> Result<Inspected, Unreadable> {
            Err(Unreadable::Reserved(EcosystemId::Oci))
        }

        /// Digests have no order: equal only to themselves, and a total order for the sake of sorting.
        fn precedence(&self, left: &Version, right: &Version) -> Ordering {
            left.cmp(right)
        }

        fn track(&self, _: &Version) -> Option<Track> {
            None
        }
    }

    #[test]
    fn a_release_is_a_digest_and_tags_point_at_it() {
        const TAGS: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/oci/tags.json");
        const INDEX: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/oci/index.json");
        const MANIFEST: &[u8] = include_bytes!("../../tests/fixtures/ecosystems/oci/manifest.json");
        let package = PackageId::parse("oci/library/example").unwrap();
        let child = format!("v2/library/example/manifests/sha256:{}", DocumentDigest::of(MANIFEST));
        let answers = [
            ("v2/library/example/tags/list", TAGS),
            ("v2/library/example/manifests/1.27", INDEX),
            ("v2/library/example/manifests/latest", INDEX),
            (child.as_str(), MANIFEST),
        ];
        let (heard, asked) = hear(&Oci, &package, &answers);
        assert_eq!(asked, answers.map(|(path, _)| path));
        let heard = heard.unwrap();
        let [image] = heard.rows.as_slice() else { panic!("two tags of one image") };
        assert_eq!(image.version.as_str(), format!("sha256:{}", DocumentDigest::of(INDEX)));
        assert_eq!(heard.pointers.len(), 2);
        assert!(heard.pointers.iter().all(|(_, version)| *version == image.version));
        assert_eq!((image.published_at, Oci.track(&image.version)), (None, None));
        assert_eq!(heard.manifest(image), INDEX);
        let located: Vec<String> = image.artifacts.iter().map(|artifact| Oci.locate_artifact(&package, artifact).0).collect();
        assert_eq!(located.len(), 4);
        assert_eq!(located[0], child);
        assert!(located[1].starts_with("v2/library/example/blobs/sha256:44136fa3"));
        assert_eq!(image.artifacts[0].integrity.sha256, Some(DocumentDigest::of(MANIFEST)));
    }
}
