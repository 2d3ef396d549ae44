//! A packument, split in one pass over its text: its top level, and each manifest on the way.

use crate::ecosystem::Unreadable;
use crate::ecosystem::json::Key;
use crate::ecosystem::json::Pair;
use crate::ecosystem::json::Raw;
use crate::ecosystem::json::Scanner;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::checked;

/// Most releases a packument may have; the largest known has about 15,000.
pub const VERSIONS_MAX: usize = 50_000;

/// Most keys on a packument's top level.
const KEYS_MAX: usize = 1_000;

const VERSIONS: &str = "versions";

/// The pairs of a packument's top level but for `versions`, no key twice. What stands in `versions` is handed to `each`, in
/// order, split on the way; there, a key may stand twice.
///
/// Errors: what is no JSON object, is ambiguous on its top level, or has too many releases.
pub fn split<'d>(
    document: &'d [u8],
    mut each: impl FnMut(Key<'d>, Raw<'d>, Result<Manifest<'d>, Fault>),
) -> Result<Vec<Pair<'d>>, Unreadable> {
    let text = std::str::from_utf8(document).map_err(|error| Unreadable::Malformed(format!("not UTF-8: {error}")))?;
    let mut pairs: Vec<Pair<'_>> = Vec::new();
    let mut seen = false;
    let mut scanner = Scanner::new(text);
    scanner.object(|scanner, key| {
        let key = Key::of(key)?;
        if pairs.len() + usize::from(seen) == KEYS_MAX {
            return Err(Unreadable::TooLarge { what: "the number of keys", max: KEYS_MAX as u64 });
        }
        if key != VERSIONS {
            pairs.push((key, scanner.value()?));
            return Ok(());
        }
        if std::mem::replace(&mut seen, true) {
            return Err(malformed(Fault::Twice { place: "the document", key: VERSIONS.to_owned() }));
        }
        let mut releases = 0;
        scanner.object(|scanner, version| {
            if releases == VERSIONS_MAX {
                return Err(Unreadable::TooLarge { what: "the number of versions", max: VERSIONS_MAX as u64 });
            }
            releases += 1;
            let version = Key::of(version)?;
            let (text, manifest) = Manifest::scan(scanner)?;
            each(version, text, manifest);
            Ok(())
        })?;
        Ok(())
    })?;
    scanner.end()?;
    checked(pairs, "the document").map_err(malformed)
}

fn malformed(fault: Fault) -> Unreadable {
    Unreadable::Malformed(fault.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_top_level_and_its_versions_are_split_at_once() {
        let mut releases = Vec::new();
        let text = br#" {"name":"x", "versions" : {"1":{"a" :1},"1":[2]},"v\u0065":3} "#;
        let head = split(text, |key, text, manifest| releases.push(format!("{}={} {}", &*key, text.get(), manifest.is_ok()))).unwrap();
        let shown: Vec<String> = head.iter().map(|(key, value)| format!("{}={}", &**key, value.get())).collect();
        assert_eq!(shown, ["name=\"x\"", "ve=3"]);
        assert_eq!(releases, ["1={\"a\" :1} true", "1=[2] false"]);
        assert!(split(b"{}", |_, _, _| releases.clear()).unwrap().is_empty());
        assert_eq!(releases.len(), 2);
    }

    #[test]
    fn what_is_ambiguous_or_too_much_is_refused() {
        #[track_caller]
        fn check(text: &str, why: &str) {
            assert_eq!(split(text.as_bytes(), |_, _, _| {}).unwrap_err().to_string(), why);
        }
        let shape = "not a document of this format: ";
        check(r#"{"versions":{},"\u0076ersions":{}}"#, &format!("{shape}the document has the key \"versions\" twice"));
        check(r#"{"a":{},"a":{}}"#, &format!("{shape}the document has the key \"a\" twice"));
        check(r#"{"versions":[]}"#, &format!("{shape}not JSON: expected an object at line 1 column 13"));
        check("[]", &format!("{shape}not JSON: expected an object at line 1 column 1"));
        check("{} {}", &format!("{shape}not JSON: expected the end at line 1 column 4"));
        assert_eq!(
            split(b"{\"a\":\"\xff\"}", |_, _, _| {}).unwrap_err().to_string(),
            format!("{shape}not UTF-8: invalid utf-8 sequence of 1 bytes from index 6")
        );
        let keys: Vec<String> = (0..=KEYS_MAX).map(|n| format!("\"{n}\":0")).collect();
        check(&format!("{{{}}}", keys.join(",")), "the number of keys is over its limit of 1000");
    }
}
