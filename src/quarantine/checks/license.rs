//! Licences: whether a release is under one that policy takes, by what its own manifest says.

use crate::config::policy::Licenses;
use crate::config::policy::Unclear;
use crate::model::facts::Facts;
use crate::model::finding::Finding;
use crate::model::finding::FindingKind;
use crate::model::license::NotMet;
use crate::model::license::meets;

/// Nothing where policy names no licence, and of what was not looked into.
pub fn examine(facts: &Facts, licenses: &Licenses) -> Option<Finding> {
    let Licenses { allow, deny, unclear } = licenses;
    // Of these archives nothing inside was read; that is a finding of its own.
    let was_read = facts.unsafe_archive.is_none() && facts.unreadable_manifest.is_none();
    if (allow.is_empty() && deny.is_empty()) || !was_read {
        return None;
    }
    let said = facts.license.as_deref();
    let evidence = match (meets(said, allow, deny), unclear) {
        (Ok(()), _) | (Err(NotMet::Unclear), Unclear::Allow) => return None,
        (Err(NotMet::Unclear), Unclear::Deny) => match said {
            Some(said) => format!("{said}, which is no SPDX expression"),
            None => "it says nothing of its licence".to_owned(),
        },
        (Err(NotMet::Denied(named)), _) => {
            let said = said.unwrap_or_default();
            let named = named.join(", ");
            if named == said { named } else { format!("{said}: not {named}") }
        }
    };
    Some(Finding::new(FindingKind::LicenseDenied, evidence))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::license::LicensePattern;

    #[test]
    fn a_licence_is_minded_where_policy_names_some() {
        let patterns = |texts: &[&str]| texts.iter().map(|text| LicensePattern::parse(text).unwrap()).collect::<Vec<_>>();
        let check = |said: Option<&str>, allow: &[&str], deny: &[&str], unclear, expect: Option<&str>| {
            let licenses = Licenses { allow: patterns(allow), deny: patterns(deny), unclear };
            let facts = Facts { license: said.map(str::to_owned), ..Facts::default() };
            let found = examine(&facts, &licenses);
            assert_eq!(found.as_ref().map(|one| one.evidence.as_str()), expect, "{said:?} {allow:?} {deny:?}");
        };
        check(None, &[], &[], Unclear::Deny, None);
        check(Some("GPL-3.0"), &["MIT"], &[], Unclear::Deny, Some("GPL-3.0"));
        check(Some("MIT AND GPL-3.0-only"), &[], &["GPL-*"], Unclear::Deny, Some("MIT AND GPL-3.0-only: not GPL-3.0-only"));
        check(Some("MIT OR GPL-3.0-only"), &[], &["GPL-*"], Unclear::Deny, None);
        check(None, &[], &["GPL-*"], Unclear::Deny, Some("it says nothing of its licence"));
        check(Some("see LICENSE"), &["MIT"], &[], Unclear::Deny, Some("see LICENSE, which is no SPDX expression"));
        check(Some("see LICENSE"), &["MIT"], &[], Unclear::Allow, None);
        check(Some("GPL-3.0"), &["MIT"], &[], Unclear::Allow, Some("GPL-3.0"));
    }
}
