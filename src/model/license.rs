//! Licences: which of them policy names, and whether what a package says of its own can be met.

use std::fmt;
use std::sync::Arc;

use spdx::Expression;
use spdx::LicenseItem;
use spdx::LicenseReq;
use spdx::ParseMode;
use spdx::identifiers::LICENSES;

use crate::model::package::as_one_string;

/// What packages say that nobody may use.
const UNLICENSED: &str = "UNLICENSED";
const OWN: &str = "LicenseRef-";
/// Ids that SPDX gave up and what they stand for: a licence, and what it is with. Those of GNU that only lack `-only`, and those with a
/// `+`, are read as such. Source: SPDX's list of deprecated identifiers.
const GIVEN_UP: [(&str, &str, Option<&str>); 14] = [
    ("BSD-2-Clause-FreeBSD", "BSD-2-Clause-Views", None),
    ("BSD-2-Clause-NetBSD", "BSD-2-Clause", None),
    ("GPL-2.0-with-GCC-exception", "GPL-2.0-only", Some("GCC-exception-2.0")),
    ("GPL-2.0-with-autoconf-exception", "GPL-2.0-only", Some("Autoconf-exception-2.0")),
    ("GPL-2.0-with-bison-exception", "GPL-2.0-only", Some("Bison-exception-2.2")),
    ("GPL-2.0-with-classpath-exception", "GPL-2.0-only", Some("Classpath-exception-2.0")),
    ("GPL-2.0-with-font-exception", "GPL-2.0-only", Some("Font-exception-2.0")),
    ("GPL-3.0-with-GCC-exception", "GPL-3.0-only", Some("GCC-exception-3.1")),
    ("GPL-3.0-with-autoconf-exception", "GPL-3.0-only", Some("Autoconf-exception-3.0")),
    ("Nunit", "zlib-acknowledgement", None),
    ("StandardML-NJ", "SMLNJ", None),
    ("bzip2-1.0.5", "bzip2-1.0.6", None),
    ("eCos-2.0", "GPL-2.0-or-later", Some("eCos-exception-2.0")),
    ("wxWindows", "LGPL-2.0-or-later", Some("WxWindows-exception-3.1")),
];

/// `MIT`, `GPL-3.0` (which is also its `-only` and its `-or-later`), `GPL-3.0+` (which is its `-or-later`), `AGPL-*`, `LicenseRef-Acme`, `UNLICENSED`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct LicensePattern(Arc<str>);

#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct NotALicense(String);

impl LicensePattern {
    pub fn parse(text: &str) -> Result<LicensePattern, NotALicense> {
        let taken = match text.strip_suffix('*') {
            Some(start) => !start.contains('*') && !start.is_empty() && LICENSES.iter().any(|one| one.name.starts_with(start)),
            None => text == UNLICENSED || text.strip_prefix(OWN).is_some_and(is_own_name) || is_of_spdx(text),
        };
        if taken {
            Ok(LicensePattern(Arc::from(text)))
        } else {
            Err(NotALicense(format!("{text:?} is no licence that SPDX has an id for")))
        }
    }

    /// The ids that SPDX has.
    pub fn known() -> impl Iterator<Item = &'static str> {
        LICENSES.iter().map(|one| one.name)
    }

    fn matches(&self, name: &str) -> bool {
        match self.0.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => name == &*self.0,
        }
    }
}

/// An id, and perhaps a `+` behind one that does not say itself which versions it means.
fn is_of_spdx(text: &str) -> bool {
    let id = text.strip_suffix('+').filter(|id| !id.ends_with("-only") && !id.ends_with("-or-later")).unwrap_or(text);
    !id.ends_with('+') && spdx::license_id(id).is_some()
}

fn is_own_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
}

/// Why a licence is not one that may be used.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NotMet {
    /// It says nothing, or nothing that is an SPDX expression.
    Unclear,
    /// Whichever of its choices is taken, one of these is in it. Each once.
    Denied(Vec<String>),
}

