//! Every client: the lockfile that it writes behind Airlock is green; when a release in it is taken back, the plan's steps,
//! followed with that very client, make it green again, and it installs.

use serde_json::Value;

use super::checked;
use crate::clients::program::client;
use crate::clients::project::Project;
use crate::support::airlock::Airlock;
use crate::support::scenario::Scenario;

/// Follows one step: a line for the client, or what people are told to write.
async fn follow(project: &Project, step: &str) {
    if let Some((entry, then)) =
        step.strip_prefix("take out of yarn.lock the whole entry of ").and_then(|rest| rest.split_once("; then: yarn "))
    {
        let line = |one: &str| one.split_once("(line ").unwrap().1.trim_end_matches(')').parse::<usize>().unwrap();
        // The last first, so that the others stay where they are.
        let mut lines: Vec<usize> = entry.split(", ").map(line).collect();
        lines.sort_unstable_by(|left, right| right.cmp(left));
        for line in lines {
            project.change_lockfile(|text| {
                let all: Vec<&str> = text.lines().collect();
                let length = all[line..].iter().take_while(|line| line.starts_with(' ')).count();
                [&all[..line - 1], &all[line + length..]].concat().join("\n") + "\n"
            });
        }
        project.run(&then.split(' ').collect::<Vec<&str>>()).await.assert_success();
        return;
    }
    let words: Vec<String> = step.split(' ').map(|word| word.trim_matches('\'').to_owned()).collect();
    let (program, arguments) = words.split_first().unwrap();
    assert!(["npm", "pnpm", "yarn", "bun"].contains(&program.as_str()), "{step}");
    project.run(&arguments.iter().map(String::as_str).collect::<Vec<&str>>()).await.assert_success();
}

async fn check(airlock: &Airlock, project: &Project) -> Value {
    checked(airlock, &project.lockfile()).await
}

async fn comes_back(name: &'static str) {
    let Some(program) = client(name).await else { return };
    let scenario = Scenario::live()
        .package("left", |p| {
            p.release("1.0.0");
            p.release("1.1.0");
            p.release("1.2.0");
        })
        .package("middle", |p| {
            p.release("1.0.0").dependency("deep", "^1.0.0");
            p.release("1.1.0").dependency("deep", "^1.1.0");
        })
        .package("deep", |p| {
            p.release("1.0.0");
            p.release("1.1.0");
            p.release("1.1.1");
        });
    let airlock = scenario.gated().await;
    let mut project = Project::new(&program, &airlock.url(), &[("left", "^1.0.0"), ("middle", "^1.0.0")]);
    project.install().await.assert_success();
    let green = check(&airlock, &project).await;
    assert_eq!(green["green"], true, "{green:#}\n{}", project.lockfile());

    for (package, version) in [("left", "1.2.0"), ("deep", "1.1.1")] {
        assert_eq!(airlock.decide(package, version, "revoke", "malware").await.status, 200);
    }
    let red = check(&airlock, &project).await;
    assert_eq!(
        (&red["green"], &red["counts"]["denied"], &red["plan"]["complete"]),
        (&Value::from(false), &Value::from(2), &Value::from(true)),
        "{red:#}"
    );
    let changes: Vec<String> = red["plan"]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            format!("{} {} {}", change["package"].as_str().unwrap(), change["from"].as_str().unwrap(), change["to"].as_str().unwrap())
        })
        .collect();
    assert_eq!(changes, ["deep 1.1.1 1.1.0", "left 1.2.0 1.1.0"]);

    // As on another machine, where nothing lies in a cache.
    project.forget_all_but_the_lockfile(&airlock.url());
    for step in red["plan"]["steps"].as_array().unwrap() {
        follow(&project, step.as_str().unwrap()).await;
    }
    let green = check(&airlock, &project).await;
    assert_eq!(green["green"], true, "{:#}\n{green:#}\n{}", red["plan"], project.lockfile());
    project.forget_all_but_the_lockfile(&airlock.url());
    project.install_frozen().await.assert_success();
    let installed = ["left", "deep"].map(|package| project.installed(package));
    assert_eq!(installed, [Some("1.1.0".to_owned()), Some("1.1.0".to_owned())]);
}

macro_rules! every_client {
    ($($test:ident = $name:literal,)*) => {
        $(#[tokio::test]
        async fn $test() {
            comes_back($name).await;
        })*
    };
}

every_client! {
    npm = "npm",
    npm_10 = "npm-10",
    npm_12 = "npm-12",
    pnpm_11 = "pnpm-11",
    pnpm_12 = "pnpm-12",
    yarn_1 = "yarn-1",
    yarn_4 = "yarn-4",
    bun = "bun",
}
