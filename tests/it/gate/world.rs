//! Two packages with one release of every way to be withheld, each marked in everything it has, beside an approved one.

use std::collections::HashMap;
use std::io::Read;

use airlock::config::Config;
use serde_json::json;

use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Package;
use crate::support::scenario::Scenario;
use crate::workflow::too_much_to_compare;
use crate::workflow::until_given_up;

/// The packages, one of each spelling.
pub const PACKAGES: [&str; 2] = ["marked", "@acme/marked"];
pub const APPROVED: &str = "1.0.0";
/// What the approved release's file says.
pub const OPEN: &str = "this may be seen by everyone";

/// Why a release of [`PACKAGES`] is withheld, as the version that is.
const TOO_YOUNG: &str = "1.1.0";
const HELD_BY_PERSON: &str = "1.2.0";
const IN_REVIEW: &str = "1.3.0";
const REJECTED: &str = "1.4.0";
const REJECTED_BY_PERSON: &str = "1.5.0";
const REVOKED: &str = "1.6.0";
const CRASHED: &str = "1.7.0";
const OTHER_BYTES: &str = "1.8.0";
const UNREADABLE: &str = "1.9.0";
const YOUNG_PRERELEASE: &str = "2.0.0-rc.1+build.5";
/// Published after Airlock last looked, and dated long before.
pub const UNSEEN: &str = "3.0.0";
/// Nothing stands against it, and nobody has downloaded it: listed or not, as `policy.listing` says.
pub const UNTOUCHED: &str = "1.0.1";

/// Where each stands once the world is as it should be; `None` for the unseen, of which nobody knows.
const WITHHELD: [(&str, Option<&str>); 11] = [
    (TOO_YOUNG, Some("held")),
    (HELD_BY_PERSON, Some("held")),
    (IN_REVIEW, Some("in_review")),
    (REJECTED, Some("rejected")),
    (REJECTED_BY_PERSON, Some("rejected")),
    (REVOKED, Some("revoked")),
    (CRASHED, Some("quarantined")),
    (OTHER_BYTES, Some("rejected")),
    (UNREADABLE, Some("rejected")),
    (YOUNG_PRERELEASE, Some("held")),
    (UNSEEN, None),
];

/// Bytes of a compressed tarball that no other tarball has.
const WINDOW: usize = 20;

pub struct World {
    pub airlock: Airlock,
    pub hidden: Vec<Hidden>,
    pub reader: String,
    pub approver: String,
    /// Of packuments and tarballs, from before what they were of was revoked.
    pub old_tags: Vec<String>,
    /// Windows of tarballs as they travel, and whose they are.
    windows: HashMap<[u8; WINDOW], String>,
}

/// A release of which no byte may leave.
#[derive(Clone)]
pub struct Hidden {
    pub package: String,
    pub version: String,
    /// In its entry of the index, and in its files.
    markers: [String; 2],
}

impl Hidden {
    pub fn of(package: &str, version: &str) -> Hidden {
        let plain = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>();
        let whose = format!("{}x{}", plain(package), plain(version));
        Hidden { package: package.to_owned(), version: version.to_owned(), markers: [format!("markI{whose}I"), format!("markF{whose}F")] }
    }

    pub fn file(&self) -> String {
        let unscoped = self.package.rsplit('/').next().unwrap();
        format!("{unscoped}-{}.tgz", self.version.split('+').next().unwrap())
    }
}

/// Text that no compression makes shorter, so that a tarball's own bytes are unlike any other's.
fn noise(seed: &str) -> String {
    use sha1::Digest;
    let hash = |at: u32| data_encoding::BASE64.encode(&sha1::Sha1::digest(format!("{seed}{at}")));
    (0..40).map(hash).collect()
}

fn marked(package: &mut Package, name: &str, version: &str) {
    let [in_index, in_files] = Hidden::of(name, version).markers;
    let release = package.release(version);
    release.listed("description", json!(format!("{in_index} description")));
    release.listed("keywords", json!([in_index])).listed("homepage", json!(format!("https://{in_index}.example/")));
    release.dist("npm-signature", json!(format!("{in_index} signature")));
    release.file("secret.js", &format!("// {in_files}\n{}\n", noise(&in_files)));
}

