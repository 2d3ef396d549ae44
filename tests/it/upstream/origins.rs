//! Where a request may go: a document's word and a redirect's are only hints, and lead to no private address.

use crate::support::airlock::Airlock;
use crate::support::http::Call;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;
use crate::support::upstream::Upstream;

const FILE: &str = "/x/-/x-1.0.0.tgz";

fn x() -> Scenario {
    Scenario::new().package("x", |p| _ = p.release("1.0.0"))
}

/// The tarball is had although its document says `location`; upstream is asked for `asked` and nothing else of the kind.
async fn check(location: &str, asked: &str) {
    let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0").tarball_url(location)).gated().await;
    let bytes = airlock.upstream.tarball("x", "1.0.0");
    airlock.upstream.document(asked, bytes.clone());
    let reply = airlock.tarball("x", "1.0.0").await;
    assert_eq!((reply.status, &reply.body), (200, &bytes), "{location}: {}", reply.reason);
    let paths: Vec<String> = airlock.upstream.log().into_iter().map(|one| one.path).collect();
    assert_eq!(paths, ["/x", asked, "/-/npm/v1/keys"], "{location}");
}

#[tokio::test]
async fn a_foreign_host_is_asked_nothing_its_path_is_taken_under_the_upstreams_base() {
    check("https://registry.example/x/-/x-1.0.0.tgz", FILE).await;
    check("https://cdn.example:8443/mirror/npm/x/-/x-1.0.0.tgz?sig=1", FILE).await;
    check("https://cdn.example/blobs/0a/1b.tgz", "/blobs/0a/1b.tgz").await;
    check("https://169.254.169.254/x/-/x-1.0.0.tgz", FILE).await;
    check("http://127.0.0.1:1/x/-/x-1.0.0.tgz", FILE).await;
    check("http://user:password@registry.example/x/-/x-1.0.0.tgz", FILE).await;
    check("//cdn.example/x/-/x-1.0.0.tgz", FILE).await;
    for no_address in
        ["file:///etc/passwd", "git+ssh://git@registry.example/x.git", "ftp://registry.example/x.tgz", "x", "javascript:alert(1)"]
    {
        let airlock = Scenario::new().package("x", |p| _ = p.release("1.0.0").tarball_url(no_address)).gated().await;
        let reply = airlock.tarball("x", "1.0.0").await;
        let bytes = airlock.upstream.tarball("x", "1.0.0");
        // `x` is a path of the upstream's own, and what lies there is no tarball.
        assert!(
            if no_address == "x" { reply.status == 403 } else { reply.status == 200 && reply.body == bytes },
            "{no_address}: {}",
            reply.text()
        );
        let asked: Vec<String> = airlock.upstream.log().into_iter().map(|one| one.path).collect();
        assert!(asked.iter().all(|path| path.starts_with("/x") || path == "/-/npm/v1/keys"), "{no_address}: {asked:?}");
    }
}

#[tokio::test]
async fn the_upstreams_own_origin_is_asked_as_its_document_says() {
    let upstream = x().shape(|shape| shape.prefix = "/repository/npm/".to_owned()).start().await;
    let own = format!("http://{}/repository/npm/files/odd%20name.tgz?v=1", upstream.address());
    upstream.package("x", |p| _ = p.release("1.0.0").tarball_url(&own));
    upstream.document("/files/odd name.tgz", upstream.tarball("x", "1.0.0"));
    let airlock = Airlock::before(upstream, |_| {}).await;
    assert_eq!(airlock.tarball("x", "1.0.0").await.body, airlock.upstream.tarball("x", "1.0.0"));
    let raw: Vec<String> = airlock.upstream.log().into_iter().map(|one| one.raw).collect();
    assert_eq!(raw, ["/repository/npm/x", "/repository/npm/files/odd%20name.tgz?v=1", "/repository/npm/-/npm/v1/keys"]);
}

