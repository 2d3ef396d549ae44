//! The gate as a whole: every route of the router's own list, asked in every way for releases that are withheld. Not one
//! byte of theirs leaves. A route that is added and not tried here fails the test.

mod paths;
mod world;

use std::collections::BTreeSet;

use airlock::config::policy::Listing;
use airlock::http::route::Route;
use airlock::server::router::ROUTES;
use futures_util::StreamExt;
use futures_util::stream;
use serde_json::Value;
use serde_json::json;

use crate::support::http::Call;
use crate::support::http::Reply;
use crate::support::publish::Publish;
use crate::support::scenario::Scenario;
use world::APPROVED;
use world::Hidden;
use world::OPEN;
use world::PACKAGES;
use world::UNSEEN;
use world::UNTOUCHED;
use world::World;
use world::gunzipped;

const METHODS: [&str; 9] = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND"];
/// Of a route's paths, those that are tried with every method and manner; the odd spellings come after them.
const PLAIN_PATHS: usize = 2;
/// The releases for which every odd spelling is tried: one too young, one revoked, one unseen.
const SPELLED_OUT: [&str; 3] = ["1.1.0", "1.6.0", UNSEEN];
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// Where who decides about a release gets its bytes before; tried in `submission/stage.rs`.
const FOR_REVIEW: &str = "/-/stage/{id}/tarball";
const FULL: &str = "application/json";
const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

fn routes() -> impl Iterator<Item = &'static Route> {
    ROUTES.into_iter().flatten()
}

/// Headers by which a client asks for a part, for what it has, for another form, or to be taken for another.
fn manners(old_tags: &[String]) -> Vec<Vec<(&'static str, String)>> {
    let one = |name, value: &str| vec![(name, value.to_owned())];
    let mut manners = vec![
        one("range", "bytes=0-99"),
        one("range", "bytes=-200"),
        vec![("range", "bytes=10-".to_owned()), ("if-range", old_tags.join(", "))],
        one("if-none-match", &old_tags.join(", ")),
        one("if-none-match", "*"),
        one("if-match", "*"),
        one("if-modified-since", "Fri, 20 Nov 2099 12:00:00 GMT"),
        one("accept-encoding", "gzip, br, zstd"),
        one("accept", ABBREVIATED),
        one("accept", "text/html"),
        one("accept", "application/octet-stream, */*;q=0.1"),
        vec![("x-http-method-override", "GET".to_owned()), ("x-original-url", "/-/airlock/v1/releases".to_owned())],
        vec![("x-forwarded-host", "evil.example".to_owned()), ("x-forwarded-prefix", "/x".to_owned())],
        one("npm-command", "publish"),
    ];
    manners.push(vec![("accept", ABBREVIATED.to_owned()), ("accept-encoding", "gzip".to_owned())]);
    manners
}

/// Asks and looks the answer through.
async fn try_out(world: &World, call: Call, what: String) -> (String, Reply) {
    let reply = call.send().await;
    if let Some(leak) = world.leak(&reply) {
        panic!("{what} was answered {} with {leak}", reply.status);
    }
    (what, reply)
}

/// Method and template.
type Tried = (&'static str, &'static str);

impl World {
    /// Every route with every method, path and manner, as those who may not decide anything.
    fn attempts(&self) -> (Vec<(Call, String)>, BTreeSet<Tried>) {
        let mut attempts = Vec::new();
        let mut tried = BTreeSet::new();
        let manners = manners(&self.old_tags);
        for hidden in &self.hidden {
            for route in routes() {
                let scoped_only = route.template.contains("{scope}");
                if scoped_only && !hidden.package.starts_with('@') {
                    continue;
                }
                let Some(paths) = paths::of_route(route.template, hidden) else { continue };
                tried.insert((route.method, route.template));
                for (at, path) in paths.iter().enumerate() {
                    let is_plain = at < PLAIN_PATHS;
                    if !is_plain && !SPELLED_OUT.contains(&hidden.version.as_str()) {
                        continue;
                    }
                    let what = |who: &str, more: &str| {
                        format!("{} {path} {more} as {who} for {}@{}", route.method, hidden.package, hidden.version)
                    };
                    let call = |method: &str| self.airlock.call(method, path);
                    attempts.push((self.with_body(call(route.method), route.method), what("anyone", "")));
                    if !is_plain {
                        continue;
                    }
                    attempts.push((self.with_body(call(route.method).bearer(&self.reader), route.method), what("a reader", "")));
                    if route.method == "GET" {
                        for method in METHODS.into_iter().filter(|method| *method != "GET" && *method != "HEAD") {
                            attempts.push((self.with_body(call(method), method), what("anyone", method)));
                        }
                        for manner in &manners {
                            let asked = manner.iter().fold(call("GET"), |call, (name, value)| call.header(name, value));
                            attempts.push((asked, what("anyone", &format!("{manner:?}"))));
                        }
                        // They see more, and not that either; but for the one route by which a reviewer looks inside.
                        if route.template != FOR_REVIEW {
                            attempts.push((call("GET").bearer(&self.approver), what("an approver", "")));
                            attempts.push((call("GET").bearer(&self.airlock.admin_token()), what("the admin", "")));
                        }
                    }
                }
            }
        }
        // The same question is asked once, whichever route it came from.
        let mut seen = BTreeSet::new();
        attempts.retain(|(call, _)| seen.insert(format!("{call:?}")));
        (attempts, tried)
    }

