//! What stands after `/-/`, where no package can be: people, tags, tokens, the review queue, search, audits.

use std::borrow::Cow;

use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::path::BadPath;
use crate::protocol::npm::path::cut;
use crate::protocol::npm::path::is_plain;
use crate::protocol::npm::path::leading_name;

/// As [`super::SEGMENTS_MAX`]: `npm/v1/oidc/token/exchange/package/@scope/name` and one more.
const SEGMENTS_MAX: usize = 9;

/// What a user's document is called.
const COUCH_USER: &str = "org.couchdb.user:";

/// A path of the registry's own, by the path alone.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Own {
    Ping,
    Whoami,
    Search,
    DistTags(PackageName),
    DistTag {
        package: PackageName,
        tag: String,
    },
    Visibility(PackageName),
    Collaborators(PackageName),
    Access(PackageName),
    Owners(PackageName),
    Owner {
        package: PackageName,
        user: String,
    },
    Status {
        package: PackageName,
        version: Version,
    },
    /// `/-/user/v1/star`: the body names the package.
    Star,
    PackageStar(PackageName),
    /// Whose stars, the query says.
    StarredBy,
    Stars {
        user: String,
    },
    PackagesOf {
        user: String,
    },
    User {
        user: String,
    },
    UserRevision {
        user: String,
        revision: String,
    },
    /// A token to be given up, as it is presented.
    Token {
        token: String,
    },
    Tokens,
    TokenKey {
        key: String,
    },
    Profile,
    Login,
    Done {
        session: String,
    },
    Exchange(PackageName),
    /// A package to be submitted, and to wait whatever else is so.
    StagePackage(PackageName),
    Stage,
    Staged {
        id: String,
    },
    StagedTarball {
        id: String,
    },
    StagedApproval {
        id: String,
    },
    Keys,
    Attestations {
        package: PackageName,
        wanted: String,
    },
    AuditBulk,
    Audit,
    AuditQuick,
}

/// Reads what stands after `/-/`, raw. `None`: nothing is served there.
///
/// # Errors
/// It is not well encoded, or a name in it is none.
pub fn parse(raw: &str) -> Result<Option<Own>, BadPath> {
    let mut decoded = [const { Cow::Borrowed("") }; SEGMENTS_MAX];
    let mut segments = [""; SEGMENTS_MAX];
    Ok(match cut(raw, &mut decoded, &mut segments)? {
        ["ping"] => Some(Own::Ping),
        ["whoami"] => Some(Own::Whoami),
        ["_view", "starredByUser"] => Some(Own::StarredBy),
        ["package", rest @ ..] if !rest.is_empty() => of_package(rest)?,
        ["stage", rest @ ..] => of_stage(rest)?,
        ["user", rest @ ..] => of_user(rest)?,
        ["v1", rest @ ..] => of_first(rest),
        ["npm", "v1", rest @ ..] => of_npm(rest)?,
        _ => None,
    })
}

fn plain(text: &str) -> Option<String> {
    is_plain(text).then(|| text.to_owned())
}

/// `/-/package/…`
fn of_package(segments: &[&str]) -> Result<Option<Own>, BadPath> {
    let (package, rest) = leading_name(segments)?;
    Ok(match rest {
        ["dist-tags"] => Some(Own::DistTags(package)),
        ["dist-tags", tag] => plain(tag).map(|tag| Own::DistTag { package, tag }),
        ["visibility"] => Some(Own::Visibility(package)),
        ["collaborators"] => Some(Own::Collaborators(package)),
        ["access"] => Some(Own::Access(package)),
        ["owners"] => Some(Own::Owners(package)),
        ["owners", user] => plain(user).map(|user| Own::Owner { package, user }),
        ["version", version, "status"] => Version::parse(version).ok().map(|version| Own::Status { package, version }),
        _ => None,
    })
}

