//! Every fault that a scenario upstream can have.

use std::io::ErrorKind;
use std::io::Read;

use tokio::net::TcpStream;

use crate::support::http::Call;
use crate::support::scenario::Scenario;
use crate::support::upstream::Fault;
use crate::support::upstream::Gate;
use crate::support::upstream::Upstream;

const FILE: &str = "/left-pad/-/left-pad-1.0.0.tgz";

async fn left_pad() -> Upstream {
    Scenario::new().package("left-pad", |p| _ = p.release("1.0.0")).start().await
}

#[tokio::test]
async fn a_status_for_the_first_requests_only() {
    let upstream = left_pad().await;
    upstream.fault("/left-pad", Fault::status(503).retry_after("1").times(2));
    for status in [503, 503, 200] {
        let reply = Call::get(upstream.address(), "/left-pad").send().await;
        assert_eq!((reply.status, reply.header("retry-after").is_some()), (status, status == 503));
    }
    assert_eq!(upstream.log().iter().map(|received| received.answered).collect::<Vec<_>>(), [503, 503, 200]);
}

#[tokio::test]
async fn a_star_hits_every_path_below_and_healing_takes_it_away() {
    let upstream = left_pad().await;
    upstream.fault("/left-pad*", Fault::refusal(403, "left-pad is held: so it is"));
    for path in ["/left-pad", FILE] {
        let reply = Call::get(upstream.address(), path).send().await;
        assert_eq!((reply.status, reply.reason.as_str()), (403, "left-pad is held: so it is"));
        assert_eq!(reply.json()["error"], "left-pad is held: so it is");
    }
    upstream.heal("/left-pad*");
    assert_eq!(Call::get(upstream.address(), FILE).send().await.status, 200);
}

#[tokio::test]
async fn a_truncated_body_announces_the_whole() {
    let upstream = left_pad().await;
    upstream.fault(FILE, Fault::truncated(10));
    let whole = upstream.tarball("left-pad", "1.0.0");
    let reply = Call::get(upstream.address(), FILE).send().await;
    assert_eq!((reply.status, reply.complete), (200, false));
    assert_eq!(reply.header("content-length").unwrap(), whole.len().to_string());
    assert_eq!(reply.body, whole[..10]);
}

#[tokio::test]
async fn other_bytes_and_too_many_bytes() {
    let upstream = left_pad().await;
    upstream.fault(FILE, Fault::body("other").times(1));
    upstream.fault(FILE, Fault::oversize(1_000_001).times(1));
    upstream.fault(FILE, Fault::oversize_unannounced(1_000_001).times(1));
    assert_eq!(Call::get(upstream.address(), FILE).send().await.body, "other");
    for announced in [true, false] {
        let reply = Call::get(upstream.address(), FILE).send().await;
        assert_eq!((reply.body.len(), reply.complete), (1_000_001, true));
        assert_eq!(reply.header("content-length").is_some(), announced);
    }
}

#[tokio::test]
async fn gzip_on_demand_or_against_all_demand() {
    let upstream = left_pad().await;
    let plain = Call::get(upstream.address(), "/left-pad").send().await.body;
    upstream.shape(|shape| shape.gzip = true);
    assert_eq!(Call::get(upstream.address(), "/left-pad").send().await.body, plain);
    upstream.fault("/left-pad", Fault::gzip());
    upstream.shape(|shape| shape.gzip = false);
    let reply = Call::get(upstream.address(), "/left-pad").send().await;
    assert_eq!(reply.header("content-encoding"), Some("gzip"));
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(&reply.body[..]).read_to_end(&mut unpacked).unwrap();
    assert_eq!(unpacked, plain);
}

#[tokio::test]
async fn a_redirect_and_a_header_of_ones_own() {
    let upstream = left_pad().await;
    upstream.fault(FILE, Fault::redirect("http://127.0.0.1:9/elsewhere").times(1));
    upstream.fault(FILE, Fault::extra_header("x-odd", "1"));
    let reply = Call::get(upstream.address(), FILE).send().await;
    assert_eq!((reply.status, reply.header("location")), (302, Some("http://127.0.0.1:9/elsewhere")));
    assert_eq!(Call::get(upstream.address(), FILE).send().await.header("x-odd"), Some("1"));
}

#[tokio::test]
async fn a_gate_holds_the_answer_until_it_is_opened() {
    let upstream = left_pad().await;
    let gate = upstream.gate("/left-pad");
    let waiting = tokio::spawn(Call::get(upstream.address(), "/left-pad").send());
    upstream.reached("/left-pad", 1).await;
    gate.reached(1).await;
    assert!(!waiting.is_finished());
    gate.open();
    assert_eq!(waiting.await.unwrap().status, 200);
}

#[tokio::test]
async fn a_stall_sends_the_head_first() {
    let upstream = left_pad().await;
    let gate = Gate::new();
    upstream.fault(FILE, Fault::stall(&gate, 5));
    let waiting = tokio::spawn(Call::get(upstream.address(), FILE).send());
    gate.reached(1).await;
    assert!(!waiting.is_finished());
    gate.open();
    let reply = waiting.await.unwrap();
    assert!(reply.complete);
    assert_eq!(reply.body, upstream.tarball("left-pad", "1.0.0"));
}

#[tokio::test]
async fn a_reset_says_nothing() {
    use tokio::io::AsyncReadExt;
    use tokio::io::AsyncWriteExt;
    let upstream = left_pad().await;
    upstream.fault("/left-pad", Fault::reset().times(1));
    let mut socket = TcpStream::connect(upstream.address()).await.unwrap();
    socket.write_all(b"GET /left-pad HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut heard = Vec::new();
    _ = socket.read_to_end(&mut heard).await;
    assert_eq!(heard, b"");
    assert_eq!(upstream.log()[0].answered, 0);
}

#[tokio::test]
async fn a_dead_upstream_refuses_and_can_come_back() {
    let upstream = left_pad().await;
    upstream.die().await;
    assert_eq!(TcpStream::connect(upstream.address()).await.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    upstream.revive().await;
    assert_eq!(Call::get(upstream.address(), "/left-pad").send().await.status, 200);
}
