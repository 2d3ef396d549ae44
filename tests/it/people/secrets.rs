//! After a whole scenario no secret is anywhere that it should not be: no log line, no ledger byte, no answer, nothing that
//! upstream was sent but its own token.

use serde_json::json;

use crate::support::binary::Launch;
use crate::support::binary::files_below;
use crate::support::http::Call;
use crate::support::scenario::Scenario;

const PASSWORD: &str = "a password of a canary";
const UPSTREAM_TOKEN: &str = "upstreams-own-secret-token";

#[tokio::test]
async fn no_secret_is_where_it_should_not_be() {
    let upstream = Scenario::live()
        .package("left-pad", |p| {
            p.release("1.0.0");
            p.release("1.1.0").age("1h");
        })
        .start()
        .await;
    let launch = Launch::at(&upstream).environment("UPSTREAM_TOKEN", UPSTREAM_TOKEN).environment("AIRLOCK_LOG", "trace");
    let server = launch.config("[upstream]\ntoken_env = \"UPSTREAM_TOKEN\"\n").start().await;
    let admin = server.admin_token();
    let mut answers = Vec::new();
    let made = Call::new(server.address(), "POST", "/-/airlock/v1/tokens").bearer(&admin).json(&json!({"name": "ci", "role": "reader"}));
    let reader = made.send().await.json()["token"].as_str().unwrap().to_owned();
    let calls = [
        ("GET", "/left-pad"),
        ("GET", "/left-pad/-/left-pad-1.0.0.tgz"),
        ("GET", "/left-pad/-/left-pad-1.1.0.tgz"),
        ("GET", "/-/whoami"),
        ("GET", "/nothing"),
        ("PUT", "/left-pad"),
        ("GET", "/..%2f"),
        ("GET", "/-/airlock/v1/tokens"),
        ("GET", "/-/airlock/v1/audit?limit=500"),
        ("GET", "/-/airlock/v1/releases/left-pad/1.0.0"),
        ("GET", "/-/airlock/metrics"),
        ("GET", "/-/airlock/"),
        ("DELETE", "/-/airlock/v1/tokens/0123456789ab"),
    ];
    for token in [&admin, &reader] {
        for (method, path) in calls {
            answers.push(Call::new(server.address(), method, path).bearer(token).send().await);
            let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("me:{token}").as_bytes()));
            answers.push(Call::new(server.address(), method, path).header("authorization", &basic).send().await);
        }
        let wrong = format!("{token}x");
        answers.push(Call::get(server.address(), "/left-pad").bearer(&wrong).send().await);
    }
    let call = |method: &str, path: &str| Call::new(server.address(), method, path);
    let user = json!({"name": "maria", "role": "publisher", "password": PASSWORD});
    answers.push(call("POST", "/-/airlock/v1/users").bearer(&admin).json(&user).send().await);
    let document = json!({"name": "maria", "password": PASSWORD});
    let session = call("PUT", "/-/user/org.couchdb.user:maria").json(&document).send().await.json()["token"].as_str().unwrap().to_owned();
    let basic = format!("Basic {}", data_encoding::BASE64.encode(format!("maria:{PASSWORD}").as_bytes()));
    answers.push(call("GET", "/-/npm/v1/user").header("authorization", &basic).send().await);
    answers.push(call("GET", "/-/npm/v1/tokens").bearer(&session).send().await);
    answers.push(call("PUT", "/-/user/org.couchdb.user:maria").json(&json!({"name": "maria", "password": [PASSWORD]})).send().await);
    // The secrets of a sign-in that is open: in its own answer, and in no log.
    let begun = call("POST", "/-/v1/login").json(&json!({})).send().await.json();
    let last = |url: &str| begun[url].as_str().unwrap().rsplit('/').next().unwrap().to_owned();
    let (code, done) = (last("loginUrl"), last("doneUrl"));
    for path in [format!("/-/v1/done/{done}"), format!("/-/airlock/sign-in/{code}")] {
        call("GET", &path).send().await;
    }
    answers.push(call("GET", "/-/airlock/v1/audit?limit=500").bearer(&admin).send().await);
    let listed = server.run(&["token", "list"]).await;
    listed.assert_success();
    let data_dir = server.data_dir();
    let said = server.said();
    let (status, _launch) = server.stop().await;
    assert!(status.success());
    assert!(upstream.log().iter().any(|asked| asked.mentions(UPSTREAM_TOKEN)), "it is used where it belongs");

    // The last part of a token is what nobody may learn; its id is no secret.
    let secret = |token: &str| token.rsplit_once('_').map_or(token.to_owned(), |_| token[21..].to_owned());
    for (whose, token) in [
        ("admin", secret(&admin)),
        ("reader", secret(&reader)),
        ("session's", secret(&session)),
        ("user's", PASSWORD.to_owned()),
        ("page's", code),
        ("waiting program's", done),
        ("upstream", UPSTREAM_TOKEN.to_owned()),
    ] {
        assert!(token.len() >= 20);
        let basic = data_encoding::BASE64.encode(token.as_bytes());
        for text in [&token, &basic] {
            assert!(!said.contains(text.as_str()), "the log tells the {whose} secret");
            assert!(!listed.output.contains(text.as_str()));
            for answer in &answers {
                let head: String = answer.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
                assert!(!head.contains(text.as_str()) && !answer.text().contains(text.as_str()), "an answer tells the {whose} token");
            }
            for file in files_below(&data_dir).into_iter().filter(|file| !file.ends_with("admin-token")) {
                let bytes = std::fs::read(&file).unwrap();
                let found = bytes.windows(text.len()).any(|window| window == text.as_bytes());
                assert!(!found, "{} holds the {whose} token", file.display());
            }
        }
        if whose != "upstream" {
            upstream.assert_never_told(&token);
        }
    }
}
