//! What is exposed of a package, written as npm's clients read it. Renderers take `Exposed` and nothing else: the text of
//! a release that is not listed is not there to be written.

use bytes::Bytes;

use crate::catalog::exposure::Exposed;
use crate::catalog::exposure::ExposedRelease;
use crate::catalog::exposure::Withheld;
use crate::ecosystem::json::Pair;
use crate::http::link;
use crate::model::package::Version;
use crate::model::time::Timestamp;
use crate::protocol::npm::manifest;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::order;
use crate::protocol::npm::read::CREATED;
use crate::protocol::npm::read::FRAME_FIELDS;
use crate::protocol::npm::read::LATEST;
use crate::protocol::npm::splice;
use crate::protocol::npm::splice::Addresses;
use crate::protocol::npm::write::write_key;
use crate::protocol::npm::write::write_text;

/// Withheld releases whose reason npm prints in full; the others are counted.
const REASONS_MAX: usize = 3;

/// Fields of the head that belong to the package itself; the others are copied from its latest release.
pub const PACKAGES_OWN_FIELDS: [&str; 2] = ["maintainers", "users"];

/// The two forms of a packument.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    Full,
    /// What installing needs, and `time`, so that clients that look at ages need not ask again.
    Abbreviated,
}

/// The packument. `base` is the address clients reach this registry under, without a trailing slash.
///
/// Errors: a manifest that was read before cannot be split now, which is a fault of ours.
pub fn packument(exposed: &Exposed, base: &str, form: Form) -> Result<Bytes, Fault> {
    let name = exposed.package().name.as_str();
    let releases: usize = exposed.releases().iter().map(|release| release.manifest.len() + 96).sum();
    let mut out = Vec::with_capacity(releases + exposed.frame().len() + 4_096);
    out.push(b'{');
    if form == Form::Full {
        field(&mut out, "_id", name);
        field(&mut out, "_rev", &revision(exposed));
    }
    field(&mut out, "name", name);
    write_key(&mut out, "dist-tags", 1);
    write_tags(&mut out, exposed);
    write_key(&mut out, "versions", 1);
    write_versions(&mut out, exposed, base, form)?;
    let frame = manifest::split(exposed.frame(), "the head")?;
    if form == Form::Abbreviated {
        field(&mut out, "modified", &exposed.modified().to_string());
    }
    write_key(&mut out, "time", 1);
    write_times(&mut out, exposed, &frame);
    if form == Form::Full {
        write_head(&mut out, exposed, &frame)?;
    }
    if !exposed.withheld().is_empty() {
        write_key(&mut out, "policyRestrictions", 1);
        write_restrictions(&mut out, exposed, base);
    }
    out.push(b'}');
    Ok(Bytes::from(out))
}

/// One listed release's manifest.
pub fn version(exposed: &Exposed, release: &ExposedRelease, base: &str) -> Result<Bytes, Fault> {
    let mut out = Vec::with_capacity(release.manifest.len() + 96);
    splice::whole(&mut out, &release.manifest, &Addresses { base, package: &exposed.package().name, release })?;
    Ok(Bytes::from(out))
}

/// `{"latest":"1.0.0"}`.
pub fn tags(exposed: &Exposed) -> Bytes {
    let mut out = Vec::new();
    write_tags(&mut out, exposed);
    Bytes::from(out)
}

/// What stands before a revision, as CouchDB wrote it: clients send it back as it is.
pub const REVISION_PREFIX: &str = "1-";

fn revision(exposed: &Exposed) -> String {
    format!("{REVISION_PREFIX}{}", exposed.revision())
}

fn field(out: &mut Vec<u8>, key: &str, value: &str) {
    write_key(out, key, 1);
    write_text(out, value);
}

fn write_tags(out: &mut Vec<u8>, exposed: &Exposed) {
    out.push(b'{');
    let start = out.len();
    for (tag, version) in exposed.pointers() {
        write_key(out, tag, start);
        write_text(out, version.as_str());
    }
    out.push(b'}');
}

fn write_versions(out: &mut Vec<u8>, exposed: &Exposed, base: &str, form: Form) -> Result<(), Fault> {
    out.push(b'{');
    let start = out.len();
    for release in exposed.releases() {
        write_key(out, release.version.as_str(), start);
        let addresses = Addresses { base, package: &exposed.package().name, release };
        match form {
            Form::Full => splice::in_full(out, &release.manifest, &addresses)?,
            Form::Abbreviated => splice::abbreviated(out, &release.manifest, &addresses)?,
        }
    }
    out.push(b'}');
    Ok(())
}

