//! What is attested of a release: where and from what it was built. Of a release that is listed only.

use axum::response::Response;
use data_encoding::BASE64;
use http::StatusCode;
use percent_encoding::AsciiSet;
use percent_encoding::NON_ALPHANUMERIC;
use percent_encoding::utf8_percent_encode;
use serde_json::Value;
use serde_json::json;

use crate::catalog::attested::Attested;
use crate::ecosystem::json::Bounds;
use crate::ecosystem::json::strict;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;
use crate::protocol::npm::manifest::DEPTH_MAX;

/// A bundle is some 10 KB; an answer holds two.
const BOUNDS: Bounds = Bounds { bytes_max: 4 * 1_024 * 1_024, depth_max: DEPTH_MAX };

/// What a version is written with in a path.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

const BELOW: &str = "-/npm/v1/attestations/";

/// Where registries have what is attested of a release: `-/npm/v1/attestations/@acme%2fweb@1.0.0`, below their address.
pub fn path(package: &PackageName, version: &Version) -> String {
    format!("{BELOW}{}@{}", package.as_str().replace('/', "%2f"), utf8_percent_encode(version.as_str(), IN_A_PATH))
}

/// npm 10 puts the path of the address that it was told behind the registry's: under a prefix that stands there twice.
pub fn without_prefix<'p>(path: &'p str, base: &str) -> &'p str {
    let prefix = base.find("://").and_then(|at| base.get(at + 3..)?.split_once('/')).map(|(_, prefix)| prefix);
    let rest = prefix.and_then(|prefix| path.strip_prefix('/')?.strip_prefix(prefix)).filter(|rest| !rest.is_empty());
    rest.filter(|rest| rest.strip_prefix('/').is_some_and(|rest| rest.starts_with(BELOW))).unwrap_or(path)
}

/// `GET /-/npm/v1/attestations/{subject}`
pub async fn attestations(registry: &Registry, _call: Call<'_>, package: PackageName, wanted: String) -> Result<Response, Failure> {
    let id = npm(package.clone());
    let sighted = registry.catalog.exposed(&id).await?;
    let version = Version::parse(&wanted).ok();
    let Some(release) = version.as_ref().and_then(|version| sighted.exposed.release(version)) else {
        return Err(registry.not_listed(id, version, &wanted).await);
    };
    let path = path(&package, &release.version);
    let nothing = || Problem::new(Kind::Unknown, format!("nothing is attested of {package}@{}", release.version));
    match registry.catalog.attested(&sighted.exposed, &release.version, &path).await? {
        Attested::Here(bundle) => told(StatusCode::OK, &of_bundle(&bundle)?),
        Attested::There(answer) => match strict(&answer, BOUNDS) {
            Ok(said) if said.get("attestations").is_some_and(Value::is_array) => told(StatusCode::OK, &said),
            Ok(_) | Err(_) => Err(Problem::new(Kind::Upstream, "the upstream registry's attestations cannot be read").into()),
        },
        Attested::Nothing => Err(nothing().into()),
    }
}

/// The one bundle that was published along, under the type that its statement has.
fn of_bundle(bundle: &str) -> Result<Value, Problem> {
    let unreadable = || Problem::internal("the provenance that came with a release cannot be read");
    let bundle = strict(bundle.as_bytes(), BOUNDS).map_err(|_| unreadable())?;
    let payload = bundle.pointer("/dsseEnvelope/payload").and_then(Value::as_str);
    let statement = payload.and_then(|payload| BASE64.decode(payload.as_bytes()).ok());
    let statement = statement.and_then(|statement| strict(&statement, BOUNDS).ok());
    let kind = statement.as_ref().and_then(|statement| statement.get("predicateType")?.as_str()).unwrap_or_default();
    Ok(json!({"attestations": [{"predicateType": kind, "bundle": bundle}]}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_that_stands_there_twice_is_left_out() {
        for (path, base, expect) in [
            ("/npm/-/npm/v1/attestations/x@1.0.0", "https://gate.example/npm", "/-/npm/v1/attestations/x@1.0.0"),
            ("/a/b/-/npm/v1/attestations/x@1.0.0", "https://gate.example/a/b", "/-/npm/v1/attestations/x@1.0.0"),
            ("/npm/-/npm/v1/attestations/x@1.0.0", "https://gate.example", "/npm/-/npm/v1/attestations/x@1.0.0"),
            ("/-/npm/v1/attestations/x@1.0.0", "https://gate.example/npm", "/-/npm/v1/attestations/x@1.0.0"),
            ("/npm/-/npm-1.0.0.tgz", "https://gate.example/npm", "/npm/-/npm-1.0.0.tgz"),
            ("/npm", "https://gate.example/npm", "/npm"),
        ] {
            assert_eq!(without_prefix(path, base), expect, "{path} {base}");
        }
    }

    #[test]
    fn a_bundle_is_told_under_the_type_of_its_statement() {
        let statement = BASE64.encode(br#"{"predicateType":"https://slsa.example/provenance/v1"}"#);
        let bundle = json!({"mediaType": "x", "dsseEnvelope": {"payload": statement}});
        let told = of_bundle(&bundle.to_string()).unwrap();
        assert_eq!(told["attestations"][0]["predicateType"], "https://slsa.example/provenance/v1");
        assert_eq!(told["attestations"][0]["bundle"], bundle);
        assert_eq!(of_bundle("{}").unwrap()["attestations"][0]["predicateType"], "");
        assert!(of_bundle("not json").is_err());
    }
}
