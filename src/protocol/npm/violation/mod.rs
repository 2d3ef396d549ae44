//! Packages that each violate one rule, made up for `airlock selftest`: what an upstream would say of them, and their files. All of it
//! is harmless: it is looked at and never run.

mod archive;
mod recipe;
mod said;

use bytes::Bytes;
use data_encoding::HEXLOWER;
use serde_json::Map;
use serde_json::Value;
use serde_json::json;
use sha1::Digest as _;
use sha1::Sha1;

use crate::model::digest::Digest;
use crate::model::finding::FindingKind;
use crate::model::package::PackageName;
use crate::model::time::Timestamp;
use crate::protocol::npm::names;
use crate::protocol::npm::violation::archive::archive;
pub use crate::protocol::npm::violation::recipe::Advisory;
use crate::protocol::npm::violation::recipe::Later;
use crate::protocol::npm::violation::recipe::Recipe;
use crate::protocol::npm::violation::recipe::Speaks;
use crate::protocol::npm::violation::recipe::Stated;
pub use crate::protocol::npm::violation::recipe::recipe;

/// The release that has the finding.
pub const BAD: &str = "1.1.0";
/// One that has none, so that the package is known before.
pub const GOOD: &str = "1.0.0";

/// What is served of one package: by path, without the slash in front.
#[derive(Clone, Debug, Default)]
pub struct Offer {
    pub documents: Vec<(String, Bytes)>,
    /// What replaces them after the package was looked at once; empty where nothing does.
    pub later: Vec<(String, Bytes)>,
    /// Other packages of it that are to be looked at first, each with a release [`BAD`].
    pub beside: Vec<PackageName>,
    /// [`GOOD`] is to be had first.
    pub after_good: bool,
}

/// When what was published.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    pub good: Timestamp,
    pub bad: Timestamp,
    /// Of what is to be young.
    pub young: Timestamp,
}

struct Release {
    version: &'static str,
    manifest: Map<String, Value>,
    /// Raw, `,"key":value`, behind the others.
    raw: &'static str,
    at: Option<Timestamp>,
}

/// A package that has a finding of this kind. `base`: where it is served, with a slash at its end; `license`: one that policy takes.
pub fn offer(kind: FindingKind, package: &PackageName, base: &str, license: &str, times: Times) -> Offer {
    of(&recipe(kind), package, base, license, times)
}

/// A name that is a slip away from one that many know.
pub const SLIP: &str = "electorn";

/// Whether a name is taken for another that many know.
pub fn is_a_slip(package: &PackageName) -> bool {
    let names = names::all();
    !names.knows(package.as_str()) && names.like(package.as_str()).is_some()
}

/// A package with nothing against it but, perhaps, its age.
pub fn plain(package: &PackageName, base: &str, license: &str, times: Times) -> Offer {
    of(&Recipe::default(), package, base, license, times)
}