/// Whether one may use what is under `said` and keep to `allow` and `deny`. An empty `allow` allows everything that is not denied. Of
/// a choice it is enough that one can be taken.
pub fn meets(said: Option<&str>, allow: &[LicensePattern], deny: &[LicensePattern]) -> Result<(), NotMet> {
    let may = |names: &[String]| {
        let any = |patterns: &[LicensePattern]| patterns.iter().any(|pattern| names.iter().any(|name| pattern.matches(name)));
        !any(deny) && (allow.is_empty() || any(allow))
    };
    match said.map(str::trim) {
        Some(UNLICENSED) => {
            let names = [UNLICENSED.to_owned()];
            // Without a word about it, it is not for anybody to use.
            let is_meant = allow.iter().any(|pattern| pattern.matches(UNLICENSED));
            if is_meant && may(&names) { Ok(()) } else { Err(NotMet::Denied(names.to_vec())) }
        }
        Some(text) => {
            let expression = Expression::parse_mode(text, ParseMode::LAX).map_err(|_| NotMet::Unclear)?;
            match expression.evaluate_with_failures(|req| may(&names(req))) {
                Ok(()) => Ok(()),
                Err(failed) => {
                    let mut named: Vec<String> = failed.iter().map(|one| one.req.license.to_string()).collect();
                    named.sort();
                    named.dedup();
                    Err(NotMet::Denied(named))
                }
            }
        }
        None => Err(NotMet::Unclear),
    }
}

/// Every name that a pattern may mean it by. An exception (`WITH …`) only ever permits more, so that it changes nothing.
fn names(req: &LicenseReq) -> Vec<String> {
    match &req.license {
        LicenseItem::Spdx { id, or_later } => {
            let given_up = GIVEN_UP.iter().find(|(old, ..)| *old == id.name);
            let name = given_up.map_or(id.name, |(_, meant, _)| *meant);
            let exception = given_up.and_then(|(.., exception)| *exception).or_else(|| Some(req.addition.as_ref()?.id()?.name));
            let base = name.strip_suffix("-only").or_else(|| name.strip_suffix("-or-later")).unwrap_or(name);
            let later = *or_later || name.ends_with("-or-later");
            let mut names = vec![id.name.to_owned(), name.to_owned(), base.to_owned()];
            let is_gnu = spdx::license_id(name).is_some_and(|meant| meant.is_gnu());
            let exactly = if is_gnu { format!("{base}-{}", if later { "or-later" } else { "only" }) } else { name.to_owned() };
            if later {
                names.push(format!("{base}+"));
            }
            // By an older id, where one stands for the very same.
            let same = GIVEN_UP.iter().filter(|(_, meant, with)| *meant == exactly && *with == exception);
            names.extend(same.map(|(old, ..)| (*old).to_owned()));
            names.push(exactly);
            names
        }
        LicenseItem::Other(own) => vec![own.to_string()],
    }
}

impl fmt::Display for LicensePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

