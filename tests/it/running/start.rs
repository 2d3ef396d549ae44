//! Starting: what stands in the way is said with what to do; what was known before is served.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;

use crate::support::binary::Launch;
use crate::support::command;
use crate::support::command::Outcome;
use crate::support::http::Call;
use crate::support::scenario::Scenario;
use crate::support::upstream::Upstream;

async fn upstream() -> Upstream {
    Scenario::live().package("left-pad", |p| _ = p.release("1.0.0")).start().await
}

async fn run(launch: &Launch, arguments: &[&str]) -> Outcome {
    let command = launch.command(arguments);
    tokio::task::spawn_blocking(move || command::run(command, std::time::Duration::from_secs(60)).unwrap()).await.unwrap()
}

#[tokio::test]
async fn a_port_in_use_is_said_with_another_to_take() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let launch = Launch::at_url("https://registry.example/");
    let outcome = run(&launch, &["serve", "--listen", &address.to_string(), "--upstream", "https://registry.example/"]).await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.output);
    outcome.assert_says(&format!("{address} is in use")).assert_says("choose another address with --listen");
}

#[tokio::test]
async fn a_data_dir_that_cannot_be_used_is_said() {
    let launch = Launch::at_url("https://registry.example/");
    std::fs::write(launch.data_dir(), "a file").unwrap();
    let outcome = launch.clone().fails().await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.output);
    outcome.assert_says("cannot be written").assert_says(&launch.data_dir().display().to_string());

    std::fs::remove_file(launch.data_dir()).unwrap();
    std::fs::create_dir(launch.data_dir()).unwrap();
    std::fs::write(launch.data_dir().join("FORMAT"), "99\n").unwrap();
    let outcome = launch.clone().fails().await;
    assert_eq!(outcome.code, Some(1), "{}", outcome.output);
    outcome.assert_says("has format 99").assert_says("Start the newer version that wrote it");
    assert_eq!(std::fs::read_to_string(launch.data_dir().join("FORMAT")).unwrap(), "99\n");
}

#[tokio::test]
async fn a_data_dir_serves_one_airlock_at_a_time() {
    let upstream = upstream().await;
    let launch = Launch::at(&upstream);
    let _first = launch.clone().start().await;
    let second = launch.fails().await;
    assert_eq!(second.code, Some(1), "{}", second.output);
    second.assert_says("is in use by another Airlock");
}

#[tokio::test]
async fn every_fault_of_a_configuration_is_told_at_once_with_its_line() {
    let config = "[server]\nlisten = \"nonsense\"\n\n[policy]\nlisting = \"everything\"\nnonsense = 1\n\n[policy.findings]\ndeprecated = \"ignore\"\n";
    let outcome = Launch::at_url("https://registry.example/").config(config).fails().await;
    assert_eq!(outcome.code, Some(2), "{}", outcome.output);
    for line in ["airlock.toml:5:", "airlock.toml:6:", "airlock.toml:9:"] {
        outcome.assert_says(line);
    }
    outcome.assert_says("policy.listing").assert_says("nonsense").assert_says("policy.findings.deprecated");
    let broken = Launch::at_url("https://registry.example/").config("[server\nlisten = 1\n").fails().await;
    assert_eq!(broken.code, Some(2), "{}", broken.output);
    broken.assert_says("airlock.toml:1:");
}

#[tokio::test]
async fn an_upstream_that_is_airlock_itself_is_told() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let launch = Launch::at_url("https://registry.example/");
    let itself = format!("http://localhost:{port}/");
    let outcome = run(&launch, &["serve", "--listen", &format!("127.0.0.1:{port}"), "--upstream", &itself]).await;
    assert_eq!(outcome.code, Some(2), "{}", outcome.output);
    outcome.assert_says("Airlock itself");

    // Behind another name it is found when it is asked.
    let hidden = Scenario::live().start().await;
    let server = Launch::at(&hidden).start().await;
    hidden.fault("/left-pad", crate::support::upstream::Fault::redirect(&format!("{}left-pad", server.url())));
    let reply = Call::get(server.address(), "/left-pad").send().await;
    assert!(matches!(reply.status, 502 | 508), "{} {}", reply.status, reply.text());
}

