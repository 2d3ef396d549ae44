//! The commands that talk to a server.

use serde_json::Value;

use crate::support::binary::Launch;
use crate::support::binary::Server;
use crate::support::command::Outcome;
use crate::support::http::Call;
use crate::support::scenario::Scenario;
use crate::support::upstream::Upstream;

async fn serving() -> (Server, Upstream) {
    let scenario = Scenario::live().package("left-pad", |p| {
        p.release("1.0.0");
        p.release("1.1.0").age("9h");
        p.release("1.2.0").without_integrity();
    });
    let upstream = scenario.package("@acme/web", |p| _ = p.release("1.0.0").deprecated("\u{1b}[31mred\u{202e}")).start().await;
    let server = Launch::at(&upstream).start().await;
    for (version, status) in [("1.0.0", 200), ("1.1.0", 403), ("1.2.0", 403)] {
        let reply = Call::get(server.address(), &format!("/left-pad/-/left-pad-{version}.tgz")).send().await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    (server, upstream)
}

fn json(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.output).unwrap_or_else(|error| panic!("{error}: {}", outcome.output))
}

#[tokio::test]
async fn people_see_decide_and_look_back() {
    let (server, _upstream) = serving().await;
    let run = |line: &'static str| server.run_line(line);
    let queue = run("queue").await;
    queue.assert_success().assert_says("left-pad@1.2.0").assert_says("missing_integrity");
    assert_eq!(json(&run("queue --json").await)["waiting"][0]["version"], "1.2.0");

    let held = run("explain left-pad@1.1.0").await;
    assert_eq!(held.code, Some(1), "held is not green");
    held.assert_says("left-pad@1.1.0 is held: published 9 hours ago, opens ").assert_says("(minimum age 7 days). 1.0.0 is approved.");
    let sentence = json(&run("explain left-pad@1.1.0 --json").await)["sentence"].as_str().unwrap().to_owned();
    held.assert_says(&sentence);
    run("explain left-pad@1.0.0").await.assert_success();
    run("explain left-pad").await.assert_success().assert_says("left-pad has 3 releases: 1 approved, 1 held, 1 in review");
    let unknown = run("explain left-pad@9.9.9").await;
    assert_eq!(unknown.code, Some(1), "{}", unknown.output);

    run("approve left-pad@1.2.0 --reason read-it --expires 30d")
        .await
        .assert_success()
        .assert_says("Recorded: approve left-pad@1.2.0. It is now approved");
    assert_eq!(run("approve left-pad@1.2.0 --reason again").await.code, Some(1));
    run("queue").await.assert_success().assert_says("Nothing waits for people.");
    run("hold left-pad@1.2.0 --reason wait").await.assert_success().assert_says("It is now held");
    run("reject left-pad@1.2.0 --reason bad").await.assert_success().assert_says("It is now rejected");
    run("reopen left-pad@1.2.0 --reason once-more").await.assert_success();
    let recall = run("recall left-pad@1.0.0 --reason malware").await;
    recall.assert_success().assert_says("It is now revoked").assert_says("It was pulled once").assert_says("127.0.0.1");
    assert_eq!(run("recall left-pad@1.0.0 --reason malware").await.code, Some(1));

    run("audit").await.assert_success().assert_says("approved left-pad@1.2.0").assert_says("read-it");
    run("audit verify").await.assert_success().assert_says("The ledger is sound");
    assert_eq!(json(&run("audit verify --json").await)["sound"], true);
    let export = run("audit export").await;
    let sequences: Vec<u64> =
        export.output.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64().unwrap()).collect();
    assert!(sequences.len() > 10 && sequences.iter().copied().eq(1..=sequences.len() as u64), "{sequences:?}");
}

