//! What cannot be published: bodies that do not agree with themselves, and tarballs that are not what they are said to be.
//! Each is answered in words, and nothing is left of it.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;

use airlock::config::policy::Submissions;
use bytes::Bytes;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::support::airlock::Airlock;
use crate::support::binary::files_below;
use crate::support::http::Call;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use crate::support::scenario::Tarball;
use crate::support::scenario::gzip;
use crate::support::within;

const PATH: &str = "/@acme%2fweb";
const KEY: &str = "@acme/web-1.0.0.tgz";

/// A request and what it is about.
struct Row {
    what: String,
    path: String,
    coding: Option<&'static str>,
    body: Vec<u8>,
}

#[derive(Default)]
struct Rows(Vec<Row>);

impl Rows {
    fn raw(&mut self, what: &str, body: impl Into<Vec<u8>>) {
        self.0.push(Row { what: what.to_owned(), path: PATH.to_owned(), coding: None, body: body.into() });
    }

    /// An honest body, changed.
    fn edited(&mut self, what: &str, edit: impl FnOnce(&mut Value)) {
        let mut body = honest().body();
        edit(&mut body);
        self.raw(what, body.to_string());
    }

    /// An honest body as text, with one piece of it replaced.
    fn replaced(&mut self, what: &str, from: &str, to: &str) {
        let body = honest().body().to_string();
        assert!(body.contains(from), "{what}: {from} is not in {body}");
        self.raw(what, body.replacen(from, to, 1));
    }

    /// The manifest of an honest body, changed, and its package.json as it was.
    fn manifest(&mut self, what: &str, edit: impl FnOnce(&mut Value)) {
        self.edited(what, |body| edit(&mut body["versions"]["1.0.0"]));
    }

    fn attachment(&mut self, what: &str, edit: impl FnOnce(&mut Value)) {
        self.edited(what, |body| edit(&mut body["_attachments"][KEY]));
    }

    fn tarball(&mut self, what: &str, bytes: Bytes) {
        let publish = Publish { tarball: Some(bytes), ..honest() };
        self.raw(what, publish.body().to_string());
    }

    fn named(&mut self, name: &str, path: &str) {
        let body = Publish::new(name, "1.0.0").body().to_string().into_bytes();
        self.0.push(Row { what: format!("the name {name:?} at {path}"), path: path.to_owned(), coding: None, body });
    }
}

fn honest() -> Publish {
    Publish::new("@acme/web", "1.0.0")
}

