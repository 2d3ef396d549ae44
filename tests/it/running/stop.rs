//! Stopping in order: a request under way is finished, new ones are not begun, the exit code is 0.

use crate::support::binary::Launch;
use crate::support::binary::is_open;
use crate::support::http::Call;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let upstream = Scenario::live().package("left-pad", |p| _ = p.release("1.0.0")).start().await;
    let server = Launch::at(&upstream).start().await;
    let address = server.address();
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    let gate = upstream.gate(path);
    let download = tokio::spawn(Call::get(address, path).send());
    gate.reached(1).await;
    let stopping = tokio::spawn(server.stop());
    let refused = async {
        while is_open(address) {
            tokio::task::yield_now().await;
        }
    };
    crate::support::within("the port to close", refused).await;
    gate.open();
    let reply = download.await.unwrap();
    assert_eq!((reply.status, reply.body), (200, upstream.tarball("left-pad", "1.0.0")));
    let (status, launch) = stopping.await.unwrap();
    assert_eq!(status.code(), Some(0));
    let server = launch.start().await;
    server.run(&["audit", "verify"]).await.assert_success().assert_says("The ledger is sound");
}