#[tokio::test]
async fn people_waive_ask_and_acknowledge() {
    let (server, _upstream) = serving().await;
    let run = |line: &'static str| server.run_line(line);
    run("waiver list").await.assert_success().assert_says("There are no waivers.");
    let made = run("waiver add left-pad@1.2.0 --finding missing_integrity --reason read-it --expires 90d").await;
    made.assert_success().assert_says("missing_integrity of left-pad@1.2.0 until ");
    let list = json(&run("waiver list --json").await);
    let id = list["waivers"][0]["id"].as_str().unwrap().to_owned();
    run("waiver list").await.assert_success().assert_says(&id).assert_says("counts").assert_says("read-it");
    let explained = run("explain left-pad@1.2.0").await;
    explained.assert_success().assert_says("waived").assert_says(&format!("by admin: read-it (waiver {id})"));
    assert_eq!(run("waiver add left-pad@1.2.0 --finding missing_integrity --reason again").await.code, Some(1));
    assert_eq!(run("waiver add left-pad --finding integrity_mismatch --reason no").await.code, Some(2));
    server
        .run(&["waiver", "end", &id, "--reason", "enough"])
        .await
        .assert_success()
        .assert_says("missing_integrity of left-pad@1.2.0 count again");
    assert_eq!(run("explain left-pad@1.2.0").await.code, Some(1));
    run("waiver list --all").await.assert_success().assert_says("ended by admin");

    run("request left-pad@1.1.0 --reason ticket-811").await.assert_success().assert_says("You are the first to ask for it.");
    let queue = json(&run("queue --json").await);
    assert_eq!((&queue["waiting"][0]["version"], &queue["waiting"][0]["requests"]), (&Value::from("1.1.0"), &Value::from(1)));
    run("explain left-pad@1.1.0").await.assert_says("one person").assert_says("ticket-811");
    assert_eq!(run("request left-pad@1.0.0 --reason why").await.code, Some(1), "it is open");

    assert_eq!(run("recall ack left-pad@1.0.0").await.code, Some(1), "it is not recalled");
    run("recall status left-pad@1.0.0")
        .await
        .assert_success()
        .assert_says("left-pad@1.0.0 is not recalled.")
        .assert_says("It was pulled once");
    run("recall left-pad@1.0.0 --reason malware").await.assert_success();
    let status = run("recall status left-pad@1.0.0").await;
    assert_eq!(status.code, Some(1), "somebody still has it: {}", status.output);
    status.assert_says("by admin: malware").assert_says("These have not said that it is gone:").assert_says("127.0.0.1");
    run("recall ack left-pad@1.0.0 --for 127.0.0.1 --note build-thrown-away").await.assert_success().assert_says("Recorded for 127.0.0.1");
    run("recall status left-pad@1.0.0").await.assert_success().assert_says("build-thrown-away");
}

#[tokio::test]
async fn tokens_are_made_listed_and_ended() {
    let (server, _upstream) = serving().await;
    let made = json(&server.run_line("token create --role approver --name maria --expires 90d --json").await);
    let token = made["token"].as_str().unwrap();
    let asked = || Call::get(server.address(), "/-/airlock/v1/queue").bearer(token).send();
    assert_eq!(asked().await.status, 200);
    let list = server.run_line("token list").await;
    list.assert_success().assert_says("maria approver").assert_says("admin admin");
    assert!(!list.output.contains(token));
    assert_eq!(server.run_line("token create --role owner --name x").await.code, Some(2));
    assert_eq!(server.run_line("token create --role reader --name maria").await.code, Some(1), "the name is taken");
    server.run_line("token revoke maria").await.assert_success().assert_says("no longer works");
    assert_eq!(asked().await.status, 401);
    assert_eq!(server.run_line("token revoke nobody").await.code, Some(1));
}

#[tokio::test]
async fn hostile_text_does_not_reach_the_terminal() {
    let (server, _upstream) = serving().await;
    let hostile = "evil\u{1b}[2J\u{202e}reason";
    let held = server.run(&["hold", "left-pad@1.0.0", "--reason", hostile]).await;
    held.assert_success();
    let outputs = [
        held,
        server.run_line("explain left-pad@1.0.0").await,
        server.run_line("explain left-pad@1.0.0 --json").await,
        server.run_line("explain @acme/web@1.0.0").await,
        server.run_line("audit").await,
        server.run_line("queue").await,
    ];
    for outcome in outputs {
        assert!(!outcome.output.contains(['\u{1b}', '\u{202e}']), "{:?}", outcome.output);
    }
}

#[tokio::test]
async fn wrong_usage_and_wrong_rights_are_told_apart() {
    let (server, _upstream) = serving().await;
    for line in [
        "approve left-pad@1.0.0",
        "approve left-pad --reason x",
        "explain ../x",
        "queue --limit 0",
        "nonsense",
        "approve left-pad@1.0.0 --reason x --expires yesterday",
    ] {
        assert_eq!(server.run_line(line).await.code, Some(2), "{line}");
    }
    let wrong = server.run(&["queue", "--token", "airlock_000000000000_nonsense"]).await;
    assert_eq!(wrong.code, Some(1), "{}", wrong.output);
    wrong.assert_says("the token is not valid");
    let nowhere = server.run(&["queue", "--server", "http://127.0.0.1:1/"]).await;
    assert_eq!(nowhere.code, Some(1), "{}", nowhere.output);
    nowhere.assert_says("no Airlock answers at http://127.0.0.1:1/").assert_says("airlock serve").assert_says("--server URL");
    let no_url = server.run(&["queue", "--server", "not a url"]).await;
    assert_eq!(no_url.code, Some(2), "{}", no_url.output);
}
