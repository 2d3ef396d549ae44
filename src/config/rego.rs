//! `[policy.rego]`: rules in Rego, the language of Open Policy Agent, for what the other keys cannot say. They are asked of releases whose
//! bytes were looked into, and only ever add findings.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use regorus::Engine;
use regorus::utils::limits::ExecutionTimerConfig;
use serde::Deserialize;
use serde::Deserializer;
use serde::Serialize;
use serde::Serializer;
use serde_json::Value as Json;

use crate::config::fault::Fault;
use crate::config::key::Key;
use crate::config::key::Shown;
use crate::config::value::Value;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;

const TEXT_BYTES_MAX: usize = 64 * 1024;
/// Texts of one rule that are kept, and the bytes of each.
const MESSAGES_MAX: usize = 16;
const MESSAGE_BYTES_MAX: usize = 256;
/// A rule that takes longer about one release says nothing that could be relied on.
const ANSWER_WAIT: Duration = Duration::from_millis(250);
/// Steps of the interpreter between two looks at the clock.
const STEPS: NonZeroU32 = NonZeroU32::new(64).unwrap();
/// As the interpreter calls a rule that is not there.
const NO_SUCH_RULE: &str = "not a valid rule path";
/// The one function of the interpreter that has no place in a judgement.
const RANDOM: &str = "rand.intn";
const DENY: &str = "data.airlock.deny";
const REVIEW: &str = "data.airlock.review";

/// A module of package `airlock`, read and tried. Two are equal whose texts are.
#[derive(Clone)]
pub struct Module {
    text: Arc<str>,
    /// `None`: it cannot be asked, as a recorded one that this version does not understand.
    rules: Option<Arc<Rules>>,
    /// What it said, by what it was told: releases are judged far more often than something of them changes.
    said: Arc<Mutex<HashMap<DocumentDigest, Answer>>>,
}

struct Rules {
    engine: Engine,
    denies: bool,
    reviews: bool,
}

/// Answers that are remembered; with more of them all are forgotten.
const ANSWERS_MAX: usize = 10_000;

/// What the rules say of one release: texts, each once, in order.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answer {
    pub deny: Vec<String>,
    pub review: Vec<String>,
}

impl Module {
    /// An error says what is wrong, with the line and column of the module where they are known.
    pub fn parse(text: &str) -> Result<Module, String> {
        if text.len() > TEXT_BYTES_MAX {
            return Err(format!("the module is longer than {TEXT_BYTES_MAX} bytes"));
        }
        if text.contains(RANDOM) {
            return Err(format!("{RANDOM} says something else each time"));
        }
        let mut engine = Engine::new();
        let package = engine.add_policy("module".to_owned(), text.to_owned()).map_err(|error| plain(&error.to_string()))?;
        if package != "data.airlock" {
            let named = package.strip_prefix("data.").unwrap_or(&package);
            return Err(format!("it is of package {named}, and not of package airlock"));
        }
        let mut rules = Rules { engine, denies: true, reviews: true };
        // Names that nothing defines and functions that there are not are only found where a rule is asked.
        for rule in [DENY, REVIEW] {
            let is_there = match rules.ask(rule, &Json::Object(serde_json::Map::new())) {
                Ok(_) => true,
                Err(Trouble::NoSuchRule) => false,
                Err(trouble @ (Trouble::TooLate | Trouble::Other(_))) => return Err(trouble.into_words()),
            };
            *(if rule == DENY { &mut rules.denies } else { &mut rules.reviews }) = is_there;
        }
        if !rules.denies && !rules.reviews {
            return Err("it has neither a rule deny nor a rule review".to_owned());
        }
        Ok(Module { text: text.into(), rules: Some(Arc::new(rules)), said: Arc::default() })
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it says of a release, described as docs/judgement.md says. An error: it cannot be relied on.
    pub fn ask(&self, release: &Json) -> Result<Answer, String> {
        let Some(rules) = &self.rules else { return Err("this version does not understand the module".to_owned()) };
        let told_of = DocumentDigest::of(release.to_string().as_bytes());
        if let Some(known) = self.said.lock().unwrap_or_else(PoisonError::into_inner).get(&told_of) {
            return Ok(known.clone());
        }
        let told = |rule, is_there| {
            if is_there { rules.ask(rule, release).map_err(Trouble::into_words) } else { Ok(Vec::new()) }
        };
        let answer = Answer { deny: told(DENY, rules.denies)?, review: told(REVIEW, rules.reviews)? };
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() >= ANSWERS_MAX {
            said.clear();
        }
        said.insert(told_of, answer.clone());
        Ok(answer)
    }
}

enum Trouble {
    NoSuchRule,
    TooLate,
    Other(String),
}

impl Trouble {
    fn into_words(self) -> String {
        match self {
            Trouble::NoSuchRule => NO_SUCH_RULE.to_owned(),
            Trouble::TooLate => format!("it took longer than {} ms", ANSWER_WAIT.as_millis()),
            Trouble::Other(why) => why,
        }
    }
}

impl Rules {
    /// Who takes too long is asked once more: a machine that stood still for a moment is no fault of the rule.
    fn ask(&self, rule: &str, release: &Json) -> Result<Vec<String>, Trouble> {
        match self.ask_once(rule, release) {
            Err(Trouble::TooLate) => self.ask_once(rule, release),
            told => told,
        }
    }