/// `/-/stage…`
fn of_stage(segments: &[&str]) -> Result<Option<Own>, BadPath> {
    Ok(match segments {
        [] => Some(Own::Stage),
        ["package"] => None,
        ["package", rest @ ..] => whole(rest)?.map(Own::StagePackage),
        [id] => plain(id).map(|id| Own::Staged { id }),
        [id, "tarball"] => plain(id).map(|id| Own::StagedTarball { id }),
        [id, "approve"] => plain(id).map(|id| Own::StagedApproval { id }),
        _ => None,
    })
}

/// `/-/user/…`
fn of_user(segments: &[&str]) -> Result<Option<Own>, BadPath> {
    Ok(match segments {
        ["v1", "star"] => Some(Own::Star),
        [user, "stars"] => plain(user).map(|user| Own::Stars { user }),
        [user, "package"] => plain(user).map(|user| Own::PackagesOf { user }),
        ["package", rest @ .., "star"] if !rest.is_empty() => whole(rest)?.map(Own::PackageStar),
        ["token", token] => plain(token).map(|token| Own::Token { token }),
        [document] => couch_user(document).map(|user| Own::User { user }),
        [document, "-rev", revision] => {
            couch_user(document).zip(plain(revision)).map(|(user, revision)| Own::UserRevision { user, revision })
        }
        _ => None,
    })
}

fn couch_user(document: &str) -> Option<String> {
    document.strip_prefix(COUCH_USER).and_then(plain)
}

/// `/-/v1/…`
fn of_first(segments: &[&str]) -> Option<Own> {
    match segments {
        ["search"] => Some(Own::Search),
        ["login"] => Some(Own::Login),
        ["done", session] => plain(session).map(|session| Own::Done { session }),
        _ => None,
    }
}

/// `/-/npm/v1/…`
fn of_npm(segments: &[&str]) -> Result<Option<Own>, BadPath> {
    Ok(match segments {
        ["keys"] => Some(Own::Keys),
        ["attestations", subject] => attestations(subject)?,
        ["attestations", scope, subject] if scope.starts_with('@') => attestations(&format!("{scope}/{subject}"))?,
        ["tokens"] => Some(Own::Tokens),
        ["tokens", "token", key] => plain(key).map(|key| Own::TokenKey { key }),
        ["user"] => Some(Own::Profile),
        ["oidc", "token", "exchange", "package", rest @ ..] if !rest.is_empty() => whole(rest)?.map(Own::Exchange),
        ["security", "advisories", "bulk"] => Some(Own::AuditBulk),
        ["security", "audits"] => Some(Own::Audit),
        ["security", "audits", "quick"] => Some(Own::AuditQuick),
        _ => None,
    })
}

/// `left-pad@1.3.0`, `@acme/web@1.0.0`.
fn attestations(subject: &str) -> Result<Option<Own>, BadPath> {
    match subject.rsplit_once('@') {
        Some((name, wanted)) if !name.is_empty() => {
            let package = PackageName::npm(name)?;
            Ok(plain(wanted).map(|wanted| Own::Attestations { package, wanted }))
        }
        Some(_) | None => Ok(None),
    }
}

