//! What an identity token says, read from its text. Whether it is true, `provider` finds out.

use std::time::Duration;

use data_encoding::BASE64URL_NOPAD;
use serde_json::Map;
use serde_json::Value;

use crate::model::time::Timestamp;

/// Identity tokens of builds have some 30 claims.
const TOKEN_BYTES_MAX: usize = 16 * 1_024;
/// More values of one claim are not looked at.
const VALUES_MAX: usize = 200;
/// Clocks of two machines differ by less.
pub const LEEWAY: Duration = Duration::from_secs(60);
/// Tokens are asked for when they are needed; an older one has lain somewhere.
const AGE_MAX: Duration = Duration::from_secs(3_600);

#[derive(Clone, PartialEq, Debug)]
pub struct Claims(Map<String, Value>);

impl Claims {
    /// Of a token in the compact form, three parts with dots between. Nothing is proven.
    pub fn said_in(token: &str) -> Option<Claims> {
        if token.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let mut parts = token.split('.');
        let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        Claims::read(&BASE64URL_NOPAD.decode(payload.as_bytes()).ok()?)
    }

    /// Of a JSON object.
    pub fn read(object: &[u8]) -> Option<Claims> {
        serde_json::from_slice(object).ok().map(Claims)
    }

    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// A claim that is one text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    /// A claim as a rule compares it: numbers and truth as they are written.
    pub fn word(&self, name: &str) -> Option<String> {
        match self.0.get(name)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(truth) => Some(truth.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => None,
        }
    }

    /// A claim of one text or of several.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        match self.0.get(name) {
            Some(Value::String(text)) => vec![text.as_str()],
            Some(Value::Array(values)) => values.iter().take(VALUES_MAX).filter_map(Value::as_str).collect(),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_)) | None => Vec::new(),
        }
    }

    pub fn issuer(&self) -> Option<&str> {
        self.text("iss")
    }

    pub fn subject(&self) -> Option<&str> {
        self.text("sub").filter(|subject| !subject.is_empty())
    }

    /// Until when the token counts, leeway included.
    pub fn ends_at(&self) -> Option<Timestamp> {
        Some(self.instant("exp")?.plus(LEEWAY))
    }

    /// From when on the token counts no more, however far off it says that its end is.
    pub fn over_at(&self) -> Option<Timestamp> {
        let too_old = self.instant("iat")?.plus(AGE_MAX + LEEWAY + Duration::from_millis(1));
        Some(self.ends_at()?.min(too_old))
    }

    /// Why the token does not count now, if it does not.
    pub fn untimely(&self, now: Timestamp) -> Option<&'static str> {
        let Some(issued_at) = self.instant("iat") else { return Some("it does not say when it was issued") };
        if issued_at > now.plus(LEEWAY) {
            return Some("it was issued in the future");
        }
        if now.since(issued_at) > AGE_MAX + LEEWAY {
            return Some("it was issued more than an hour ago");
        }
        if self.0.contains_key("nbf") && self.instant("nbf").is_none_or(|from| from > now.plus(LEEWAY)) {
            return Some("it does not count yet");
        }
        match self.ends_at() {
            Some(ends_at) if now < ends_at => None,
            Some(_) => Some("it has expired"),
            None => Some("it does not say when it expires"),
        }
    }

    /// Seconds since 1970, perhaps with a fraction, which is cut. Source: RFC 7519, NumericDate.
    fn instant(&self, name: &str) -> Option<Timestamp> {
        let value = self.0.get(name)?;
        #[expect(clippy::cast_possible_truncation, reason = "a cast from float saturates, and so does the product")]
        let seconds = value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64))?;
        Some(Timestamp::from_millis(seconds.saturating_mul(1_000)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claims(payload: &Value) -> Claims {
        let text = format!("e30.{}.x", BASE64URL_NOPAD.encode(payload.to_string().as_bytes()));
        Claims::said_in(&text).unwrap()
    }

    #[test]
    fn a_claim_is_read_as_what_it_is() {
        let said = claims(&json!({"iss": "a", "sub": "", "n": 7, "t": true, "list": ["x", 1, "y"], "one": "z", "o": {}}));
        assert_eq!((said.issuer(), said.subject(), said.text("n")), (Some("a"), None, None));
        assert_eq!(
            ["n", "t", "one", "list", "o", "-"].map(|name| said.word(name)),
            [Some("7".to_owned()), Some("true".to_owned()), Some("z".to_owned()), None, None, None]
        );
        assert_eq!((said.texts("list"), said.texts("one"), said.texts("n")), (vec!["x", "y"], vec!["z"], vec![]));
        let many = claims(&json!({"groups": vec!["g"; VALUES_MAX + 1]}));
        assert_eq!(many.texts("groups").len(), VALUES_MAX);
    }

    #[test]
    fn what_is_no_token_says_nothing() {
        let long = format!("e30.{}.x", "A".repeat(TOKEN_BYTES_MAX));
        for text in ["", "..", "e30.e30", "e30.e30.x.y", "e30.W10.x", "e30.e30=.x", "e30.!!.x", "airlock_0123_abc", &long] {
            assert!(Claims::said_in(text).is_none(), "{text:.40}");
        }
    }

    #[test]
    fn a_token_has_its_time() {
        let now = Timestamp::from_millis(1_000_000_000);
        let check = |iat: Value, nbf: Option<i64>, exp: Value, expect: Option<&str>| {
            let mut payload = json!({"iat": iat, "exp": exp});
            if let Some(nbf) = nbf {
                payload["nbf"] = json!(nbf);
            }
            assert_eq!(claims(&payload).untimely(now), expect, "{payload}");
        };
        check(json!(1_000_000), None, json!(1_000_600), None);
        check(json!(1_000_000.5), Some(1_000_060), json!(1_000_600), None);
        check(json!(1_000_061), None, json!(1_000_600), Some("it was issued in the future"));
        check(json!(996_339), None, json!(1_000_600), Some("it was issued more than an hour ago"));
        check(json!(1_000_000), Some(1_000_061), json!(1_000_600), Some("it does not count yet"));
        check(json!(999_000), None, json!(999_941), None);
        check(json!(999_000), None, json!(999_940), Some("it has expired"));
        check(json!("1000000"), None, json!(1_000_600), Some("it does not say when it was issued"));
        check(json!(1_000_000), None, Value::Null, Some("it does not say when it expires"));
        // What it is remembered until, so that nobody shows it twice, is no later than it could be shown.
        for (exp, over_at) in [(1_000_600, 1_000_660_000), (9_000_000_000_i64, 1_003_660_001)] {
            let said = claims(&json!({"iat": 1_000_000, "exp": exp}));
            assert_eq!(said.over_at(), Some(Timestamp::from_millis(over_at)));
            let last = |millis| said.untimely(Timestamp::from_millis(over_at - millis)).is_none();
            assert!(last(1) && !last(0));
        }
    }
}