#[tokio::test]
async fn a_foreign_path_lies_under_the_upstreams_prefix() {
    let airlock = Scenario::new()
        .package("@acme/web", |p| _ = p.release("1.0.0").tarball_url("https://registry.example/@acme/web/-/web-1.0.0.tgz"))
        .shape(|shape| shape.prefix = "/repository/npm/".to_owned())
        .gated()
        .await;
    assert_eq!(airlock.tarball("@acme/web", "1.0.0").await.status, 200);
    assert_eq!(airlock.upstream.log()[1].raw, "/repository/npm/@acme/web/-/web-1.0.0.tgz");
}

async fn two() -> (Upstream, Upstream) {
    (x().start().await, x().start().await)
}

#[tokio::test]
async fn another_host_is_asked_only_when_it_is_listed() {
    for listed in [false, true] {
        let (upstream, files) = two().await;
        upstream.package("x", |p| _ = p.release("1.0.0").tarball_url(&format!("{}x/-/x-1.0.0.tgz", files.url())));
        let origin = files.url();
        let airlock = Airlock::before(upstream, |config| {
            if listed {
                config.upstream.tarball_origins.push(origin);
            }
        })
        .await;
        assert_eq!(airlock.tarball("x", "1.0.0").await.body, airlock.upstream.tarball("x", "1.0.0"));
        assert_eq!((files.count(FILE), airlock.upstream.count(FILE)), if listed { (1, 0) } else { (0, 1) });
    }
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    let (upstream, inner) = two().await;
    let port = inner.address().port();
    let airlock = Airlock::before(upstream, |_| {}).await;
    for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "0.0.0.0"] {
        airlock.upstream.fault(FILE, Fault::redirect(&format!("http://{host}:{port}/x/-/x-1.0.0.tgz")).times(1));
        let reply = airlock.tarball("x", "1.0.0").await;
        assert_eq!(reply.status, 502, "{host}: {}", reply.text());
    }
    for address in
        ["http://169.254.169.254/latest/meta-data", "http://10.0.0.1/", "http://192.168.1.1/", "http://[fd00::1]/", "http://100.64.0.1/"]
    {
        airlock.upstream.fault(FILE, Fault::redirect(address).times(1));
        assert_eq!(airlock.tarball("x", "1.0.0").await.status, 502, "{address}");
    }
    assert_eq!(inner.log().len(), 0);
    assert_eq!(airlock.tarball("x", "1.0.0").await.status, 200, "and the release is none the worse for it");
}

#[tokio::test]
async fn an_index_never_comes_from_another_origin() {
    let (upstream, other) = two().await;
    let airlock = Airlock::before(upstream, |_| {}).await;
    for to in [format!("{}x", other.url()), "https://registry.example/x".to_owned(), "file:///etc/passwd".to_owned()] {
        airlock.upstream.fault("/x", Fault::redirect(&to).times(1));
        let reply = airlock.get("/x").await;
        assert_eq!(reply.status, 502, "{to}: {}", reply.text());
    }
    assert_eq!(other.log().len(), 0);
    let document = Call::get(airlock.upstream.address(), "/x").send().await.body;
    airlock.upstream.document("/moved", document);
    airlock.upstream.fault("/x", Fault::redirect("/moved").times(1));
    assert_eq!(airlock.listed("x").await, ["1.0.0"], "within the origin it is followed");
}

#[tokio::test]
async fn redirects_end() {
    let airlock = x().gated().await;
    airlock.upstream.fault(FILE, Fault::redirect(FILE));
    let reply = airlock.tarball("x", "1.0.0").await;
    assert_eq!(reply.status, 502, "{}", reply.text());
    assert!(airlock.upstream.count(FILE) <= 4, "{}", airlock.upstream.count(FILE));
    airlock.upstream.fault("/y", Fault::redirect("/y"));
    assert_eq!(airlock.get("/y").await.status, 502);
    assert!(airlock.upstream.count("/y") <= 4);
}
