//! What is sent, and the words for what comes back.

use super::*;
use crate::admin::wire::Tokens;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Write;
use std::net::TcpListener;
use std::thread::JoinHandle;

/// A server that answers one request, and gives back the request's head.
fn answering(status: &str, kind: &str, body: &str) -> (RemoteFlags, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let server = format!("http://{}/", listener.local_addr().unwrap());
    let answer = format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    let heard = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
        let head = lines.collect::<Vec<_>>().join("\n");
        stream.write_all(answer.as_bytes()).unwrap();
        head
    });
    (RemoteFlags { server: Some(server), token: Some("s3cret".to_owned()), ..RemoteFlags::default() }, heard)
}

fn told(status: &str, body: &str) -> String {
    let (flags, heard) = answering(status, "application/problem+json", body);
    let failure = Remote::new(&flags).unwrap().get::<Tokens>(&["tokens"], &[]).map(|_| ()).unwrap_err();
    heard.join().unwrap();
    assert_eq!(failure.code(), 1);
    failure.to_string()
}

#[test]
fn a_question_carries_the_token_and_an_encoded_name() {
    let (flags, heard) = answering("200 OK", "application/json", r#"{"tokens":[]}"#);
    let answer = Remote::new(&flags).unwrap().get::<Tokens>(&["releases", "@acme/web", "1.0.0+b"], &[("after", "a b".to_owned())]).unwrap();
    assert_eq!(answer.text, r#"{"tokens":[]}"#);
    let head = heard.join().unwrap();
    assert!(head.starts_with("GET /-/airlock/v1/releases/@acme%2Fweb/1.0.0%2Bb?after=a+b HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer s3cret"), "{head}");
}

#[test]
fn a_change_carries_a_key_of_its_own() {
    let (flags, heard) = answering("204 No Content", "text/plain", "");
    Remote::new(&flags).unwrap().delete(&["tokens", "x"]).unwrap();
    let head = heard.join().unwrap();
    assert!(head.starts_with("DELETE /-/airlock/v1/tokens/x ") && head.contains("idempotency-key: "), "{head}");
}

#[test]
fn a_refusal_is_told_in_the_servers_words_with_what_to_do() {
    let problem = |status: u16, detail: &str| format!(r#"{{"type":"about:blank","title":"No","status":{status},"detail":"{detail}"}}"#);
    let forbidden = told("403 Forbidden", &problem(403, "this needs the role approver"));
    assert!(forbidden.starts_with("this needs the role approver\n") && forbidden.contains("--token"), "{forbidden}");
    assert_eq!(told("409 Conflict", &problem(409, "the name is taken \\u001b[31m")), "the name is taken \u{fffd}[31m");
    let (flags, _) = answering("409 Conflict", "application/problem+json", &problem(409, "the bytes moved"));
    let decided = Remote::new(&flags).unwrap().post::<Tokens>(&["releases", "x", "1.0.0", "decisions"], &()).map(|_| ());
    let decided = decided.unwrap_err().to_string();
    assert!(decided.starts_with("the bytes moved\n") && decided.contains("airlock explain"), "{decided}");
    assert_eq!(told("404 Not Found", &problem(404, "left-pad@9.9.9 was never seen")), "left-pad@9.9.9 was never seen");
    assert!(!told("401 Unauthorized", &problem(401, "no")).contains("s3cret"));
}

#[test]
fn what_is_not_airlock_is_told() {
    for (status, body) in [("200 OK", "<html>"), ("404 Not Found", "<html>"), ("302 Found", ""), ("200 OK", r#"{"token":1}"#)] {
        let told = told(status, body);
        assert!(told.contains("--server") && (told.contains("not Airlock") || told.contains("not what this version")), "{status}: {told}");
    }
}

#[test]
fn nobody_there_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let flags = RemoteFlags { server: Some(format!("http://127.0.0.1:{port}")), token: Some("x".to_owned()), ..RemoteFlags::default() };
    let told = Remote::new(&flags).unwrap().get::<Tokens>(&["tokens"], &[]).map(|_| ()).unwrap_err().to_string();
    assert!(told.starts_with(&format!("no Airlock answers at http://127.0.0.1:{port}/: ")) && told.contains("airlock serve"), "{told}");
}

#[test]
fn a_server_and_a_token_are_checked_before_anything_is_sent() {
    let check = |server: &str, token: &str| {
        let flags = RemoteFlags { server: Some(server.to_owned()), token: Some(token.to_owned()), ..RemoteFlags::default() };
        Remote::new(&flags).map(|_| ()).map_err(|failure| (failure.code(), failure.to_string()))
    };
    for (server, token) in [
        ("airlock", "x"),
        ("ftp://a.example", "x"),
        ("http://me:hunter2@a.example/", "x"),
        ("http://a.example/?q", "x"),
        ("http://a.example/", "a b"),
    ] {
        let (code, text) = check(server, token).unwrap_err();
        assert!(code == 2 && !text.contains("hunter2"), "{server}: {text}");
    }
    assert_eq!(check("https://a.example/npm", "x"), Ok(()));
}

/// What is sent as it is written is a change like every other.
#[test]
fn an_upload_carries_the_token_and_a_key_of_its_own() {
    let (flags, heard) = answering("200 OK", "application/json", r#"{"tokens":[]}"#);
    let remote = Remote::new(&flags).unwrap();
    // It may hang up before it has read the body: what counts here is what it was sent.
    _ = remote.upload::<Tokens>(&["advisories"], &[("whole", "true".to_owned())], "application/zip", |out| out.write_all(b"PK"));
    let head = heard.join().unwrap();
    assert!(head.starts_with("POST /-/airlock/v1/advisories?whole=true HTTP/1.1"), "{head}");
    for header in ["authorization: Bearer s3cret", "idempotency-key: ", "content-type: application/zip", "accept: application/json"] {
        assert!(head.contains(header), "{header}: {head}");
    }
}
