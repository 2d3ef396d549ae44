//! What two policies differ in, key by key, as far as it means something.

use toml::Spanned;
use toml::de::DeValue;

use crate::config::Config;
use crate::config::key::KEYS;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::policy::Listing;
use crate::config::policy::Mode;
use crate::config::policy::Policy;
use crate::model::finding::Action;
use crate::model::finding::FindingKind;

/// Which way a change goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// It can only keep back more.
    Stricter,
    /// It can only let through more.
    Milder,
    /// It depends on the release.
    Other,
}

/// One key that means something else.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Difference {
    pub key: String,
    /// As TOML; `None` where nothing is given.
    pub before: Option<String>,
    pub after: Option<String>,
    /// Of a list: what is there no more, and what is there now.
    pub removed: Vec<String>,
    pub added: Vec<String>,
    /// Of a list in which the first that fits counts: the same entries in another order.
    pub reordered: bool,
    pub before_is_default: bool,
    pub after_is_default: bool,
    pub effect: Effect,
}

/// In the order of the example configuration.
pub fn differences(before: &Policy, after: &Policy) -> Vec<Difference> {
    let of = |policy: &Policy| Config { policy: policy.clone(), ..Config::default() };
    let (old, new, defaults) = (of(before), of(after), Config::default());
    let one = |key: &Key| {
        let write = |config: &Config| (key.write)(config);
        let (was, is, default) = (write(&old), write(&new), write(&defaults));
        if was == is {
            return None;
        }
        let (removed, added) = if key.shape == Shape::List { (missing(&was, &is), missing(&is, &was)) } else { (Vec::new(), Vec::new()) };
        Some(Difference {
            reordered: key.shape == Shape::List && removed.is_empty() && added.is_empty(),
            effect: effect(&key.path, before, after),
            key: key.path.clone(),
            before_is_default: was == default,
            after_is_default: is == default,
            before: was,
            after: is,
            removed,
            added,
        })
    };
    KEYS.iter().filter(|key| key.path.starts_with("policy.")).filter_map(one).collect()
}

/// What stands in the list `from` and not in `other`.
fn missing(from: &Option<String>, other: &Option<String>) -> Vec<String> {
    let (from, mut other) = (entries(from), entries(other));
    let is_missing = |entry: &String| match other.iter().position(|one| one == entry) {
        Some(at) => {
            other.swap_remove(at);
            false
        }
        None => true,
    };
    from.into_iter().filter(is_missing).collect()
}

/// The entries of a TOML list, each as it was written.
fn entries(list: &Option<String>) -> Vec<String> {
    let Some(text) = list else { return Vec::new() };
    match DeValue::parse(text).map(Spanned::into_inner) {
        Ok(DeValue::Array(items)) => items.iter().filter_map(|item| text.get(item.span()).map(str::to_owned)).collect(),
        Ok(_) | Err(_) => vec![text.clone()],
    }
}

fn effect(key: &str, before: &Policy, after: &Policy) -> Effect {
    fn by<T: PartialOrd>(before: T, after: T) -> Effect {
        if after > before {
            Effect::Stricter
        } else if after < before {
            Effect::Milder
        } else {
            Effect::Other
        }
    }
    if let Some(kind) = key.strip_prefix("policy.findings.").and_then(FindingKind::parse) {
        return by::<Action>(before.action(kind), after.action(kind));
    }
    let binds = |policy: &Policy| policy.mode == Mode::Enforce;
    let lists_less = |policy: &Policy| policy.listing == Listing::Approved;
    let (old, new) = (&before.release_age, &after.release_age);
    match key {
        "policy.mode" => by(binds(before), binds(after)),
        "policy.listing" => by(lists_less(before), lists_less(after)),
        "policy.release_age.minimum" => by(old.minimum, new.minimum),
        "policy.release_age.floor" => by(old.floor, new.floor),
        "policy.release_age.new_package" => by(old.new_package, new.new_package),
        "policy.release_age.security_lane" => by(!old.security_lane, !new.security_lane),
        "policy.review.approvals" => by(before.review.approvals, after.review.approvals),
        "policy.review.self_approval" => by(!before.review.self_approval, !after.review.self_approval),
        "policy.review.new_packages" => by(before.review.new_packages, after.review.new_packages),
        _ => Effect::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::read_policy;

    fn told(before: &str, after: &str) -> Vec<String> {
        let read = |text: &str| read_policy("policy.toml", text).unwrap();
        let one = |one: &Difference| {
            let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
            format!("{} {} -> {} {:?} -{:?} +{:?}", one.key, text(&one.before), text(&one.after), one.effect, one.removed, one.added)
        };
        differences(&read(before), &read(after)).iter().map(one).collect()
    }

    #[test]
    fn only_what_means_something_else_is_told() {
        assert_eq!(told("", "# a comment\n[policy.release_age]\nminimum = \"7d\"\n[server]\nlisten = \"127.0.0.1:1\""), [""; 0]);
        assert_eq!(told("policy.release_age.minimum = \"168h\"", "policy.release_age.minimum = \"1w\""), [""; 0]);
        let changed =
            told("", "[policy.release_age]\nminimum = \"14d\"\n[policy.findings]\nmalware = \"note\"\ninstall_script = \"review\"");
        assert_eq!(
            changed,
            [
                "policy.release_age.minimum \"7d\" -> \"14d\" Stricter -[] +[]",
                "policy.findings.install_script \"note\" -> \"review\" Stricter -[] +[]",
                "policy.findings.malware \"reject\" -> \"note\" Milder -[] +[]",
            ]
        );
    }

    #[test]
    fn of_a_list_the_entries_are_told() {
        let exempt = |list: &str| format!("policy.release_age.exempt = {list}");
        let changed = differences(
            &read_policy("a", &exempt("[\"a\", \"@types/*\"]")).unwrap(),
            &read_policy("b", &exempt("[\"a\", { package = \"b\", reason = \"why\" }]")).unwrap(),
        );
        assert_eq!(changed[0].removed, ["\"@types/*\""]);
        assert_eq!(changed[0].added, ["{ package = \"b\", reason = \"why\" }"]);
        let rule =
            |package: &str| format!("[[policy.rules]]\npackages = [\"{package}\"]\nreason = \"x\"\nfindings = {{ malware = \"hold\" }}\n");
        let swapped =
            differences(&read_policy("a", &(rule("a*") + &rule("*b"))).unwrap(), &read_policy("b", &(rule("*b") + &rule("a*"))).unwrap());
        assert!(swapped.len() == 1 && swapped[0].reordered && swapped[0].added.is_empty(), "{swapped:?}");
    }
}
