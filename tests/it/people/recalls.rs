//! Recalls: who pulled it is told outside, signed and until it is heard; who got rid of it says so.

use std::net::SocketAddr;

use airlock::config::upstream::Secret;
use serde_json::Value;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::decide;
use super::token;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;
use crate::support::within;

const SECRET: &str = "a-secret-of-a-receiver";
const RECALL: &str = "/-/airlock/v1/recalls/left-pad/1.0.0";

fn scenario() -> Scenario {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0"))
}

/// An address outside that takes notices.
struct Receiver {
    listener: TcpListener,
}

/// What came, as it came.
struct Came {
    head: String,
    body: String,
}

impl Came {
    fn header(&self, name: &str) -> &str {
        let line = self.head.lines().find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
        line.map_or("", |(_, value)| value)
    }

    /// Whether it is signed with the secret, by what is written in the documentation.
    fn assert_is_signed(&self) {
        let signature = self.header("airlock-signature");
        let seconds = signature.strip_prefix("t=").unwrap().split_once(',').unwrap().0;
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, SECRET.as_bytes());
        let text = format!("{seconds}.{}", self.body);
        let expected = data_encoding::HEXLOWER.encode(ring::hmac::sign(&key, text.as_bytes()).as_ref());
        assert_eq!(signature, format!("t={seconds},v1={expected}"));
    }
}

impl Receiver {
    async fn new() -> Receiver {
        Receiver { listener: TcpListener::bind(("127.0.0.1", 0)).await.unwrap() }
    }

    fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// The next notice, answered with this status line and these headers.
    async fn takes(&self, answer: &str) -> Came {
        let take = async {
            let (mut stream, _) = self.listener.accept().await.unwrap();
            let mut bytes = Vec::new();
            loop {
                let mut piece = [0_u8; 4_096];
                let read = stream.read(&mut piece).await.unwrap();
                bytes.extend_from_slice(&piece[..read]);
                let text = String::from_utf8(bytes.clone()).unwrap();
                let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
                let came = Came { head: head.to_owned(), body: body.to_owned() };
                if came.header("content-length").parse::<usize>().unwrap() <= body.len() {
                    stream
                        .write_all(format!("HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").as_bytes())
                        .await
                        .unwrap();
                    return came;
                }
            }
        };
        within("a notice to come", take).await
    }
}

async fn telling(receiver: &Receiver, private: bool) -> Airlock {
    let url = format!("http://{}/secret-path?key=1", receiver.address()).parse().unwrap();
    scenario()
        .gated_by(|config| {
            config.notify.urls = vec![url];
            config.notify.secret = Some(Secret::new(SECRET.to_owned()));
            config.notify.private_addresses = private;
        })
        .await
}

async fn recall(airlock: &Airlock) -> Value {
    airlock.as_admin("GET", RECALL).send().await.json()
}

/// The notices, once the last attempt is written down.
async fn failed_with(airlock: &Airlock, error: &str) -> Value {
    let waiting = async {
        loop {
            let notices = recall(airlock).await["notices"].clone();
            if notices[0]["error"].as_str().is_some_and(|told| told.contains(error)) {
                return notices;
            }
            tokio::task::yield_now().await;
        }
    };
    within("an attempt to be written down", waiting).await
}

async fn acknowledge(airlock: &Airlock, token: &str, order: &Value) -> u16 {
    airlock.call("POST", &format!("{RECALL}/acknowledgements")).bearer(token).json(order).send().await.status
}

#[tokio::test]
async fn a_recall_is_told_outside_signed_and_again_until_it_is_heard() {
    let receiver = Receiver::new().await;
    let airlock = telling(&receiver, true).await;
    let (ci, maria) = (token(&airlock, "ci", "reader").await.0, token(&airlock, "maria", "approver").await.0);
    let pulled = airlock.call("GET", "/left-pad/-/left-pad-1.0.0.tgz").bearer(&ci).send().await;
    assert_eq!(pulled.status, 200);
    assert_eq!(decide(&airlock, &maria, "left-pad@1.0.0", "revoke").await.status, 200);
    // It goes nowhere else, and what fails is tried again.
    let first = receiver.takes("307 Elsewhere\r\nlocation: http://127.0.0.1:1/").await;
    first.assert_is_signed();
    let notices = failed_with(&airlock, "makes no sense").await;
    assert_eq!((&notices[0]["attempts"], &notices[0]["given_up"]), (&json!(1), &json!(false)), "{notices}");
    assert_eq!(notices[0]["to"], format!("http://{}", receiver.address()), "its path is nobody's business");
    airlock.advance("1m");
    let second = receiver.takes("503 Later").await;
    failed_with(&airlock, "503").await;
    airlock.advance("10m");
    let third = receiver.takes("204 Thanks").await;
    for came in [&second, &third] {
        came.assert_is_signed();
        assert_eq!(came.header("airlock-delivery"), first.header("airlock-delivery"));
        assert_eq!(came.body, first.body);
    }
    assert!(third.head.starts_with("POST /secret-path?key=1 HTTP/1.1"), "{}", third.head);
    assert_eq!(third.header("airlock-event"), "recalled");
    let notice: Value = serde_json::from_str(&third.body).unwrap();
    assert_eq!((&notice["package"], &notice["version"], &notice["by"]), (&json!("left-pad"), &json!("1.0.0"), &json!("maria")));
    assert_eq!((&notice["pulls"], &notice["pullers"][0]["by"]), (&json!(1), &json!("ci")), "{notice:#}");
    assert!(!third.head.to_lowercase().contains("authorization"));
    let done = async {
        while recall(&airlock).await["notices"] != json!([]) {
            tokio::task::yield_now().await;
        }
    };
    within("the notice to be done", done).await;
    let ledger = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(ledger.contains("that left-pad@1.0.0 is recalled") && !ledger.contains("secret-path"), "{ledger}");
}