fn package(package: &mut Package, name: &str) {
    package.release(APPROVED).file("index.js", OPEN);
    package.release(UNTOUCHED).age("200d");
    for (version, _) in WITHHELD.into_iter().filter(|(version, _)| *version != UNSEEN) {
        marked(package, name, version);
    }
    package.release(TOO_YOUNG).age("9h");
    package.release(YOUNG_PRERELEASE).age("2h");
    package.release(IN_REVIEW).without_integrity();
    package.release(REJECTED).dependency("elsewhere", "git+https://git.example/elsewhere.git");
    package.release(OTHER_BYTES).wrong_integrity();
    // The index is read without looking into it; the inspection, which compares it, cannot.
    let [marker, _] = Hidden::of(name, CRASHED).markers;
    let url = |version: &str| format!("{name}/-/{}", Hidden::of(name, version).file());
    let crashing = |base: &str, integrity: &str| {
        format!(
            r#"{{"name":"{name}","version":"{CRASHED}","description":"{marker}",{},"dist":{{"tarball":"{base}{}","integrity":"{integrity}"}}}}"#,
            too_much_to_compare(),
            url(CRASHED)
        )
    };
    let integrity = package.release(CRASHED).tarball().integrity.clone();
    package.release(CRASHED).manifest_text(&crashing("https://files.example/", &integrity));
    let [marker, _] = Hidden::of(name, UNREADABLE).markers;
    package.release(UNREADABLE).manifest_text(&format!(r#"{{"name":"{name}","version":"9.9.9","description":"{marker}"}}"#));
    package.tag("beta", TOO_YOUNG).tag("next", YOUNG_PRERELEASE).tag("old", REVOKED).tag("latest", REJECTED_BY_PERSON);
    package.field("readme", json!("a readme"));
}

impl World {
    pub async fn new(edit: impl FnOnce(&mut Config)) -> World {
        let mut scenario = Scenario::new();
        for name in PACKAGES {
            scenario = scenario.package(name, |p| package(p, name));
        }
        let airlock = scenario.gated_by(edit).await;
        let reader = token(&airlock, "a reader", "reader").await;
        let approver = token(&airlock, "an approver", "approver").await;
        let mut old_tags = Vec::new();
        for name in PACKAGES {
            old_tags.extend(live_through(&airlock, name).await);
        }
        let hidden: Vec<Hidden> = PACKAGES.iter().flat_map(|name| WITHHELD.iter().map(|(version, _)| Hidden::of(name, version))).collect();
        let mut world = World { airlock, hidden, reader, approver, old_tags, windows: HashMap::new() };
        world.windows = world.windows_of_tarballs();
        world.stands_as_it_should().await;
        world
    }

    /// Every withheld release stands where its story leads.
    async fn stands_as_it_should(&self) {
        for name in PACKAGES {
            for (version, standing) in WITHHELD {
                let Some(standing) = standing else { continue };
                let release = self.airlock.release(name, version).await;
                assert_eq!(release["standing"], standing, "{name}@{version}: {release:#}");
            }
        }
    }

    /// Parts of each hidden tarball that are in no tarball which may be seen.
    fn windows_of_tarballs(&self) -> HashMap<[u8; WINDOW], String> {
        let seen: Vec<_> =
            PACKAGES.iter().flat_map(|name| [APPROVED, UNTOUCHED].map(|version| self.airlock.upstream.tarball(name, version))).collect();
        let of = |bytes: &[u8]| bytes.windows(WINDOW).map(|window| window.try_into().unwrap()).collect::<Vec<[u8; WINDOW]>>();
        let open: std::collections::HashSet<[u8; WINDOW]> = seen.iter().flat_map(|bytes| of(bytes)).collect();
        let mut windows = HashMap::new();
        for hidden in &self.hidden {
            let bytes = self.airlock.upstream.tarball(&hidden.package, &hidden.version);
            let own: Vec<_> = of(&bytes).into_iter().filter(|window| !open.contains(window)).collect();
            assert!(own.len() > 500, "{}@{} has bytes of its own", hidden.package, hidden.version);
            windows.extend(own.into_iter().map(|window| (window, format!("{}@{}", hidden.package, hidden.version))));
        }
        windows
    }

    /// What of a hidden release is in this answer, as it came or unpacked.
    pub fn leak(&self, reply: &Reply) -> Option<String> {
        let head: String = reply.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let mut texts = vec![reply.reason.clone().into_bytes(), head.into_bytes(), reply.body.to_vec()];
        texts.extend(gunzipped(&reply.body));
        for text in &texts {
            let words = String::from_utf8_lossy(text);
            // One look for what all markers begin with is much cheaper than one for each.
            if let Some(at) = words.find("markI").or_else(|| words.find("markF")) {
                return Some(format!("the marker {:?}", words[at..].chars().take(40).collect::<String>()));
            }
            for window in text.windows(WINDOW) {
                let window: [u8; WINDOW] = window.try_into().unwrap();
                if let Some(whose) = self.windows.get(&window) {
                    return Some(format!("bytes of the tarball of {whose}"));
                }
            }
        }
        None
    }
}

/// The body without its gzip coding, whatever its headers say of it.
pub fn gunzipped(body: &[u8]) -> Option<Vec<u8>> {
    if !body.starts_with(&[0x1f, 0x8b]) {
        return None;
    }
    let mut out = Vec::new();
    // A part of a stream is looked at as far as it goes.
    _ = flate2::read::MultiGzDecoder::new(body).read_to_end(&mut out);
    Some(out)
}

pub async fn token(airlock: &Airlock, name: &str, role: &str) -> String {
    let reply = airlock.as_admin("POST", "/-/airlock/v1/tokens").json(&json!({"name": name, "role": role})).send().await;
    assert_eq!(reply.status, 201, "{}", reply.text());
    reply.json()["token"].as_str().unwrap().to_owned()
}

/// Brings one package to where its releases stand as they should. The ETags that clients keep from before.
async fn live_through(airlock: &Airlock, name: &str) -> Vec<String> {
    let mut tags = Vec::new();
    let path = format!("/{}", name.replace('/', "%2f"));
    let decide = |version: &'static str, decision: &'static str| async move {
        let reply = airlock.decide(name, version, decision, "the story says so").await;
        assert_eq!(reply.status, 200, "{decision} {name}@{version}: {}", reply.text());
    };
    assert_eq!(airlock.tarball(name, APPROVED).await.status, 200);
    let revoked_later = airlock.tarball(name, REVOKED).await;
    assert_eq!(revoked_later.status, 200);
    for accept in ["application/json", "application/vnd.npm.install-v1+json"] {
        let packument = airlock.call("GET", &path).header("accept", accept).send().await;
        tags.extend(packument.header("etag").map(str::to_owned));
    }
    let version = airlock.get(&format!("{path}/{REVOKED}")).await;
    assert_eq!(version.status, 200);
    tags.extend([&revoked_later, &version].into_iter().filter_map(|reply| reply.header("etag").map(str::to_owned)));
    assert_eq!(tags.len(), 4);
    assert_eq!(airlock.tarball(name, IN_REVIEW).await.status, 403);
    assert_eq!(airlock.tarball(name, OTHER_BYTES).await.status, 403);
    let held_later = airlock.tarball(name, HELD_BY_PERSON).await;
    assert_eq!(held_later.status, 200);
    tags.extend(held_later.header("etag").map(str::to_owned));
    decide(HELD_BY_PERSON, "hold").await;
    decide(REJECTED_BY_PERSON, "reject").await;
    decide(REVOKED, "revoke").await;
    until_given_up(airlock, name, CRASHED).await;
    // Upstream has it; the index that Airlock goes by does not.
    assert_eq!(airlock.get(&path).await.status, 200);
    airlock.upstream.package(name, |p| {
        marked(p, name, UNSEEN);
        p.tag("unseen", UNSEEN);
    });
    tags
}