    fn with_body(&self, call: Call, method: &str) -> Call {
        let order = json!({"decision": "approve", "reason": "let me in", "name": "me", "role": "admin"});
        if matches!(method, "POST" | "PUT" | "PATCH") { call.json(&order) } else { call }
    }

    async fn walk(&self) {
        let (attempts, tried) = self.attempts();
        let all: BTreeSet<(&str, &str)> = routes().map(|route| (route.method, route.template)).collect();
        let missed: Vec<_> = all.difference(&tried).collect();
        assert!(missed.is_empty(), "routes that nothing here tries; add their paths to tests/it/gate/paths.rs: {missed:?}");
        let count = attempts.len();
        let answers: Vec<(String, Reply)> =
            stream::iter(attempts).map(|(call, what)| try_out(self, call, what)).buffer_unordered(AT_ONCE).collect().await;
        assert_eq!(answers.len(), count);
        let mut good = 0;
        for (what, reply) in &answers {
            assert!(reply.status != 500, "{what}: {}", reply.text());
            if reply.status == 200 {
                good += 1;
                self.lists_only_what_is_open(what, reply);
            }
        }
        assert!(good > 100, "only {good} of {count} were answered at all");
        self.each_tarball_is_refused_in_words().await;
        self.the_open_one_is_served().await;
    }

    /// A document with versions names none that is withheld, nor its time, nor a tag that points there.
    fn lists_only_what_is_open(&self, what: &str, reply: &Reply) {
        let body = gunzipped(&reply.body).unwrap_or_else(|| reply.body.to_vec());
        let Ok(document) = serde_json::from_slice::<Value>(&body) else { return };
        let hidden = |text: &str| self.hidden.iter().any(|hidden| hidden.version == text);
        for field in ["versions", "time"] {
            let shown = document[field].as_object().into_iter().flat_map(|object| object.keys());
            let leaked: Vec<&String> = shown.filter(|version| hidden(version)).collect();
            assert!(leaked.is_empty(), "{what}: {field} has {leaked:?}");
        }
        let of_tags = |tags: &Value| tags.as_object().into_iter().flat_map(|tags| tags.values()).any(|to| to.as_str().is_some_and(&hidden));
        assert!(!of_tags(&document["dist-tags"]), "{what}: {}", document["dist-tags"]);
        if what.contains("/dist-tags") {
            assert!(!of_tags(&document), "{what}: {document}");
        }
        if document["dist"].is_object() {
            assert!(!document["version"].as_str().is_some_and(hidden), "{what}: {document}");
        }
    }

    /// Neither served, nor confirmed to a client that has an old copy, nor answered with silence.
    async fn each_tarball_is_refused_in_words(&self) {
        for hidden in &self.hidden {
            let name = format!("{}@{}", hidden.package, hidden.version);
            for path in paths::honest_tarballs(hidden) {
                for method in ["GET", "HEAD"] {
                    for tags in [String::new(), self.old_tags.join(", "), "*".to_owned()] {
                        let reply = self.airlock.call(method, &path).header("if-none-match", &tags).send().await;
                        let refused = reply.status == 403 || (hidden.version == UNSEEN && reply.status == 404);
                        assert!(refused, "{method} {path} with {tags:?}: {} {}", reply.status, reply.text());
                        if method == "GET" && reply.status == 403 {
                            let error = reply.json()["error"].as_str().unwrap().to_owned();
                            assert!(error.starts_with(&format!("{name} ")) && error.contains("/-/airlock/r/"), "{error}");
                        }
                    }
                }
            }
        }
    }