fn of(recipe: &Recipe, package: &PackageName, base: &str, license: &str, times: Times) -> Offer {
    let license = recipe.license.unwrap_or(license);
    let manifest = |version: &str| {
        let mut manifest = Map::new();
        manifest.insert("name".to_owned(), json!(package.as_str()));
        manifest.insert("version".to_owned(), json!(version));
        manifest.insert("license".to_owned(), json!(license));
        manifest
    };
    let mut shipped = manifest(BAD);
    shipped.extend(recipe.listed.clone());
    let young = recipe.needs_young.then(|| format!("{package}-dependency"));
    if let Some(young) = &young {
        shipped.insert("dependencies".to_owned(), json!({ young.as_str(): "^1.0.0" }));
    }
    let mut listed = shipped.clone();
    listed.extend(recipe.of_index.clone());
    shipped.extend(recipe.shipped.clone());
    let mut files: Vec<(&str, Vec<u8>)> = vec![("index.js", b"module.exports = 1;\n".to_vec())];
    for (path, text) in &recipe.files {
        files.retain(|(there, _)| there != path);
        files.push((path, text.clone()));
    }
    let package_json = |manifest: &Map<String, Value>| ("package.json", with_raw(manifest, "").into_bytes());
    if !recipe.without_manifest {
        files.insert(0, package_json(&shipped));
    }
    let good_bytes = archive(&[package_json(&manifest(GOOD)), ("index.js", b"module.exports = 0;\n".to_vec())], None);
    let bad_bytes = archive(&files, recipe.hostile_path);
    let file = |version: &str| format!("{package}/-/{}-{version}.tgz", package.unscoped());
    let dist = |version: &str, bytes: &[u8], stated: Stated| -> Map<String, Value> {
        let mut dist = Map::new();
        dist.insert("tarball".to_owned(), json!(format!("{base}{}", file(version))));
        let sha1 = HEXLOWER.encode(&Sha1::digest(bytes));
        match stated {
            Stated::Both => {
                dist.insert("integrity".to_owned(), json!(Digest::of(bytes).sri()));
                dist.insert("shasum".to_owned(), json!(sha1));
            }
            Stated::Sha1 => _ = dist.insert("shasum".to_owned(), json!(sha1)),
            Stated::Nothing => {}
            Stated::Other => _ = dist.insert("integrity".to_owned(), json!(Digest::of(b"other bytes").sri())),
        }
        dist
    };
    let good = |at| {
        let mut good = manifest(GOOD);
        good.extend(recipe.of_good.clone());
        let mut stated = dist(GOOD, &good_bytes, Stated::Both);
        if recipe.speaks == Speaks::OnlyOfGood {
            said::attested(&mut stated);
        }
        good.insert("dist".to_owned(), Value::Object(stated));
        Release { version: GOOD, manifest: good, raw: "", at: Some(at) }
    };
    let mut stated = dist(BAD, &bad_bytes, recipe.stated);
    match recipe.speaks {
        Speaks::Nothing | Speaks::OnlyOfGood => {}
        Speaks::Falsely => said::attested(&mut stated),
        Speaks::SignedFalsely => said::signed(&mut stated),
    }
    listed.insert("dist".to_owned(), Value::Object(stated));
    let bad = |at: Option<Timestamp>| Release { version: BAD, manifest: listed.clone(), raw: recipe.listed_raw, at };
    let with_time = if recipe.without_time { None } else { Some(times.bad) };
    let path = package.as_str().to_owned();
    let say = |releases: &[Release]| (path.clone(), Bytes::from(document(package, releases)));
    let (first, later) = match recipe.later {
        Later::Same => (say(&[good(times.good), bad(with_time)]), Vec::new()),
        Later::Appears => (say(&[good(times.good)]), vec![say(&[good(times.good), bad(with_time)])]),
        Later::Goes => (say(&[good(times.good), bad(with_time)]), vec![say(&[good(times.good)])]),
        Later::Changes => {
            let mut other = listed.clone();
            other.insert("dist".to_owned(), Value::Object(dist(BAD, &bad_bytes, Stated::Other)));
            let other = Release { version: BAD, manifest: other, raw: "", at: with_time };
            (say(&[good(times.good), bad(with_time)]), vec![say(&[good(times.good), other])])
        }
    };
    let files = [(file(GOOD), Bytes::from(good_bytes)), (file(BAD), Bytes::from(bad_bytes))];
    let mut documents: Vec<(String, Bytes)> = std::iter::once(first).chain(files).collect();
    match recipe.speaks {
        Speaks::Nothing | Speaks::OnlyOfGood => {}
        Speaks::Falsely => documents.push(said::statements(package)),
        Speaks::SignedFalsely => documents.push(said::keys()),
    }
    if let Some(young) = young.and_then(|name| PackageName::npm(&name).ok()) {
        documents.extend(of(&Recipe::default(), &young, base, license, Times { good: times.young, bad: times.young, ..times }).documents);
    }
    let others = (0..recipe.beside).filter_map(|number| PackageName::npm(&format!("{package}-{number}")).ok());
    let beside: Vec<PackageName> = others.collect();
    let alike = Recipe { of_index: recipe.of_index.clone(), ..Recipe::default() };
    documents.extend(beside.iter().flat_map(|other| of(&alike, other, base, license, times).documents));
    Offer { documents, later, beside, after_good: recipe.after_good }
}

fn with_raw(manifest: &Map<String, Value>, raw: &str) -> String {
    let mut text = serde_json::to_string(manifest).unwrap_or_default();
    text.pop();
    text.push_str(raw);
    text.push('}');
    text
}

fn document(package: &PackageName, releases: &[Release]) -> String {
    let versions: Vec<String> =
        releases.iter().map(|release| format!("{}:{}", json!(release.version), with_raw(&release.manifest, release.raw))).collect();
    let times: Vec<String> =
        releases.iter().filter_map(|release| Some(format!("{}:{}", json!(release.version), json!(release.at?.to_string())))).collect();
    let latest = releases.last().map_or("", |release| release.version);
    format!(
        "{{\"name\":{},\"dist-tags\":{{\"latest\":{}}},\"versions\":{{{}}},\"time\":{{{}}}}}",
        json!(package.as_str()),
        json!(latest),
        versions.join(","),
        times.join(",")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slip_is_one() {
        assert!(is_a_slip(&PackageName::npm(SLIP).unwrap()));
        assert!(!is_a_slip(&PackageName::npm("electron").unwrap()) && !is_a_slip(&PackageName::npm("airlock-selftest-typosquat").unwrap()));
    }

    #[test]
    fn an_offer_is_a_document_and_its_files() {
        let at = Timestamp::parse("2026-11-20T00:00:00Z").unwrap();
        let package = PackageName::npm("@acme/web").unwrap();
        for kind in FindingKind::ALL {
            let offer = offer(*kind, &package, "http://127.0.0.1:1/", "MIT", Times { good: at, bad: at, young: at });
            let besides = [
                (FindingKind::ProvenanceInvalid, 1),
                (FindingKind::SignatureInvalid, 1),
                (FindingKind::YoungDependency, 3),
                (FindingKind::PublishBurst, 9 * 3),
            ];
            let more = besides.iter().find(|(of, _)| of == kind).map_or(0, |(_, more)| *more);
            assert_eq!(offer.documents.len(), 3 + more, "{kind}");
            let document: Value = serde_json::from_slice(&offer.documents[0].1).unwrap();
            assert_eq!(document["name"], "@acme/web");
            assert!(offer.documents.iter().any(|(path, _)| path == "@acme/web/-/web-1.1.0.tgz"));
        }
    }
}