    fn ask_once(&self, rule: &str, release: &Json) -> Result<Vec<String>, Trouble> {
        // What an engine once found out it keeps, so that each release has a copy, which shares the module.
        let mut engine = self.engine.clone();
        engine.set_execution_timer_config(ExecutionTimerConfig { limit: ANSWER_WAIT, check_interval: STEPS });
        engine.set_input(release.clone().into());
        let said = engine.eval_rule(rule.to_owned()).map_err(|error| {
            let error = error.to_string();
            if error.contains(NO_SUCH_RULE) {
                Trouble::NoSuchRule
            } else if error.contains("exceeded time limit") {
                Trouble::TooLate
            } else {
                Trouble::Other(plain(&error))
            }
        })?;
        if matches!(said, regorus::Value::Undefined) {
            return Ok(Vec::new());
        }
        let named = rule.rsplit('.').next().unwrap_or(rule);
        let said = serde_json::to_value(&said).map_err(|error| Trouble::Other(error.to_string()))?;
        texts(&said).ok_or_else(|| Trouble::Other(format!("{named} is neither a set of texts nor a boolean")))
    }
}

/// `None` where it is no answer.
fn texts(said: &Json) -> Option<Vec<String>> {
    match said {
        Json::Bool(true) => Some(vec!["it says no more".to_owned()]),
        Json::Bool(false) => Some(Vec::new()),
        Json::Array(all) => {
            let mut told = Vec::new();
            for one in all {
                let text = printable(one.as_str()?, MESSAGE_BYTES_MAX);
                if told.len() < MESSAGES_MAX && !told.contains(&text) {
                    told.push(text);
                }
            }
            Some(told)
        }
        Json::Null | Json::Number(_) | Json::String(_) | Json::Object(_) => None,
    }
}

/// The interpreter draws what it complains of; a line is enough.
fn plain(error: &str) -> String {
    let place = error.lines().find_map(|line| line.trim().strip_prefix("--> module:")).and_then(|place| place.split_once(':'));
    let what = error.lines().find_map(|line| line.trim().strip_prefix("error: ")).unwrap_or_else(|| error.trim());
    let what = what.trim_end_matches(')').split(" (path ").next().unwrap_or(what);
    match place {
        Some((line, column)) => format!("line {line} of it, column {column}: {what}"),
        None => what.to_owned(),
    }
}

impl PartialEq for Module {
    fn eq(&self, other: &Module) -> bool {
        self.text == other.text
    }
}

impl fmt::Debug for Module {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Module").field(&self.text).finish()
    }
}