/// A time for every listed release and no other. The package is no younger than its oldest listed release.
fn write_times(out: &mut Vec<u8>, exposed: &Exposed, frame: &[Pair<'_>]) {
    let stated = manifest::get(frame, CREATED).and_then(manifest::as_text).and_then(|text| Timestamp::parse(&text).ok());
    let oldest = exposed.releases().iter().map(|release| release.published_at).min();
    let created = stated.into_iter().chain(oldest).min().unwrap_or(exposed.modified());
    out.push(b'{');
    let start = out.len();
    let listed = exposed.releases().iter().map(|release| (release.version.as_str(), release.published_at));
    for (key, at) in [(CREATED, created), ("modified", exposed.modified())].into_iter().chain(listed) {
        write_key(out, key, start);
        write_text(out, &at.to_string());
    }
    out.push(b'}');
}

/// What describes the package. Upstream copies it from its latest release; where that one is withheld, the words would be
/// those of a hidden release, so those of the latest listed one are taken.
fn write_head(out: &mut Vec<u8>, exposed: &Exposed, frame: &[Pair<'_>]) -> Result<(), Fault> {
    let described = manifest::get(frame, LATEST).and_then(manifest::as_text);
    let listed = exposed.pointer(LATEST).and_then(|version| exposed.release(version));
    let latest = listed.map(|release| Manifest::split(&release.manifest)).transpose()?;
    let head = match (listed, &latest) {
        (Some(release), _) if described.as_deref() == Some(release.version.as_str()) => frame,
        (_, Some(latest)) => &latest.pairs,
        (_, None) => &[],
    };
    for key in FRAME_FIELDS {
        let of = if PACKAGES_OWN_FIELDS.contains(&key) { frame } else { head };
        if let Some(value) = manifest::get(of, key) {
            write_key(out, key, 1);
            out.extend_from_slice(value.get().as_bytes());
        }
    }
    Ok(())
}

/// What npm refuses with instead of saying that there is no such version. Source: npm-pick-manifest, `policyRestrictions`.
fn write_restrictions(out: &mut Vec<u8>, exposed: &Exposed, base: &str) {
    let name = exposed.package().name.as_str();
    out.extend_from_slice(b"{\"message\":");
    write_text(out, &reasons(exposed, base));
    out.extend_from_slice(b",\"versions\":{");
    let start = out.len();
    for Withheld { version, .. } in exposed.withheld().iter().filter(|one| is_version(&one.version)) {
        write_key(out, version.as_str(), start);
        out.extend_from_slice(b"{\"name\":");
        write_text(out, name);
        out.extend_from_slice(b",\"version\":");
        write_text(out, version.as_str());
        out.push(b'}');
    }
    out.extend_from_slice(b"}}");
}

/// Clients parse these keys, and some of them badly.
fn is_version(version: &Version) -> bool {
    order::semantic(version.as_str()).is_some()
}

/// The contract's sentences with their links, of the newest withheld releases, a line each.
fn reasons(exposed: &Exposed, base: &str) -> String {
    let withheld = exposed.withheld();
    let shown = withheld.iter().take(REASONS_MAX);
    let mut lines: Vec<String> =
        shown.map(|one| format!("{} {}", one.refusal.sentence, link::of_release(base, &one.refusal.release))).collect();
    let more = exposed.withheld_total().saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("and {more} more: {}", link::of_package(base, exposed.package())));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::protocol::npm::sample::BASE;
    use crate::protocol::npm::sample::Release;
    use crate::protocol::npm::sample::document;
    use crate::protocol::npm::sample::exposed;

    fn read(bytes: &Bytes) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    fn keys(value: &Value) -> Vec<&str> {
        value.as_object().unwrap().keys().map(String::as_str).collect()
    }

    fn set(value: &Value) -> BTreeSet<&str> {
        keys(value).into_iter().collect()
    }

    const THREE: [Release<'_>; 3] =
        [Release::listed("1.0.0"), Release::listed("1.1.0-rc.1"), Release { listed: false, ..Release::listed("1.1.0") }];

    #[test]
    fn a_full_packument_has_what_is_listed_and_nothing_else() {
        let text = document("@acme/web", &THREE, r#""readme":"of 1.1.0","description":"of 1.1.0","maintainers":[{"name":"ann"}],"#);
        let exposed = exposed("@acme/web", &text, &THREE);
        let bytes = packument(&exposed, BASE, Form::Full).unwrap();
        let full = read(&bytes);
        assert_eq!(set(&full["versions"]), ["1.0.0", "1.1.0-rc.1"].into());
        assert_eq!(set(&full["time"]), ["created", "modified", "1.0.0", "1.1.0-rc.1"].into());
        assert_eq!(full["time"]["1.0.0"], "2020-01-01T00:00:00.000Z");
        assert_eq!(full["time"]["created"], "2019-12-31T00:00:00.000Z");
        assert_eq!(full["dist-tags"]["latest"], "1.0.0");
        assert_eq!((full["_id"].as_str(), full["name"].as_str()), (Some("@acme/web"), Some("@acme/web")));
        assert_eq!(full["_rev"].as_str().unwrap(), format!("1-{}", exposed.revision()));
        let dist = &full["versions"]["1.0.0"]["dist"];
        assert_eq!(dist["tarball"], "https://gate.example/npm/@acme/web/-/web-1.0.0.tgz");
        assert_eq!(dist["signatures"][0]["sig"], "MEUCIQ==");
        // The head described the withheld release; now it is the listed one's.
        assert_eq!((full["description"].as_str(), full["readme"].as_str()), (Some("marker 1.0.0"), Some("marker 1.0.0")));
        assert_eq!(full["maintainers"][0]["name"], "ann");
        let text = std::str::from_utf8(&bytes).unwrap();
        assert!(!text.contains("marker 1.1.0\"") && !text.contains("of 1.1.0") && !text.contains("registry.example"));
    }

    #[test]
    fn a_head_that_describes_a_listed_release_stays() {
        let listed = [Release::listed("1.0.0")];
        let text = document("x", &listed, r##""readme":"# x","description":"an \u0078","users":{"bob":true},"author":7,"##);
        let full = read(&packument(&exposed("x", &text, &listed), BASE, Form::Full).unwrap());
        assert_eq!((full["readme"].as_str(), full["description"].as_str()), (Some("# x"), Some("an x")));
        assert_eq!((full["users"]["bob"].as_bool(), full["author"].as_u64()), (Some(true), Some(7)));
        assert_eq!(full.get("policyRestrictions"), None);
        assert_eq!(full.get("latest"), None);
        assert_eq!(full.get("created"), None);
    }

    #[test]
    fn an_abbreviated_packument_has_time_and_no_more_than_installing_needs() {
        let text = document("x", &THREE, r#""readme":"r","#);
        let exposed = exposed("x", &text, &THREE);
        let brief = read(&packument(&exposed, BASE, Form::Abbreviated).unwrap());
        assert_eq!(set(&brief), ["name", "dist-tags", "versions", "modified", "time", "policyRestrictions"].into());
        assert_eq!(brief["modified"], exposed.modified().to_string());
        assert_eq!(brief["time"]["modified"], brief["modified"]);
        assert_eq!(set(&brief["versions"]["1.0.0"]), ["name", "version", "dist", "_npmUser", "hasInstallScript"].into());
        assert_eq!(brief["versions"]["1.0.0"]["_npmUser"]["trustedPublisher"]["id"], "github");
        assert_eq!(brief["versions"]["1.0.0"]["dist"]["tarball"], "https://gate.example/npm/x/-/x-1.0.0.tgz");
    }

    #[test]
    fn withheld_releases_are_named_with_their_reasons() {
        let releases: Vec<Release<'_>> = ["1.0.0", "1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0"]
            .map(|version| Release { listed: version == "1.0.0", ..Release::listed(version) })
            .into();
        let text = document("x", &releases, "");
        for form in [Form::Full, Form::Abbreviated] {
            let restrictions = read(&packument(&exposed("x", &text, &releases), BASE, form).unwrap())["policyRestrictions"].take();
            assert_eq!(set(&restrictions["versions"]), ["1.1.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0"].into());
            assert_eq!(restrictions["versions"]["1.1.0"], serde_json::json!({"name": "x", "version": "1.1.0"}));
            let message = restrictions["message"].as_str().unwrap();
            let lines: Vec<&str> = message.lines().collect();
            assert_eq!(lines.len(), 4);
            assert!(lines[0].starts_with("x@1.5.0 is held by eve: no. 1.0.0 is admissible. https://gate.example/npm/-/airlock/r/x@1.5.0"));
            assert_eq!(lines[3], "and 2 more: https://gate.example/npm/-/airlock/r/x");
        }
    }

    #[test]
    fn nothing_listed_is_an_empty_package() {
        let held = [Release { listed: false, ..Release::listed("1.0.0") }];
        let exposed = exposed("x", &document("x", &held, r#""description":"d","#), &held);
        let full = read(&packument(&exposed, BASE, Form::Full).unwrap());
        assert_eq!((keys(&full["versions"]).len(), keys(&full["dist-tags"]).len()), (0, 0));
        assert_eq!(set(&full["time"]), ["created", "modified"].into());
        assert_eq!(full.get("description"), None);
        assert_eq!(tags(&exposed), b"{}".as_slice());
    }

    #[test]
    fn one_version_is_upstreams_text_with_our_address() {
        let listed = [Release::listed("1.0.0+b")];
        let text = document("x", &listed, "");
        let exposed = exposed("x", &text, &listed);
        let release = &exposed.releases()[0];
        let bytes = version(&exposed, release, BASE).unwrap();
        let expect = std::str::from_utf8(&release.manifest).unwrap();
        let expect = expect.replace("https://registry.example/x/-/x-1.0.0+b.tgz", "https://gate.example/npm/x/-/x-1.0.0.tgz");
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expect);
        assert_eq!(tags(&exposed), br#"{"latest":"1.0.0+b"}"#.as_slice());
    }

    /// Every way to hide some of 40 releases: what is rendered has exactly the listed ones, and no marker of a hidden one.
    #[test]
    fn whatever_is_hidden_leaves_no_byte() {
        let versions: Vec<String> = (0..40).map(|n| format!("{}.{}.0{}", n / 7, n % 7, if n % 5 == 0 { "-rc.1" } else { "" })).collect();
        let mut random = 0x9e37_79b9_7f4a_7c15_u64;
        for round in 0..60 {
            let mut draw = || {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                random
            };
            let share = draw() % 5;
            let releases: Vec<Release<'_>> =
                versions.iter().map(|version| Release { listed: draw() % 4 < share, ..Release::listed(version) }).collect();
            let text = document("x", &releases, r#""readme":"marker head","#);
            let exposed = exposed("x", &text, &releases);
            let listed: BTreeSet<&str> = releases.iter().filter(|release| release.listed).map(|release| release.version).collect();
            for form in [Form::Full, Form::Abbreviated] {
                let bytes = packument(&exposed, BASE, form).unwrap();
                let rendered = read(&bytes);
                assert_eq!(set(&rendered["versions"]), listed, "round {round}");
                let timed: BTreeSet<&str> =
                    set(&rendered["time"]).into_iter().filter(|key| *key != "created" && *key != "modified").collect();
                assert_eq!(timed, listed);
                assert!(rendered["dist-tags"].as_object().unwrap().values().all(|target| listed.contains(target.as_str().unwrap())));
                let text = std::str::from_utf8(&bytes).unwrap();
                for hidden in releases.iter().filter(|release| !release.listed) {
                    assert!(!text.contains(&format!("marker {}\"", hidden.version)), "round {round}: {}", hidden.version);
                }
            }
        }
    }

    /// 2,500 releases in 9 MB, as the largest real packages have.
    #[test]
    fn a_large_package_is_rendered_whole() {
        let versions: Vec<String> = (0..2_500).map(|n| format!("{}.{}.{}", n / 625, n / 25 % 25, n % 25)).collect();
        let releases: Vec<Release<'_>> = versions.iter().map(|version| Release { padding: 3_300, ..Release::listed(version) }).collect();
        let text = document("x", &releases, "");
        assert!(text.len() > 9_000_000);
        let exposed = exposed("x", &text, &releases);
        for form in [Form::Full, Form::Abbreviated] {
            let bytes = packument(&exposed, BASE, form).unwrap();
            assert_eq!(read(&bytes)["versions"].as_object().unwrap().len(), 2_500);
        }
    }
}
