//! Every scenario file can be read and served.

use std::path::Path;

use crate::support::http::Call;
use crate::support::scenario::Scenario;

#[tokio::test]
async fn every_scenario_file_is_a_registry() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/scenarios");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let scenario = Scenario::file(name);
        assert!(std::fs::read_to_string(&path).unwrap().starts_with("# "), "{name} says what it is for");
        let packages: Vec<String> = scenario.packages.keys().cloned().collect();
        let upstream = scenario.start().await;
        for package in packages {
            assert_eq!(Call::get(upstream.address(), &format!("/{package}")).send().await.json()["name"], package, "{name}");
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn an_unknown_key_is_an_error() {
    let package = "[[package]]\nname = \"a\"\n[[package.release]]\nversion = \"1.0.0\"\n";
    assert!(Scenario::parse(package).is_ok());
    assert!(Scenario::parse(&format!("{package}aeg = \"9h\"\n")).unwrap_err().to_string().contains("aeg"));
}

#[test]
fn what_a_file_says_is_what_the_builder_says() {
    let file = Scenario::parse(
        r#"
        [[package]]
        name = "a"
        tags = { beta = "1.0.0" }
        [[package.release]]
        version = "1.0.0"
        age = "9h"
        dependencies = { b = "^1.0.0" }
        scripts = { install = "node x" }
        files = { "x.js" = "1" }
        listed = { readme = "r" }
        wrong-integrity = true
        "#,
    )
    .unwrap();
    let built = Scenario::new().package("a", |p| {
        p.tag("beta", "1.0.0");
        p.release("1.0.0").age("9h").dependency("b", "^1.0.0").script("install", "node x").file("x.js", "1");
        p.release("1.0.0").listed("readme", "r".into()).wrong_integrity();
    });
    let text = |scenario: &Scenario| scenario.packages["a"].document(crate::support::scenario::Form::Full, "http://x/", scenario.now, true);
    assert_eq!(text(&file), text(&built));
}
