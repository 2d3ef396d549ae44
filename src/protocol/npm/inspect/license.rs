//! What a manifest says of its licence, in the forms that were ever in use, as one expression.

use serde_json::Value;

use crate::protocol::npm::inspect::manifest::Manifest;
use crate::protocol::npm::inspect::shown;

/// None where it says nothing.
pub(super) fn license(manifest: &Manifest) -> Option<String> {
    let one = |value: &Value| {
        let text = value.as_str().or_else(|| value.get("type").and_then(Value::as_str));
        text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    };
    let all = |value: &Value| match value {
        Value::Array(values) => values.iter().filter_map(one).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => one(value).into_iter().collect::<Vec<_>>(),
    };
    let said =
        ["license", "licenses", "licence"].into_iter().filter_map(|field| manifest.get(field)).map(all).find(|all| !all.is_empty())?;
    Some(shown(&said.join(" OR ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_one_expression() {
        for (text, expect) in [
            (r#"{"license":"MIT"}"#, Some("MIT")),
            (r#"{"license":" (MIT OR Apache-2.0) "}"#, Some("(MIT OR Apache-2.0)")),
            (r#"{"license":{"type":"ISC","url":"x"}}"#, Some("ISC")),
            (r#"{"licenses":[{"type":"MIT"},"GPL-3.0"]}"#, Some("MIT OR GPL-3.0")),
            (r#"{"license":"","licenses":"BSD"}"#, Some("BSD")),
            (r#"{"license":7}"#, None),
            ("{}", None),
        ] {
            let Ok(Value::Object(manifest)) = serde_json::from_str(text) else { panic!("{text}") };
            assert_eq!(license(&manifest).as_deref(), expect, "{text}");
        }
    }
}
