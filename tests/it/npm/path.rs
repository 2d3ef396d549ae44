//! Paths: what is a name and what is none, read once and never mended.

use serde_json::json;

use crate::support::scenario::Scenario;

#[tokio::test]
async fn a_name_that_is_no_name_is_400_in_json_and_upstream_never_hears_of_it() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await;
    for path in [
        "/..%2fetc%2fpasswd",
        "/%2e%2e%2fetc",
        "/.bin",
        "/_x",
        "/@acme",
        "/@acme/..",
        "/@acme%2f..%2fleft-pad",
        "/@acme/.hidden",
        "/@acme//web",
        "/@/web",
        "/left%20pad",
        "/left-pad%00",
        "/left-pad%0d%0aevil:1",
        "/left-pad%5c..",
        "/a%2fb",
        "/x%",
        "/x%zz",
        "/%c0%af",
        "/%ff",
        "/left-pad%3fx=1",
        "/left-pad%23x",
        // Decoded once, not twice.
        "/@acme%252fweb",
        "/%252e%252e",
        "/left%252dpad",
        // Not mended.
        "//left-pad",
        "//left-pad/-/left-pad-1.0.0.tgz",
        "//evil.example/left-pad",
        "/-/package/..%2fx/dist-tags",
    ] {
        for method in ["GET", "HEAD"] {
            let reply = airlock.call(method, path).send().await;
            assert_eq!((reply.status, reply.header("location")), (400, None), "{method} {path}");
            assert_eq!(reply.header("content-type"), Some("application/json"), "{path}");
            if method == "GET" {
                let said = reply.json();
                assert!(!said["error"].as_str().unwrap().is_empty(), "{path}");
                assert_eq!((&said["error"], &said["error"]), (&said["message"], &said["reason"]));
                assert!(!reply.reason.is_empty() && reply.reason.is_ascii(), "{path}: {}", reply.reason);
            }
        }
    }
    let long = airlock.get(&format!("/{}", "a".repeat(215))).await;
    assert_eq!((long.status, long.reason.as_str()), (400, "the name is longer than 214 bytes"));
    assert_eq!(airlock.get(&format!("/{}", "a".repeat(3_000))).await.status, 400);
    assert_eq!(airlock.upstream.log().len(), 0, "{:?}", airlock.upstream.log());
}

#[tokio::test]
async fn odd_names_are_names() {
    const ODD: [&str; 9] = ["JSONStream", "jsonstream", "con", "nul", "-", "--", "-x", "a.b~c", "constructor"];
    let scenario = ODD.iter().fold(Scenario::new(), |scenario, name| scenario.package(name, |p| _ = p.release("1.0.0")));
    let airlock = scenario.gated().await;
    for name in ODD {
        let reply = airlock.get(&format!("/{name}")).await;
        assert_eq!((reply.status, &reply.json()["name"]), (200, &json!(name)));
        if name != "-" {
            let tarball = airlock.tarball(name, "1.0.0").await;
            assert_eq!((tarball.status, tarball.body), (200, airlock.upstream.tarball(name, "1.0.0")), "{name}");
        }
    }
}

#[tokio::test]
async fn the_registrys_own_space_is_never_a_package() {
    let airlock = Scenario::new().package("-", |p| _ = p.release("1.0.0")).gated().await;
    for path in [
        "/-/",
        "/-/x",
        "/-/1.0.0",
        "/-/latest",
        "/-/-/--1.0.0.tgz",
        "/%2d/x",
        "/-/package",
        "/-/package/x",
        "/-/stage/package",
        "/-/all",
        "/-/org/acme/package",
        "/-/npm/v1/hooks",
    ] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.header("content-type")), (404, Some("application/json")), "{path}");
        assert!(reply.json()["error"].as_str().unwrap().starts_with("Airlock "), "{path}: {}", reply.text());
        assert_eq!(reply.header("location"), None);
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}

#[tokio::test]
async fn slashes_are_not_mended_and_nothing_is_redirected() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await;
    for path in [
        "/left-pad/",
        "/left-pad//",
        "/left-pad//-/left-pad-1.0.0.tgz",
        "/left-pad/-",
        "/left-pad/-/",
        "/left-pad/-//left-pad-1.0.0.tgz",
        "/left-pad/-/../left-pad",
        "/left-pad/-/..%2fleft-pad",
        "/left-pad/-/x%2fleft-pad-1.0.0.tgz",
        "/left-pad/-/left-pad-1.0.0.tgz/",
        "/left-pad/-/left-pad-1.0.0.tgz/-rev/",
        "/left-pad/-/left-pad-1.0.0.tgz/-rev/1/2",
        "/left-pad/1.0.0/",
        "/left-pad/./1.0.0",
        "/left-pad/..",
    ] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.header("location")), (404, None), "{path}: {}", reply.text());
        assert!(reply.json()["error"].is_string());
    }
    // Encoded twice, it is a file of that odd name, which nothing has.
    let twice = airlock.get("/left-pad/-/left-pad-1%252E0%252E0.tgz").await;
    assert_eq!((twice.status, &twice.json()["error"]), (404, &json!("left-pad has no file \"left-pad-1%2E0%2E0.tgz\"")));
}

#[tokio::test]
async fn ping_is_answered_without_upstream() {
    let airlock = Scenario::new().gated().await;
    airlock.upstream.die().await;
    for path in ["/-/ping", "/-/ping?write=true"] {
        let reply = airlock.get(path).await;
        assert_eq!((reply.status, reply.text().as_str(), reply.header("cache-control")), (200, "{}", Some("no-store")));
        let head = airlock.call("HEAD", path).send().await;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("2")));
    }
}

#[tokio::test]
async fn whoami_names_the_tokens_owner_and_is_kept_by_nobody() {
    let airlock = Scenario::new().gated().await;
    let known = airlock.as_admin("GET", "/-/whoami").send().await;
    assert_eq!((known.status, known.header("cache-control"), known.header("etag")), (200, Some("no-store"), None));
    assert!(known.json()["username"].is_string());
    for nobody in [airlock.call("GET", "/-/whoami"), airlock.call("GET", "/-/whoami").bearer("airlock_wrong")] {
        assert_eq!(nobody.send().await.status, 401);
    }
}

#[tokio::test]
async fn other_methods_are_refused_with_those_that_are_not() {
    let airlock = Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).gated().await;
    for (method, path, allow) in [
        ("POST", "/left-pad", "GET, HEAD, PUT"),
        ("DELETE", "/left-pad/-/left-pad-1.0.0.tgz", "GET, HEAD"),
        ("GET", "/left-pad/-/left-pad-1.0.0.tgz/-rev/1", "DELETE"),
        ("GET", "/left-pad/-rev/1", "PUT, DELETE"),
        ("POST", "/left-pad/1.0.0", "GET, HEAD"),
        ("PATCH", "/-/ping", "GET, HEAD"),
        ("PUT", "/-/package/left-pad/dist-tags", "GET, HEAD"),
        ("GET", "/-/package/left-pad/dist-tags/latest", "PUT, POST, DELETE"),
        ("GET", "/-/npm/v1/security/audits/quick", "POST"),
    ] {
        let reply = airlock.call(method, path).body(b"{}").send().await;
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        assert!(reply.json()["error"].is_string());
    }
    assert_eq!(airlock.upstream.log().len(), 0);
}