#[tokio::test]
async fn a_private_address_is_not_told_unless_it_may_be_and_it_ends() {
    let receiver = Receiver::new().await;
    let airlock = telling(&receiver, false).await;
    assert_eq!(airlock.decide("left-pad", "1.0.0", "revoke", "malware").await.status, 200);
    let given_up = async {
        loop {
            let notices = recall(&airlock).await["notices"].clone();
            if notices[0]["given_up"] == true {
                return notices;
            }
            airlock.advance("1h");
            tokio::task::yield_now().await;
        }
    };
    let notices = within("the notice to be given up", given_up).await;
    // Where time flies a lease runs out under way, and counts as an attempt.
    assert!(notices[0]["attempts"].as_u64().unwrap() >= 10, "{notices}");
    assert!(notices[0]["error"].as_str().unwrap().contains("is not public"), "{notices}");
    let queue = airlock.as_admin("GET", "/-/airlock/v1/queue").send().await.json();
    assert_eq!(queue["parked"], json!([]), "nobody is to reopen the release for that");
    let nothing = tokio::select! {
        biased;
        connected = receiver.listener.accept() => connected.is_err(),
        () = std::future::ready(()) => true,
    };
    assert!(nothing, "somebody connected");
}

#[tokio::test]
async fn who_got_rid_of_it_says_so_and_who_has_not_is_known() {
    let airlock = scenario().gated().await;
    let mut tokens = Vec::new();
    for (name, role) in [("ann", "reader"), ("ci", "reader"), ("maria", "approver")] {
        tokens.push(token(&airlock, name, role).await.0);
    }
    let [ann, ci, maria] = [&tokens[0], &tokens[1], &tokens[2]];
    for who in [Some(ann), Some(ci), Some(ci), None] {
        let call = airlock.call("GET", "/left-pad/-/left-pad-1.0.0.tgz");
        let call = if let Some(token) = who { call.bearer(token) } else { call };
        assert_eq!(call.send().await.status, 200);
    }
    assert_eq!(acknowledge(&airlock, ann, &json!({})).await, 409, "it is not recalled");
    let before = recall(&airlock).await;
    assert_eq!((&before["total"], &before["missing"], &before["recalled"]), (&json!(4), &json!([]), &Value::Null));
    airlock.advance("1m");
    assert_eq!(decide(&airlock, maria, "left-pad@1.0.0", "revoke").await.status, 200);
    let missing = |recall: &Value| {
        let mut all: Vec<String> = Vec::new();
        for one in recall["missing"].as_array().unwrap() {
            all.push(one["by"].as_str().or(one["address"].as_str()).unwrap().to_owned());
        }
        all.sort();
        all
    };
    assert_eq!(missing(&recall(&airlock).await), ["127.0.0.1", "ann", "ci"]);
    assert_eq!(acknowledge(&airlock, ann, &json!({"note": "build 4711 thrown away"})).await, 200);
    assert_eq!(acknowledge(&airlock, ann, &json!({"note": "build 4711 thrown away"})).await, 200);
    assert_eq!(acknowledge(&airlock, ann, &json!({"of": "ci"})).await, 403);
    assert_eq!(acknowledge(&airlock, maria, &json!({"of": "ci", "note": "cache emptied"})).await, 200);
    assert_eq!(acknowledge(&airlock, maria, &json!({"of": ""})).await, 422);
    assert_eq!(acknowledge(&airlock, maria, &json!({"note": "x".repeat(1_001)})).await, 422);
    let airlock = airlock.restart().await;
    let now = recall(&airlock).await;
    assert_eq!(missing(&now), ["127.0.0.1"]);
    assert_eq!(now["recalled"]["by"], "maria");
    let said: Vec<(&Value, &Value)> = now["acknowledgements"].as_array().unwrap().iter().map(|one| (&one["by"], &one["of"])).collect();
    assert_eq!(said, [(&json!("ann"), &Value::Null), (&json!("maria"), &json!("ci"))]);
    assert_eq!(acknowledge(&airlock, maria, &json!({"of": "127.0.0.1"})).await, 200);
    assert_eq!(recall(&airlock).await["missing"], json!([]));

    // Recalled anew, everybody is asked anew.
    airlock.advance("1m");
    for decision in ["reopen", "revoke"] {
        assert_eq!(decide(&airlock, maria, "left-pad@1.0.0", decision).await.status, 200);
    }
    assert_eq!(missing(&recall(&airlock).await), ["127.0.0.1", "ann", "ci"]);
}

#[tokio::test]
async fn what_policy_rejects_since_can_be_recalled() {
    let airlock = scenario().gated().await;
    assert_eq!(airlock.tarball("left-pad", "1.0.0").await.status, 200);
    let airlock = airlock.restart_with(|config| {
        config.policy.findings.insert(airlock::model::finding::FindingKind::WeakIntegrity, airlock::model::finding::Action::Reject);
        config.policy.findings.insert(airlock::model::finding::FindingKind::RemovedUpstream, airlock::model::finding::Action::Reject);
    });
    let airlock = airlock.await;
    airlock.upstream.remove("left-pad", "1.0.0");
    airlock.upstream.publish("left-pad", "1.0.1");
    airlock.advance("6m");
    airlock.listed("left-pad").await;
    assert_eq!(airlock.release("left-pad", "1.0.0").await["standing"], "rejected");
    assert_eq!(airlock.decide("left-pad", "1.0.0", "revoke", "its owner took it down").await.status, 200);
    assert_eq!(recall(&airlock).await["total"], 1);
    assert_eq!(airlock.decide("left-pad", "1.0.1", "revoke", "never had").await.status, 409);
}