fn entry(path: &str, content: &[u8], edit: impl FnOnce(&mut tar::Header)) -> Vec<u8> {
    let mut header = tar::Header::new_ustar();
    header.as_mut_bytes()[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    edit(&mut header);
    header.set_cksum();
    let mut out = header.as_bytes().to_vec();
    out.extend_from_slice(content);
    out.resize(out.len().next_multiple_of(512), 0);
    out
}

fn archive(files: &[(&str, &[u8])]) -> Bytes {
    let mut all: Vec<u8> = files.iter().flat_map(|(path, content)| entry(path, content, |_| {})).collect();
    all.extend([0; 1_024]);
    gzip(&all)
}

fn bodies(rows: &mut Rows) {
    let text = honest().body().to_string();
    rows.raw("not JSON", "publish this, please");
    rows.raw("nothing", "");
    rows.raw("an array", format!("[{text}]"));
    rows.raw("null", "null");
    rows.raw("a byte order mark", format!("\u{feff}{text}"));
    rows.raw("not UTF-8", [&text.as_bytes()[..text.len() - 1], b",\"x\":\"\xff\"}"].concat());
    rows.raw("two values", format!("{text}{text}"));
    rows.raw("a comma too many", format!("{},}}", &text[..text.len() - 1]));
    rows.raw("cut short", &text.as_bytes()[..text.len() - 1]);
    rows.raw("cut short in the tarball", &text.as_bytes()[..text.find("\"data\":\"").unwrap() + 60]);
    rows.replaced("a key twice", "\"name\":\"@acme/web\"", "\"name\":\"@acme/web\",\"name\":\"@acme/web\"");
    rows.replaced("two _attachments", "{\"_attachments\":", "{\"_attachments\":{},\"_attachments\":");
    rows.replaced("a version twice", "\"versions\":{", "\"versions\":{\"1.0.0\":{},");
    rows.replaced("data twice", "\"data\":", "\"data\":\"\",\"data\":");
    rows.replaced("an escaped _attachments", "\"_attachments\"", "\"\\u005fattachments\"");
    rows.replaced("an escaped data", "\"data\"", "\"d\\u0061ta\"");
    rows.replaced("__proto__ at the top", "\"access\":null", "\"__proto__\":{}");
    rows.replaced("__proto__ in the manifest", "\"dist\":{", "\"__proto__\":{},\"dist\":{");
    rows.replaced("constructor in a script", "\"dist\":{", "\"scripts\":{\"constructor\":\"x\"},\"dist\":{");
    rows.replaced("a lone surrogate", "\"access\":null", "\"x\":\"\\ud800\"");
    rows.replaced("nested too deep", "\"access\":null", &format!("\"x\":{}{}", "[".repeat(65), "]".repeat(65)));
    rows.edited("another name", |body| body["name"] = json!("@acme/other"));
    rows.edited("another _id", |body| body["_id"] = json!("@acme/other"));
    rows.edited("no name", |body| _ = body.as_object_mut().unwrap().remove("name"));
    rows.edited("a number for a name", |body| body["name"] = json!(1));
    rows.edited("an odd access", |body| body["access"] = json!("secret"));
    rows.edited("no versions", |body| _ = body.as_object_mut().unwrap().remove("versions"));
    rows.edited("none of them", |body| body["versions"] = json!({}));
    rows.edited("a list of versions", |body| body["versions"] = json!([]));
    rows.edited("two versions", |body| {
        let mut second = body["versions"]["1.0.0"].clone();
        second["version"] = json!("1.0.1");
        body["versions"]["1.0.1"] = second;
    });
    rows.edited("no tags", |body| _ = body.as_object_mut().unwrap().remove("dist-tags"));
    rows.edited("none of those", |body| body["dist-tags"] = json!({}));
    for tag in ["^1.0.0", "1.x", "2.0.0", "v1", "*", "", " latest", "la\ntest", &"x".repeat(257)] {
        rows.edited(&format!("the tag {tag:?}"), |body| body["dist-tags"] = json!({tag: "1.0.0"}));
    }
    rows.replaced("the tag __proto__", "\"latest\":\"1.0.0\"", "\"__proto__\":\"1.0.0\"");
    rows.edited("a tag for another version", |body| body["dist-tags"] = json!({"latest": "1.0.0", "next": "2.0.0"}));
    rows.edited("too many tags", |body| {
        body["dist-tags"] = (0..17).map(|at| (format!("tag{at}"), json!("1.0.0"))).collect::<serde_json::Map<_, _>>().into();
    });
    rows.manifest("a manifest of another package", |manifest| manifest["name"] = json!("@acme/other"));
    rows.manifest("a manifest of another version", |manifest| manifest["version"] = json!("1.0.1"));
    rows.manifest("a manifest without a name", |manifest| _ = manifest.as_object_mut().unwrap().remove("name"));
    rows.manifest("one that is private", |manifest| manifest["private"] = json!(true));
    rows.manifest("one that is a text", |manifest| *manifest = json!("1.0.0"));
    rows.manifest("a dist that is a list", |manifest| manifest["dist"] = json!([]));
    rows.manifest("another integrity", |manifest| manifest["dist"]["integrity"] = json!(Tarball::of(Bytes::new(), 0, 0).integrity));
    rows.manifest("another shasum", |manifest| manifest["dist"]["shasum"] = json!("0".repeat(40)));
    rows.manifest("an integrity that nobody reads", |manifest| manifest["dist"]["integrity"] = json!("md5-1B2M2Y8AsgTpgAmY7PhCfg=="));
    rows.manifest("an integrity that is a number", |manifest| manifest["dist"]["integrity"] = json!(1));
    rows.manifest("a manifest that is too large", |manifest| manifest["x"] = json!("x".repeat(2_200_000)));
    for version in ["1.0", "v1.0.0", "latest", "01.0.0", "1.0.0/..", "9007199254740992.0.0"] {
        let publish = Publish::new("@acme/web", version);
        rows.raw(&format!("the version {version}"), publish.body().to_string());
    }
}

fn attachments(rows: &mut Rows) {
    rows.edited("no attachment", |body| _ = body.as_object_mut().unwrap().remove("_attachments"));
    rows.edited("none of them", |body| body["_attachments"] = json!({}));
    rows.edited("a list of attachments", |body| body["_attachments"] = json!([]));
    rows.edited("an attachment that is a text", |body| body["_attachments"] = json!({KEY: "x"}));
    for key in ["@acme/web-1.0.1.tgz", "@acme/other-1.0.0.tgz", "web-1.0.0.zip", "../web-1.0.0.tgz", ""] {
        rows.edited(&format!("an attachment {key:?}"), |body| {
            let attachment = body["_attachments"][KEY].take();
            body["_attachments"] = json!({key: attachment});
        });
    }
    rows.edited("two tarballs", |body| {
        let second = body["_attachments"][KEY].clone();
        body["_attachments"]["web-1.0.0.tgz"] = second;
    });
    rows.attachment("a length that is wrong", |one| one["length"] = json!(1));
    rows.attachment("a length that is a text", |one| one["length"] = json!("1"));
    rows.attachment("another content type", |one| one["content_type"] = json!("text/html"));
    for (what, data) in [("a number", json!(1)), ("null", json!(null)), ("a list", json!(["x"])), ("empty", json!(""))] {
        rows.attachment(&format!("data that is {what}"), |one| one["data"] = data);
    }
    let data = |one: &mut Value, edit: &dyn Fn(&str) -> String| {
        let text = edit(one["data"].as_str().unwrap());
        one["data"] = json!(text);
    };
    rows.attachment("base64 of an odd length", |one| data(one, &|text| text[..text.len() - 3].to_owned()));
    rows.attachment("a character that is none", |one| data(one, &|text| text.replacen('A', "!", 1)));
    rows.attachment("base64 of addresses", |one| data(one, &|text| format!("_-{}", &text[2..])));
    rows.attachment("a padding too many", |one| data(one, &|text| format!("{text}====")));
    rows.attachment("more after the padding", |one| data(one, &|text| format!("eA=={text}")));
    rows.attachment("a blank", |one| data(one, &|text| format!("{} {}", &text[..40], &text[40..])));
    rows.attachment("an end of line", |one| data(one, &|text| format!("{}\n{}", &text[..40], &text[40..])));
    rows.replaced("an escaped character", "\"data\":\"H", "\"data\":\"\\u0048");
    for (what, sigstore) in [
        ("not JSON", json!({"data": "x", "length": 1})),
        ("a list", json!({"data": "[]", "length": 2})),
        ("of another length", json!({"data": "{}", "length": 3})),
        ("a number", json!({"data": 1})),
    ] {
        rows.edited(&format!("a provenance that is {what}"), |body| body["_attachments"]["@acme/web-1.0.0.sigstore"] = sigstore);
    }
    rows.edited("a provenance of another", |body| body["_attachments"]["x.sigstore"] = json!({"data": "{}", "length": 2}));
    rows.edited("a provenance alone", |body| {
        body["_attachments"] = json!({"@acme/web-1.0.0.sigstore": {"data": "{}", "length": 2}});
    });
}

fn tarballs(rows: &mut Rows) {
    const MANIFEST: &[u8] = br#"{"name":"@acme/web","version":"1.0.0"}"#;
    const OTHER: &[u8] = br#"{"name":"@acme/web","version":"1.0.0","x":1}"#;
    let packed = |json: Value| Tarball::build(&json, &BTreeMap::new()).bytes;
    rows.tarball("a tarball of another package", packed(json!({"name": "@acme/other", "version": "1.0.0"})));
    rows.tarball("a tarball of another version", packed(json!({"name": "@acme/web", "version": "1.0.1"})));
    rows.tarball("a tarball without a name", packed(json!({"version": "1.0.0"})));
    rows.tarball("no gzip", Bytes::from_static(b"this is no archive at all"));
    rows.tarball("half an archive", honest().packed().bytes.slice(..60));
    rows.tarball("no package.json", archive(&[("package/index.js", b"1")]));
    rows.tarball("two of them", archive(&[("package/package.json", MANIFEST), ("package/package.json", OTHER)]));
    rows.tarball("one in another folder", archive(&[("package/package.json", MANIFEST), ("other/package.json", MANIFEST)]));
    rows.tarball("one with a byte order mark", archive(&[("package/package.json", &[b"\xef\xbb\xbf", MANIFEST].concat())]));
    rows.tarball("one that is a list", archive(&[("package/package.json", b"[]")]));
    rows.tarball("one with a key twice", archive(&[("package/package.json", br#"{"name":"@acme/web","name":"x","version":"1.0.0"}"#)]));
    rows.tarball("a way out", archive(&[("package/package.json", MANIFEST), ("package/../../x", b"1")]));
    let link = entry("package/x", b"", |header| {
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_link_name("/etc/passwd").unwrap();
    });
    rows.tarball("a link", gzip(&[entry("package/package.json", MANIFEST, |_| {}), link, vec![0; 1_024]].concat()));
    let zeros = entry("package/zeros", &vec![0; 30_000_000], |_| {});
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&[entry("package/package.json", MANIFEST, |_| {}), zeros, vec![0; 1_024]].concat()).unwrap();
    rows.tarball("a bomb", encoder.finish().unwrap().into());
}

fn names(rows: &mut Rows) {
    for name in ["@acme/Web", "@acme/.web", "@acme/-", "@acme/we!b", "@acme/we b", "@acme/\u{442}"] {
        rows.named(name, &format!("/{}", percent(name)));
    }
    rows.named("node_modules", "/node_modules");
    let long = format!("@acme/{}", "x".repeat(209));
    rows.named(&long, &format!("/{}", percent(&long)));
    for path in ["/@acme%2f..%2fweb", "/@acme%2fweb%2fx", "/@acme%2fother", "/@acme", "/-/x", "/%2e%2e/web", "/@acme%2fweb%00"] {
        rows.named("@acme/web", path);
    }
}

fn percent(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Where every name of `@acme` is ours, and one package is there.
async fn world() -> (Airlock, String) {
    let airlock = Scenario::new()
        .gated_by(|config| {
            config.policy.private_scopes.push("@acme".to_owned());
            config.policy.submissions = Submissions::Trusted;
        })
        .await;
    let maria = airlock.user("maria", "publisher").await;
    // A key to sign with is made for the first that is published.
    let first = airlock.publish(&maria, "@acme/first", "1.0.0").await;
    assert_eq!(first.status, 201, "{}", first.text());
    (airlock, maria)
}

/// Everything that is kept: files by their names and lengths, and the head of the ledger.
async fn kept(airlock: &Airlock) -> (Vec<(PathBuf, u64)>, Value) {
    let mut files: Vec<(PathBuf, u64)> = files_below(&airlock.data_dir())
        .into_iter()
        // Its journal writes behind what was asked, and holds nothing that the ledger does not.
        .filter(|path| !path.components().any(|part| part.as_os_str() == "projection"))
        .map(|path| (path.clone(), std::fs::metadata(&path).map_or(0, |file| file.len())))
        .collect();
    files.sort();
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await;
    assert_eq!(audit.status, 200, "{}", audit.text());
    (files, audit.json())
}

#[tokio::test]
async fn nothing_of_a_malformed_body_is_kept() {
    let (airlock, maria) = world().await;
    let before = kept(&airlock).await;
    let mut rows = Rows::default();
    bodies(&mut rows);
    attachments(&mut rows);
    tarballs(&mut rows);
    names(&mut rows);
    let gzipped = gzip(honest().body().to_string().as_bytes()).to_vec();
    rows.0.push(Row { what: "gzip".to_owned(), path: PATH.to_owned(), coding: Some("gzip"), body: gzipped });
    let mut accepted = Vec::new();
    for row in &rows.0 {
        for (method, path) in [("PUT", row.path.clone()), ("POST", format!("/-/stage/package{}", row.path))] {
            let mut call = airlock.call(method, &path).bearer(&maria).header("content-type", "application/json");
            if let Some(coding) = row.coding {
                call = call.header("content-encoding", coding);
            }
            let reply = call.body(&row.body).send().await;
            let error = reply.json()["error"].as_str().unwrap_or_default().to_owned();
            if !(400..500).contains(&reply.status) || error.is_empty() {
                accepted.push(format!("{}, {method} {path}: {} {}", row.what, reply.status, reply.text()));
            }
            assert!(!error.contains("one-time pass"));
        }
    }
    assert!(accepted.is_empty(), "{} of {}:\n{}", accepted.len(), rows.0.len(), accepted.join("\n"));
    let coded = airlock.call("PUT", PATH).bearer(&maria).header("content-encoding", "gzip").body(b"{}").send().await;
    assert_eq!(coded.status, 415);
    let after = kept(&airlock).await;
    assert_eq!(after.1, before.1, "the ledger");
    assert_eq!(after.0, before.0, "the files");
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
    assert_eq!(airlock.get(PATH).await.status, 404);
    // And the very body that all of them were made of is fine.
    assert_eq!(honest().call(&airlock, &maria).send().await.status, 201);
}

/// Bodies that are no packument, or one that nobody was shown, as they are written back over one that is there.
fn packuments(shown: &Value) -> Vec<(String, Vec<u8>)> {
    let text = shown.to_string();
    let mut all: Vec<(String, Vec<u8>)> = Vec::new();
    for (what, body) in [
        ("nothing", ""),
        ("no JSON", "packument"),
        ("null", "null"),
        ("true", "true"),
        ("a number", "7"),
        ("a text", "\"1.0.0\""),
        ("a list", "[]"),
        ("half an object", "{\"versions\":{"),
        ("a key twice", "{\"_rev\":\"1\",\"_rev\":\"1\"}"),
        ("versions twice", "{\"versions\":{},\"versions\":{}}"),
        ("__proto__", "{\"__proto__\":{}}"),
        ("__proto__ among versions", "{\"versions\":{\"__proto__\":{}}}"),
        ("__proto__ among tags", "{\"dist-tags\":{\"__proto__\":\"1.0.0\"}}"),
        ("an escaped key", "{\"vers\\u0069ons\":{}}"),
        ("a lone surrogate", "{\"x\":\"\\ud800\"}"),
        ("a mark before it", "\u{feff}{}"),
        ("two objects", "{}{}"),
    ] {
        all.push((what.to_owned(), body.as_bytes().to_vec()));
    }
    all.push(("half of it".to_owned(), text.as_bytes()[..text.len() / 2].to_vec()));
    all.push(("no UTF-8".to_owned(), [b"{\"x\":\"".as_slice(), b"\xff", b"\"}"].concat()));
    all.push(("nested too deep".to_owned(), format!("{{\"x\":{}{}}}", "[".repeat(65), "]".repeat(65)).into_bytes()));
    all.push(("too many values".to_owned(), format!("{{\"x\":[{}1]}}", "1,".repeat(800_000)).into_bytes()));
    all.push(("a key that is too long".to_owned(), format!("{{\"{}\":1}}", "x".repeat(600)).into_bytes()));
    let mut edited = |what: &str, edit: &dyn Fn(&mut Value)| {
        let mut body = shown.clone();
        edit(&mut body);
        all.push((what.to_owned(), body.to_string().into_bytes()));
    };
    for key in ["_id", "name"] {
        for (what, value) in [("another", json!("@acme/other")), ("a number for a", json!(1)), ("null for a", json!(null))] {
            edited(&format!("{what} {key}"), &|body| body[key] = value.clone());
        }
    }
    for key in ["versions", "dist-tags", "maintainers", "users"] {
        for value in [json!(null), json!(7), json!("x"), json!(true), json!([7]), json!([[]]), json!(["maria"])] {
            edited(&format!("{value} for {key}"), &|body| body[key] = value.clone());
        }
    }
    for value in [json!(null), json!(7), json!("1.0.0"), json!([])] {
        edited(&format!("{value} for a version"), &|body| body["versions"]["1.0.0"] = value.clone());
    }
    for value in [json!(7), json!(true), json!({}), json!(["old"])] {
        edited(&format!("{value} for a deprecation"), &|body| body["versions"]["1.0.0"]["deprecated"] = value.clone());
    }
    for value in [json!(null), json!(7), json!({}), json!("latest"), json!("")] {
        edited(&format!("{value} for what a tag is at"), &|body| body["dist-tags"]["next"] = value.clone());
    }
    for (what, owner) in [("without a name", json!({"email": "x"})), ("with a number for a name", json!({"name": 1}))] {
        edited(&format!("an owner {what}"), &|body| body["maintainers"] = json!([owner]));
    }
    edited("an owner that nobody is", &|body| body["maintainers"] = json!([{"name": "maria"}, {"name": "nobody-here"}]));
    edited("no owner", &|body| body["maintainers"] = json!([]));
    edited("a deprecation that is too long", &|body| body["versions"]["1.0.0"]["deprecated"] = json!("x".repeat(5_000)));
    edited("a new version", &|body| body["versions"]["2.0.0"] = body["versions"]["1.0.0"].clone());
    edited("a version that is none", &|body| body["versions"]["latest"] = body["versions"]["1.0.0"].clone());
    edited("other bytes", &|body| body["versions"]["1.0.0"]["dist"]["integrity"] = json!("sha512-AAAA"));
    edited("no more of dist than a number", &|body| body["versions"]["1.0.0"]["dist"] = json!(7));
    edited("a script", &|body| body["versions"]["1.0.0"]["scripts"] = json!({"install": "x"}));
    edited("latest gone", &|body| _ = body["dist-tags"].as_object_mut().unwrap().remove("latest"));
    edited("a tarball", &|body| body["_attachments"] = json!({KEY: {"data": "eA=="}}));
    all
}

#[tokio::test]
async fn nothing_of_a_malformed_packument_is_recorded() {
    let (airlock, maria) = world().await;
    assert_eq!(honest().call(&airlock, &maria).send().await.status, 201);
    let shown = airlock.call("GET", "/@acme%2fweb?write=true").bearer(&maria).send().await.json();
    let path = format!("{PATH}/-rev/{}", shown["_rev"].as_str().unwrap());
    let before = kept(&airlock).await;
    let mut accepted = Vec::new();
    for (what, body) in packuments(&shown) {
        let reply = airlock.call("PUT", &path).bearer(&maria).header("content-type", "application/json").body(&body).send().await;
        let error = reply.json()["error"].as_str().unwrap_or_default().to_owned();
        if !(400..500).contains(&reply.status) || error.is_empty() || error.contains("one-time pass") {
            accepted.push(format!("{what}: {} {}", reply.status, reply.text()));
        }
    }
    assert!(accepted.is_empty(), "{}", accepted.join("\n"));
    let packed = gzip(shown.to_string().as_bytes());
    let coded = airlock.call("PUT", &path).bearer(&maria).header("content-encoding", "gzip").body(&packed).send().await;
    assert_eq!(coded.status, 415, "{}", coded.text());
    for rev in ["1-0", "x", "undefined", "..%2f..", "%00"] {
        let reply = airlock.call("PUT", &format!("{PATH}/-rev/{rev}")).bearer(&maria).json(&shown).send().await;
        assert!(matches!(reply.status, 400 | 404 | 409), "{rev}: {} {}", reply.status, reply.text());
    }
    assert_eq!(kept(&airlock).await, before);
    let now = airlock.call("GET", "/@acme%2fweb?write=true").bearer(&maria).send().await.json();
    assert_eq!(now, shown);
    // As it was shown it wishes nothing, and is fine.
    assert_eq!(airlock.call("PUT", &path).bearer(&maria).json(&shown).send().await.status, 201);
    assert_eq!(kept(&airlock).await, before);
}

/// The head of an answer that comes while nothing more is sent.
async fn answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    within("an answer", async {
        while !answer.windows(4).any(|four| four == b"\r\n\r\n") {
            if socket.read_buf(&mut answer).await.unwrap_or(0) == 0 {
                break;
            }
        }
    })
    .await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn too_large_is_said_before_the_end() {
    const BODY_BYTES_MAX: u64 = 1_000_000;
    let airlock = Scenario::new()
        .gated_by(|config| {
            config.policy.private_scopes.push("@acme".to_owned());
            config.server.body_bytes_max = BODY_BYTES_MAX;
        })
        .await;
    let maria = airlock.user("maria", "publisher").await;
    let head =
        |length: &str| format!("PUT {PATH} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {maria}\r\n{length}\r\n\r\n", airlock.address());
    let mut socket = TcpStream::connect(airlock.address()).await.unwrap();
    socket.write_all(head(&format!("Content-Length: {}", BODY_BYTES_MAX + 1)).as_bytes()).await.unwrap();
    let said = answer(&mut socket).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");

    let mut socket = TcpStream::connect(airlock.address()).await.unwrap();
    socket.write_all(head("Transfer-Encoding: chunked").as_bytes()).await.unwrap();
    let mut sent = 0;
    let piece = format!("{:x}\r\n{}\r\n", 50_000, "A".repeat(50_000));
    let start = r#"{"_attachments":{"@acme/web-1.0.0.tgz":{"data":""#;
    socket.write_all(format!("{:x}\r\n{start}\r\n", start.len()).as_bytes()).await.unwrap();
    while sent <= BODY_BYTES_MAX {
        socket.write_all(piece.as_bytes()).await.unwrap();
        sent += 50_000;
    }
    let said = answer(&mut socket).await;
    assert!(said.starts_with("HTTP/1.1 413 "), "{said}");
    let left = files_below(&airlock.data_dir().join("quarantine"));
    within("what came in to be gone", async {
        while !files_below(&airlock.data_dir().join("quarantine")).is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(left.len() <= 1, "{left:?}");
    // What is not the tarball has a limit of its own.
    let airlock = airlock.restart_with(|config| config.server.body_bytes_max = 100_000_000).await;
    let mut body = honest().body();
    body["x"] = json!("x".repeat(9_000_000));
    let reply = Call::new(airlock.address(), "PUT", PATH).bearer(&maria).json(&body).send().await;
    assert_eq!(reply.status, 413, "{}", reply.text());
}
