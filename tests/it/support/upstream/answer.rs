//! What an honest registry answers to a request, faults aside.

use airlock::model::time::Timestamp;
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::HeaderMap;
use http::Method;
use serde_json::json;
use sha1::Digest as _;
use sha1::Sha1;

use super::Inner;
use crate::support::scenario::Form;
use crate::support::scenario::Package;

/// A status, headers and a whole body.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
}

/// A packument as it is sent, kept until its package changes.
#[derive(Clone, Debug)]
pub(super) struct Rendered {
    body: Bytes,
    etag: String,
    last_modified: String,
}

const FULL: &str = "application/json";
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

impl Answer {
    pub(super) fn json(status: u16, value: &serde_json::Value) -> Answer {
        Answer { status, headers: vec![("content-type", FULL.into())], body: Bytes::from(value.to_string()) }
    }

    fn not_found() -> Answer {
        Answer::json(404, &json!({"error": "Not found"}))
    }
}

impl Inner {
    /// `path` is decoded, below the prefix, without query.
    pub(super) fn answer(&mut self, base: &str, method: &Method, path: &str, headers: &HeaderMap) -> Answer {
        if let Some(body) = self.documents.get(path) {
            return Answer { status: 200, headers: vec![("content-type", FULL.into())], body: body.clone() };
        }
        match path {
            "/-/ping" => return Answer::json(200, &json!({})),
            "/-/npm/v1/security/advisories/bulk" => return Answer::json(200, &json!({})),
            _ => {}
        }
        if *method != Method::GET && *method != Method::HEAD {
            return Answer::json(405, &json!({"error": "method not allowed"}));
        }
        if let Some(name) = path.strip_prefix("/-/package/").and_then(|rest| rest.strip_suffix("/dist-tags")) {
            return self.packages.get(name).map_or_else(Answer::not_found, |package| Answer::json(200, &json!(package.tags())));
        }
        let (name, rest) = split(path);
        let Some(package) = self.packages.get(name) else {
            return Answer::not_found();
        };
        match rest {
            None => self.packument(base, name, headers),
            Some(rest) => match rest.strip_prefix("-/") {
                Some(file) => tarball(package, file),
                None => one_version(package, rest, base),
            },
        }
    }

    fn packument(&mut self, base: &str, name: &str, headers: &HeaderMap) -> Answer {
        let accept = headers.get("accept").and_then(|value| value.to_str().ok()).unwrap_or("");
        let form = if accept.contains(ABBREVIATED) && !self.shape.single_form { Form::Abbreviated } else { Form::Full };
        let Inner { now, packages, rendered, shape, .. } = self;
        let render = || {
            let package = &packages[name];
            let body = Bytes::from(package.document(form, base, *now, shape.created_and_modified));
            let etag = format!("\"{}\"", HEXLOWER.encode(&Sha1::digest(&body)));
            Rendered { body, etag, last_modified: http_date(package.modified(*now)) }
        };
        let document = rendered.entry((name.to_owned(), form)).or_insert_with(render);
        let mut answer = Answer {
            status: 200,
            headers: vec![
                ("content-type", if form == Form::Full { FULL } else { ABBREVIATED }.into()),
                ("vary", "accept, accept-encoding".into()),
            ],
            body: document.body.clone(),
        };
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let mut same = false;
        if shape.etag {
            answer.headers.push(("etag", document.etag.clone()));
            same |= said("if-none-match").is_some_and(|tags| tags.contains(&document.etag));
        }
        if shape.last_modified {
            answer.headers.push(("last-modified", document.last_modified.clone()));
            same |= said("if-none-match").is_none() && said("if-modified-since") == Some(&document.last_modified);
        }
        if same {
            return Answer { status: 304, body: Bytes::new(), ..answer };
        }
        if shape.gzip && said("accept-encoding").is_some_and(|codings| codings.contains("gzip")) {
            answer = answer.gzipped();
        }
        answer
    }
}

impl Answer {
    pub(super) fn gzipped(mut self) -> Answer {
        self.headers.push(("content-encoding", "gzip".into()));
        Answer { body: crate::support::scenario::gzip(&self.body), ..self }
    }
}

/// `/@acme/web/-/web-1.0.0.tgz` into `@acme/web` and `-/web-1.0.0.tgz`.
fn split(path: &str) -> (&str, Option<&str>) {
    let path = path.trim_start_matches('/');
    let from = if path.starts_with('@') { path.find('/').map_or(path.len(), |slash| slash + 1) } else { 0 };
    match path[from..].find('/') {
        Some(slash) => (&path[..from + slash], Some(&path[from + slash + 1..])),
        None => (path, None),
    }
}

fn tarball(package: &Package, file: &str) -> Answer {
    match package.releases().find(|release| release.tarball_file() == file) {
        Some(release) => Answer {
            status: 200,
            headers: vec![("content-type", "application/octet-stream".into())],
            body: release.tarball().bytes.clone(),
        },
        None => Answer::not_found(),
    }
}

fn one_version(package: &Package, version_or_tag: &str, base: &str) -> Answer {
    let tags = package.tags();
    let version = tags.get(version_or_tag).map_or(version_or_tag, String::as_str);
    match package.find(version) {
        Some(release) => {
            let text = release.manifest_raw(Form::Full, base).get().to_owned();
            Answer { status: 200, headers: vec![("content-type", FULL.into())], body: Bytes::from(text) }
        }
        None => Answer::json(404, &json!(format!("version not found: {version_or_tag}"))),
    }
}

/// IMF-fixdate, as HTTP headers carry it. Source: RFC 9110, 5.6.7.
fn http_date(at: Timestamp) -> String {
    let at = jiff::Timestamp::from_millisecond(at.millis()).unwrap();
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}