#[tokio::test]
async fn what_is_known_is_served_though_upstream_is_down() {
    let upstream = upstream().await;
    let server = Launch::at(&upstream).start().await;
    let path = "/left-pad/-/left-pad-1.0.0.tgz";
    let known = Call::get(server.address(), path).send().await;
    assert_eq!(known.status, 200);
    let (status, launch) = server.stop().await;
    assert_eq!(status.code(), Some(0));
    upstream.die().await;
    let server = launch.environment("AIRLOCK_UPSTREAM__FRESH_FOR", "1s").environment("AIRLOCK_UPSTREAM__RETRIES", "0").start().await;
    let packument = Call::get(server.address(), "/left-pad").send().await;
    assert!(packument.json()["versions"]["1.0.0"].is_object(), "{}", packument.text());
    assert_eq!(Call::get(server.address(), path).send().await.body, known.body);
    let unknown = Call::get(server.address(), "/never-seen").send().await;
    assert!(unknown.status == 503 && unknown.header("retry-after").is_some(), "{} {}", unknown.status, unknown.text());
}

#[tokio::test]
async fn the_admin_token_is_made_once_for_its_owner_only_and_said_once() {
    let upstream = upstream().await;
    let server = Launch::at(&upstream).start().await;
    let file = server.data_dir().join("admin-token");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    let token = server.admin_token();
    assert!(server.said().contains("made   an admin token in"), "{}", server.said());
    assert!(!server.said().contains(&token));
    let (_, launch) = server.stop().await;
    let server = launch.start().await;
    assert!(!server.said().contains("admin token"), "{}", server.said());
    assert_eq!(server.admin_token(), token);
    let who = Call::get(server.address(), "/-/whoami").bearer(&token).send().await;
    assert_eq!(who.json()["username"], "admin");
}

#[tokio::test]
async fn flags_beat_the_environment_and_the_environment_beats_the_file() {
    let launch = Launch::at_url("https://registry.example/")
        .environment("AIRLOCK_POLICY__RELEASE_AGE__MINIMUM", "3d")
        .environment("AIRLOCK_UPSTREAM__URL", "https://environment.example/");
    let folder = launch.data_dir().parent().unwrap().to_owned();
    std::fs::write(folder.join("airlock.toml"), "[policy]\nrelease_age = { minimum = \"9d\", floor = \"2h\" }\n").unwrap();
    let shown = run(&launch, &["check-config", "--show", "--upstream", "https://flag.example/"]).await;
    shown.assert_success();
    assert!(shown.output.contains("minimum = \"3d\"") && shown.output.contains("floor = \"2h\""), "{}", shown.output);
    assert!(shown.output.contains("https://flag.example/") && !shown.output.contains("environment.example"), "{}", shown.output);
    let wrong = launch.environment("AIRLOCK_POLICY__NONSENSE", "1");
    assert_eq!(run(&wrong, &["check-config"]).await.code, Some(2));
}

#[tokio::test]
async fn without_a_command_it_serves() {
    let upstream = upstream().await;
    let launch = Launch::at(&upstream);
    let mut command = launch.command(&["--listen", "127.0.0.1:0", "--upstream", upstream.url().as_str()]);
    command.arg("--data-dir").arg(launch.data_dir());
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::null()).spawn().unwrap();
    let stdout = child.stdout.take().unwrap();
    let said = tokio::task::spawn_blocking(move || {
        use std::io::BufRead;
        let mut lines = std::io::BufReader::new(stdout).lines().map_while(Result::ok);
        lines.find(|line| line.contains("npm config set registry http://127.0.0.1:"))
    });
    let said = crate::support::within("what to paste", said).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(said.is_some());
}