impl Serialize for Module {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Module {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Module, D::Error> {
        let text = String::deserialize(deserializer)?;
        Ok(Module::parse(&text).unwrap_or_else(|_| Module { text: text.into(), rules: None, said: Arc::default() }))
    }
}

pub(super) fn rego_key() -> Key {
    Key::new(
        "policy.rego.module",
        "what the other keys cannot say, in Rego: rules deny and review of package airlock, asked of what was looked into; they only add findings",
        |config| config.policy.rego.as_ref().map(|module| on_one_line(module.text())),
        |draft, value| {
            draft.config.policy.rego = read(value)?;
            Ok(())
        },
    )
    .shown(Shown::Sample(&[
        "[policy.rego]",
        r#"module = "package airlock\nreview contains \"it is large\" if input.artifacts[_].unpacked_bytes > 100000000"  # or many lines between three quotes"#,
    ]))
}

/// TOML text of several lines, on one: JSON's escapes are TOML's too.
fn on_one_line(text: &str) -> String {
    Json::from(text).to_string()
}

fn read(value: &Value) -> Result<Option<Module>, Vec<Fault>> {
    let text = Some(value.lines()?).filter(|text| !text.trim().is_empty());
    let fault = |why: String| {
        let remedy = "write `package airlock`, and below it `deny contains \"why\" if { … }` or `review contains \"why\" if { … }`";
        value.fault(why, remedy)
    };
    text.map(|text| Module::parse(text).map_err(fault)).transpose()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const RULES: &str = r#"package airlock
deny contains msg if {
    some found in input.findings
    found.kind == "install_script"
    msg := sprintf("%s runs %s", [input.name, found.evidence])
}
review contains "a name that begins with ab" if regex.match("^ab", input.name)
"#;

    #[test]
    fn it_says_what_its_rules_say() {
        let module = Module::parse(RULES).unwrap();
        let release = json!({"name": "abc", "findings": [{"kind": "install_script", "evidence": "node x.js"}]});
        let answer = module.ask(&release).unwrap();
        assert_eq!(answer.deny, ["abc runs node x.js"]);
        assert_eq!(answer.review, ["a name that begins with ab"]);
        assert_eq!(module.ask(&json!({"name": "xyz", "findings": []})).unwrap(), Answer::default());
        let flat = Module::parse("package airlock\ndeny if input.name == \"x\"").unwrap();
        assert_eq!(flat.ask(&json!({"name": "x"})).unwrap().deny, ["it says no more"]);
        assert_eq!(flat.ask(&json!({"name": "y"})).unwrap(), Answer::default());
    }

    #[test]
    fn what_it_cannot_be_is_said_with_its_place() {
        let check = |text: &str, expect: &str| assert_eq!(Module::parse(text).err().as_deref(), Some(expect), "{text}");
        check("package airlock\ndeny contains msg if {", "line 2 of it, column 23: expecting expression");
        check("package airlock\ndeny contains foo if { true }", "line 2 of it, column 15: var foo is unsafe");
        check("package other\ndeny if true", "it is of package other, and not of package airlock");
        check("package airlock\nallow if true", "it has neither a rule deny nor a rule review");
        for function in ["http.send({})", "time.now_ns()", "opa.runtime()", "uuid.rfc4122(\"x\")", "net.lookup_ip_addr(\"a\")"] {
            let wrong = Module::parse(&format!("package airlock\ndeny contains \"x\" if {{ {function} }}")).unwrap_err();
            assert!(wrong.contains("could not find function"), "{function}: {wrong}");
        }
        check("package airlock\ndeny if rand.intn(\"x\", 5) == 1", "rand.intn says something else each time");
        check(&format!("package airlock\n#{}", "x".repeat(TEXT_BYTES_MAX)), "the module is longer than 65536 bytes");
    }

    #[test]
    fn what_is_no_answer_and_what_takes_too_long_is_an_error() {
        let fails = |rule: &str| Module::parse(&format!("package airlock\n{rule}")).unwrap().ask(&json!({"n": 5})).unwrap_err();
        assert_eq!(fails("deny contains input.n if input.n"), "deny is neither a set of texts nor a boolean");
        assert_eq!(fails("review := {\"a\": 1} if input.n"), "review is neither a set of texts nor a boolean");
        assert_eq!(fails("deny := null if input.n"), "deny is neither a set of texts nor a boolean");
        let slow = "deny contains \"x\" if { input.n; some a in numbers.range(1, 3000); some b in numbers.range(1, 3000); a * b == -1 }";
        assert_eq!(fails(slow), "it took longer than 250 ms");
    }

    #[test]
    fn texts_are_few_short_and_printable() {
        let module = Module::parse("package airlock\ndeny contains msg if { some n in input.all; msg := n }").unwrap();
        let all: Vec<String> = (0..100).map(|n| format!("{n:03}\u{1b}[2J{}", "x".repeat(1_000))).collect();
        let answer = module.ask(&json!({ "all": all })).unwrap();
        assert_eq!(answer.deny.len(), MESSAGES_MAX);
        assert!(answer.deny.iter().all(|text| text.len() <= MESSAGE_BYTES_MAX && !text.contains('\u{1b}')));
    }

    #[test]
    fn it_is_recorded_as_its_text() {
        let module = Module::parse(RULES).unwrap();
        let recorded = serde_json::to_value(&module).unwrap();
        assert_eq!(recorded, json!(RULES));
        assert_eq!(serde_json::from_value::<Module>(recorded).unwrap(), module);
        let unknown: Module = serde_json::from_value(json!("package airlock\nwhat is this")).unwrap();
        assert!(unknown.ask(&json!({})).is_err());
    }
}
