//! Signing in with a browser: a program asks, a person fills in the page, the program gets its token.

use airlock::config::access::Registration;
use serde_json::json;

use super::PASSWORD;
use super::airlock;
use super::edit;
use super::make_user;
use super::whoami;
use crate::support::airlock::Airlock;
use crate::support::http::Reply;
use crate::support::scenario::Scenario;

/// The paths of page and waiting, as `POST /-/v1/login` answers them.
async fn begin(airlock: &Airlock) -> (String, String) {
    let reply = airlock.call("POST", "/-/v1/login").header("user-agent", "npm/11.0.0 node/v24").json(&json!({})).send().await;
    assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{}", reply.text());
    let said = reply.json();
    let base = format!("http://{}", airlock.address());
    let path = |url: &str| said[url].as_str().unwrap().strip_prefix(&base).unwrap().to_owned();
    (path("loginUrl"), path("doneUrl"))
}

fn nonce(page: &str) -> String {
    let (_, rest) = page.split_once("name=\"nonce\" value=\"").unwrap();
    rest.split('"').next().unwrap().to_owned()
}

fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

async fn fill_in(airlock: &Airlock, page: &str, name: &str, password: &str) -> Reply {
    let shown = airlock.get(page).await;
    assert_eq!(shown.status, 200, "{}", shown.text());
    let form = format!("nonce={}&name={}&password={}", nonce(&shown.text()), encoded(name), encoded(password));
    // As browsers do.
    let call = airlock.call("POST", page).header("content-type", "application/x-www-form-urlencoded");
    let call = call.header("origin", &format!("http://{}", airlock.address())).header("sec-fetch-site", "same-origin");
    call.body(form.as_bytes()).send().await
}

#[tokio::test]
async fn a_token_is_given_once() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let (page, done) = begin(&airlock).await;
    let waiting = airlock.get(&done).await;
    assert_eq!((waiting.status, waiting.text().as_str(), waiting.header("retry-after")), (202, "{}", Some("1")));
    let signed_in = fill_in(&airlock, &page, "maria", PASSWORD).await;
    assert_eq!(signed_in.status, 200, "{}", signed_in.text());
    assert!(signed_in.text().contains("maria") && !signed_in.text().contains("airlock_"), "the page holds no token");
    assert_eq!(airlock.get(&page).await.status, 404, "nobody else may end it");
    let given = airlock.get(&done).await;
    assert_eq!((given.status, given.header("cache-control")), (200, Some("no-store")));
    let token = given.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(whoami(&airlock, &token).await.json()["username"], "maria");
    assert_eq!(airlock.get(&done).await.status, 404);
}

#[tokio::test]
async fn the_page_says_who_asks_and_only_its_own_form_counts() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let (page, done) = begin(&airlock).await;
    let shown = airlock.get(&page).await;
    assert!(shown.text().contains("npm/11.0.0 node/v24") && shown.text().contains("127.0.0.1"), "{}", shown.text());
    let policy = shown.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(shown.header("referrer-policy"), Some("same-origin"), "else browsers send the form with Origin: null");
    let form = format!("nonce=0&name=maria&password={}", encoded(PASSWORD));
    assert_eq!(airlock.call("POST", &page).body(form.as_bytes()).send().await.status, 403);
    let form = format!("nonce={}&name=maria&password={}", nonce(&shown.text()), encoded(PASSWORD));
    let foreign = airlock.call("POST", &page).header("origin", "https://evil.example").body(form.as_bytes()).send().await;
    assert_eq!(foreign.status, 403);
    let wrong = fill_in(&airlock, &page, "maria", "wrong").await;
    assert_eq!((wrong.status, wrong.header("www-authenticate")), (403, None), "a browser must not ask by itself");
    assert!(wrong.text().contains("the name or the password is wrong") && wrong.text().contains("name=\"nonce\""));
    assert_eq!(airlock.get(&done).await.status, 202);
    // The code of the page is not what the program waits with, nor the other way round.
    assert_eq!(airlock.get(&page.replace("/-/airlock/sign-in/", "/-/v1/done/")).await.status, 404);
    assert_eq!(airlock.get(&done.replace("/-/v1/done/", "/-/airlock/sign-in/")).await.status, 404);
}

#[tokio::test]
async fn a_sign_in_is_over_after_ten_minutes_and_few_are_open_at_a_time() {
    let airlock = airlock().await;
    make_user(&airlock, "maria", "publisher").await;
    let (page, done) = begin(&airlock).await;
    for _ in 1..10 {
        begin(&airlock).await;
    }
    let refused = airlock.call("POST", "/-/v1/login").json(&json!({})).send().await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("600")), "{}", refused.text());
    airlock.advance("10m");
    assert_eq!((airlock.get(&page).await.status, airlock.get(&done).await.status), (404, 404));
    let (page, done) = begin(&airlock).await;
    assert_eq!(fill_in(&airlock, &page, "maria", PASSWORD).await.status, 200);
    // Who is disabled between page and program gets none.
    assert_eq!(edit(&airlock, "maria", &json!({"disabled": true})).await.status, 200);
    assert_eq!(airlock.get(&done).await.status, 401);
}

#[tokio::test]
async fn a_new_name_registers_on_the_page_where_that_is_open() {
    let airlock = Scenario::new().gated_by(|config| config.access.registration = Registration::Open).await;
    let (page, done) = begin(&airlock).await;
    assert!(airlock.get(&page).await.text().contains("becomes yours"));
    assert_eq!(fill_in(&airlock, &page, "otto", PASSWORD).await.status, 200);
    let token = airlock.get(&done).await.json()["token"].as_str().unwrap().to_owned();
    assert_eq!(whoami(&airlock, &token).await.json()["username"], "otto");
}