    async fn the_open_one_is_served(&self) {
        for name in PACKAGES {
            let reply = self.airlock.tarball(name, APPROVED).await;
            assert_eq!((reply.status, &reply.body), (200, &self.airlock.upstream.tarball(name, APPROVED)));
            assert!(String::from_utf8_lossy(&gunzipped(&reply.body).unwrap()).contains(OPEN));
            let tag = reply.header("etag").unwrap().to_owned();
            let unscoped = name.rsplit('/').next().unwrap();
            let path = format!("/{name}/-/{unscoped}-{APPROVED}.tgz");
            let again = self.airlock.call("GET", &path).header("if-none-match", &tag).send().await;
            assert_eq!((again.status, again.body.len()), (304, 0));
            let head = self.airlock.call("HEAD", &path).send().await;
            assert_eq!((head.status, head.body.len()), (200, 0));
            assert_eq!(head.header("content-length").unwrap(), reply.body.len().to_string());
            for accept in [FULL, ABBREVIATED] {
                let path = format!("/{}", name.replace('/', "%2f"));
                let packument = self.airlock.call("GET", &path).header("accept", accept).send().await;
                assert!(packument.json()["versions"][APPROVED].is_object(), "{}", packument.text());
                let again = self.airlock.call("GET", &path).header("accept", accept);
                let again = again.header("if-none-match", &self.old_tags.join(", ")).send().await;
                assert_eq!(again.status, 200, "what a client keeps from before the revocation is out of date");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_byte_of_a_withheld_release_leaves() {
    let mut world = World::new(|_| {}).await;
    world.walk().await;
    world.hidden.retain(|hidden| SPELLED_OUT.contains(&hidden.version.as_str()));
    // Upstream is asked again, and what it claims of the unseen release does not count.
    world.airlock.advance("10m");
    world.walk().await;
    for name in PACKAGES {
        assert_eq!(world.airlock.release(name, UNSEEN).await["standing"], "held");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_only_what_passed_is_listed_the_rest_has_no_manifest() {
    let world = World::new(|config| config.policy.listing = Listing::Approved).await;
    world.walk().await;
    for name in PACKAGES {
        // The newest open release was inspected when the package was asked for; nothing else was.
        assert_eq!(world.airlock.listed(name).await, [APPROVED, UNTOUCHED], "{name}");
    }
}

#[tokio::test]
async fn nothing_of_a_held_submission_leaves() {
    const NAME: &str = "@acme/web";
    const PART: usize = 32;
    let airlock = Scenario::new().gated().await;
    let (publisher, reader) = (airlock.user("ann", "publisher").await, airlock.user("joe", "reader").await);
    let publish = Publish::new(NAME, "1.0.0").field("description", json!("markI1")).file("index.js", "markF1, and words of its own\n");
    let reply = publish.call(&airlock, &publisher).send().await;
    assert_eq!(reply.status, 202, "{}", reply.text());
    let tarball = publish.packed().bytes;
    let parts: BTreeSet<&[u8]> = tarball.windows(PART).collect();
    let leaks = |reply: &Reply| {
        let body = gunzipped(&reply.body).unwrap_or_else(|| reply.body.to_vec());
        let words = format!("{:?} {}", reply.headers, String::from_utf8_lossy(&body));
        words.contains("markI") || words.contains("markF") || reply.body.windows(PART).any(|part| parts.contains(part))
    };
    let hidden = Hidden::of(NAME, "1.0.0");
    let (mut tried, mut answered) = (0, 0);
    for route in routes() {
        for path in paths::of_route(route.template, &hidden).unwrap_or_default() {
            for token in [None, Some(&reader)] {
                let call = airlock.call(route.method, &path);
                let call = token.iter().fold(call, |call, token| call.bearer(token));
                let reply = call.send().await;
                assert!(!leaks(&reply), "{} {path} was answered {} with it", route.method, reply.status);
                tried += 1;
                answered += usize::from(reply.status == 200);
            }
        }
    }
    assert!(tried > 300 && answered > 20, "{answered} of {tried} were answered");
    let seen = airlock.call("GET", &paths::of_route(FOR_REVIEW, &hidden).unwrap()[0]).bearer(&publisher).send().await;
    assert!(seen.status == 200 && leaks(&seen), "who submitted it has it, and the search finds it: {}", seen.text());
}

#[tokio::test]
async fn the_search_for_leaks_finds_them() {
    let world = World::new(|_| {}).await;
    let hidden: &Hidden = &world.hidden[0];
    let name = &hidden.package;
    for version in [hidden.version.as_str(), "1.6.0"] {
        let honest = world.airlock.upstream.tarball(name, version);
        let part = honest.slice(honest.len() / 2..honest.len() / 2 + 40);
        for body in [honest, part] {
            let reply = Reply { status: 200, reason: String::new(), headers: Vec::new(), body, complete: true };
            assert!(world.leak(&reply).is_some());
        }
    }
    let upstream = Call::get(world.airlock.upstream.address(), &format!("/{name}")).send().await;
    assert!(world.leak(&upstream).is_some());
}