as_one_string!(LicensePattern);

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(texts: &[&str]) -> Vec<LicensePattern> {
        texts.iter().map(|text| LicensePattern::parse(text).unwrap()).collect()
    }

    #[test]
    fn what_spdx_does_not_know_is_no_licence() {
        for good in ["MIT", "GPL-3.0", "GPL-3.0-only", "AGPL-*", "BSD-*", "LicenseRef-Acme", "UNLICENSED", "GPL-2.0+"] {
            assert!(LicensePattern::parse(good).is_ok(), "{good}");
        }
        for bad in ["", "*", "mit", "GPL", "GLP-*", "*GPL", "LicenseRef-", "LicenseRef-a b", "MIT OR ISC", "GPL-2.0++", "GPL-2.0-only+"] {
            assert!(LicensePattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_choice_is_met_by_one_and_a_sum_by_all() {
        let allow = patterns(&["MIT", "ISC", "BSD-*", "Apache-2.0"]);
        for (said, expect) in [
            ("MIT", true),
            ("(MIT OR GPL-3.0-only)", true),
            ("MIT AND GPL-3.0-only", false),
            ("MIT AND (GPL-3.0 OR ISC)", true),
            ("BSD-3-Clause", true),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("MIT/ISC", true),
            ("Apache 2.0", true),
            ("GPL-3.0", false),
            ("UNLICENSED", false),
        ] {
            assert_eq!(meets(Some(said), &allow, &[]).is_ok(), expect, "{said}");
        }
        assert_eq!(meets(Some("MIT AND GPL-3.0-only"), &allow, &[]), Err(NotMet::Denied(vec!["GPL-3.0-only".to_owned()])));
    }

    #[test]
    fn a_gnu_licence_is_meant_by_its_number() {
        let denies = |deny: &str, said: &str| meets(Some(said), &[], &patterns(&[deny])).is_err();
        for said in ["GPL-3.0", "GPL-3.0+", "GPL-3.0-only", "GPL-3.0-or-later"] {
            assert!(denies("GPL-3.0", said) && denies("GPL-*", said), "{said}");
            assert!(!denies("LGPL-*", said) && !denies("GPL-2.0", said), "{said}");
        }
        assert!(denies("GPL-3.0-only", "GPL-3.0") && !denies("GPL-3.0-only", "GPL-3.0-or-later"));
        assert!(!denies("GPL-3.0", "MIT OR GPL-3.0") && denies("GPL-3.0", "MIT AND GPL-3.0"));
        assert!(denies("GPL-2.0", "GPL-2.0-only WITH Classpath-exception-2.0"));
    }

    #[test]
    fn an_id_that_was_given_up_is_what_it_stands_for() {
        let denies = |deny: &str, said: &str| meets(Some(said), &[], &patterns(&[deny])).is_err();
        let classpath = "GPL-2.0-with-classpath-exception";
        for deny in ["GPL-2.0", "GPL-2.0-only", "GPL-*", classpath] {
            assert!(denies(deny, classpath) && denies(deny, "GPL-2.0-only WITH Classpath-exception-2.0"), "{deny}");
        }
        assert!(!denies(classpath, "GPL-2.0-only") && !denies(classpath, "GPL-2.0-or-later WITH Classpath-exception-2.0"));
        for deny in ["GPL-2.0+", "GPL-2.0-or-later", "GPL-2.0"] {
            assert!(denies(deny, "GPL-2.0+") && denies(deny, "GPL-2.0-or-later") && denies(deny, "eCos-2.0"), "{deny}");
        }
        assert!(!denies("GPL-2.0+", "GPL-2.0") && !denies("GPL-2.0-only", "GPL-2.0+") && denies("GPL-2.0-only", "GPL-2.0"));
        assert!(denies("LGPL-3.0+", "LGPL-3.0-or-later") && denies("LGPL-3.0-or-later", "LGPL-3.0+") && !denies("LGPL-3.0+", "LGPL-3.0"));
        assert!(denies("LGPL-*", "wxWindows") && denies("wxWindows", "LGPL-2.0+ WITH WxWindows-exception-3.1"));
        assert!(denies("BSD-2-Clause", "BSD-2-Clause-NetBSD") && denies("BSD-2-Clause-NetBSD", "BSD-2-Clause"));
        assert!(denies("Apache-2.0+", "Apache-2.0+") && !denies("Apache-2.0+", "Apache-2.0"));
        let allow = patterns(&[classpath]);
        assert!(
            meets(Some("GPL-2.0-only WITH Classpath-exception-2.0"), &allow, &[]).is_ok() && meets(Some("GPL-2.0"), &allow, &[]).is_err()
        );
    }

    /// What SPDX gives up later is looked at when its list is.
    #[test]
    fn every_id_that_was_given_up_is_known() {
        let others = ["Net-SNMP"];
        for one in LICENSES.iter().filter_map(|one| spdx::license_id(one.name)).filter(|one| one.is_deprecated()) {
            let is_gnu_number = one.is_gnu() && spdx::license_id(&format!("{}-only", one.name)).is_some();
            assert!(is_gnu_number || others.contains(&one.name) || GIVEN_UP.iter().any(|(old, ..)| *old == one.name), "{}", one.name);
        }
        for (old, meant, exception) in GIVEN_UP {
            assert!(spdx::license_id(old).is_some_and(|one| one.is_deprecated()), "{old}");
            assert!(spdx::license_id(meant).is_some_and(|one| !one.is_deprecated()), "{meant}");
            assert!(exception.is_none_or(|name| spdx::exception_id(name).is_some()), "{exception:?}");
        }
    }

    #[test]
    fn what_nobody_can_read_is_unclear() {
        for said in [None, Some("SEE LICENSE IN LICENSE.txt"), Some("Acme Proprietary"), Some(""), Some("MIT OR"), Some("((((")] {
            assert_eq!(meets(said, &[], &patterns(&["MIT"])), Err(NotMet::Unclear), "{said:?}");
        }
        let own = patterns(&["UNLICENSED", "LicenseRef-Acme"]);
        assert!(meets(Some("UNLICENSED"), &own, &[]).is_ok() && meets(Some("LicenseRef-Acme"), &own, &[]).is_ok());
        assert!(meets(Some("UNLICENSED"), &[], &patterns(&["GPL-3.0"])).is_err());
    }
}