/// A name and nothing after it.
fn whole(segments: &[&str]) -> Result<Option<PackageName>, BadPath> {
    let (package, rest) = leading_name(segments)?;
    Ok(rest.is_empty().then_some(package))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> PackageName {
        PackageName::npm(text).unwrap()
    }

    #[track_caller]
    fn check(raw: &str, expect: Own) {
        assert_eq!(parse(raw), Ok(Some(expect)), "{raw}");
    }

    #[test]
    fn what_is_about_a_package_takes_every_spelling_of_it() {
        for package in ["@acme%2fweb", "@acme%2Fweb", "@acme/web", "%40acme%2fweb"] {
            let web = || name("@acme/web");
            check(&format!("package/{package}/dist-tags/next"), Own::DistTag { package: web(), tag: "next".into() });
            check(&format!("package/{package}/visibility"), Own::Visibility(web()));
            check(&format!("package/{package}/collaborators"), Own::Collaborators(web()));
            check(&format!("package/{package}/access"), Own::Access(web()));
            check(&format!("package/{package}/owners"), Own::Owners(web()));
            check(&format!("package/{package}/owners/ann"), Own::Owner { package: web(), user: "ann".into() });
            let version = Version::parse("1.0.0+b").unwrap();
            check(&format!("package/{package}/version/1.0.0%2bb/status"), Own::Status { package: web(), version });
            check(&format!("user/package/{package}/star"), Own::PackageStar(web()));
            check(&format!("stage/package/{package}"), Own::StagePackage(web()));
            check(&format!("npm/v1/oidc/token/exchange/package/{package}"), Own::Exchange(web()));
            check(&format!("npm/v1/attestations/{package}@1.0.0"), Own::Attestations { package: web(), wanted: "1.0.0".into() });
        }
    }

    #[test]
    fn people_and_their_tokens() {
        check("user/org.couchdb.user:ann", Own::User { user: "ann".into() });
        check("user/org.couchdb.user%3aann", Own::User { user: "ann".into() });
        check("user/org.couchdb.user:ann/-rev/1-0", Own::UserRevision { user: "ann".into(), revision: "1-0".into() });
        check("user/token/airlock_x", Own::Token { token: "airlock_x".into() });
        check("user/v1/star", Own::Star);
        check("user/ann/stars", Own::Stars { user: "ann".into() });
        check("user/ann/package", Own::PackagesOf { user: "ann".into() });
        check("user/package/package", Own::PackagesOf { user: "package".into() });
        check("npm/v1/tokens", Own::Tokens);
        check("npm/v1/tokens/token/0123", Own::TokenKey { key: "0123".into() });
        check("npm/v1/user", Own::Profile);
        check("v1/login", Own::Login);
        check("v1/done/abc", Own::Done { session: "abc".into() });
        check("_view/starredByUser", Own::StarredBy);
    }

    #[test]
    fn the_queue_and_what_is_asked_of_many() {
        check("stage", Own::Stage);
        check("stage/0123", Own::Staged { id: "0123".into() });
        check("stage/0123/tarball", Own::StagedTarball { id: "0123".into() });
        check("stage/0123/approve", Own::StagedApproval { id: "0123".into() });
        check("v1/search", Own::Search);
        check("npm/v1/keys", Own::Keys);
        check("npm/v1/security/advisories/bulk", Own::AuditBulk);
        check("npm/v1/security/audits", Own::Audit);
        check("npm/v1/security/audits/quick", Own::AuditQuick);
    }

    #[test]
    fn what_is_not_served_is_nothing() {
        for raw in [
            "",
            "all",
            "stage/",
            "stage/package",
            "stage/package/x/y",
            "stage/x/approve/y",
            "stage/x%2fy",
            "stage/..",
            "package/x/dist-tags/",
            "package/x/dist-tags/a/b",
            "package/x/version//status",
            "user",
            "user/ann",
            "user/org.couchdb.user:",
            "user/package/star",
            "user/token/",
            "org/acme/package",
            "team/acme/web/package",
            "npm/v1/hooks",
            "npm/v1/attestations/left-pad",
            "npm/v1/attestations/@1.0.0",
            "npm/v1/oidc/token/exchange/package",
            "npm/v1/oidc/token/exchange/package/@acme/web/x",
            "npm/v1/oidc/token/exchange/package/@acme/web/x/y/z",
            "ping/",
        ] {
            assert_eq!(parse(raw), Ok(None), "{raw}");
        }
        for raw in ["stage/package/..%2fx", "npm/v1/attestations/.x@1.0.0", "user/package/_x/star", "package/@acme/"] {
            assert!(matches!(parse(raw), Err(BadPath::Name(_))), "{raw}");
        }
        assert!(matches!(parse("stage/%zz"), Err(BadPath::Encoding(_))));
        assert!(matches!(parse("stage/a/b/c/d/e/f/g/h/i/%zz"), Err(BadPath::Encoding(_))));
    }
}
