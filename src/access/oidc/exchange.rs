//! Trusted publishing: a build shows what its provider signed for it, and gets a token that publishes one package for
//! minutes. Only a build whose every configured claim is so gets one, and each identity token once a package.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use crate::access::NAME_BYTES_MAX;
use crate::access::NAMES_OF_BUILDS;
use crate::access::oidc::Identities;
use crate::access::oidc::OidcError;
use crate::access::oidc::claims::Claims;
use crate::config::access::TrustedPublisher;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::package::PackageName;
use crate::model::principal::Workflow;
use crate::model::time::Timestamp;

/// Identity tokens that are remembered until they end.
const SPENT_MAX: usize = 10_000;
/// Claims that call a build by its repository, the first that is there; the subject stands for the rest.
const REPOSITORY: [&str; 3] = ["repository", "project_path", "repository_name"];
/// What of a claim is repeated in the log, in bytes.
const ECHO_BYTES_MAX: usize = 200;

/// A build that is proven to be one that publishes the package.
#[derive(Clone, PartialEq, Debug)]
pub struct Build {
    /// `ci:acme/web`.
    pub name: String,
    pub workflow: Workflow,
    pub token_for: Duration,
}

/// What was exchanged, until when it would count.
#[derive(Default)]
pub struct Spent(Mutex<HashMap<DocumentDigest, Timestamp>>);

impl Spent {
    /// # Errors
    /// It was shown before, or too many others are remembered.
    fn spend(&self, what: DocumentDigest, until: Timestamp, now: Timestamp) -> Result<(), OidcError> {
        let mut spent = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.get(&what).is_some_and(|until| now < *until) {
            return Err(OidcError::untrusted("it was exchanged before"));
        }
        if spent.len() >= SPENT_MAX {
            spent.retain(|_, until| now < *until);
        }
        if spent.len() >= SPENT_MAX {
            return Err(OidcError::TooMany);
        }
        spent.insert(what, until);
        Ok(())
    }
}

impl Identities {
    /// Which build presents `token` to publish `package` on this Airlock, whose name is `host`, without a port.
    ///
    /// # Errors
    /// `Untrusted` names the check that failed; `Silent` when the provider's keys cannot be had.
    pub async fn build(&self, token: &str, package: &PackageName, host: &str) -> Result<Build, OidcError> {
        let said = Claims::said_in(token).ok_or_else(|| OidcError::untrusted("it is no identity token"))?;
        let publisher = self.publisher(&said, package)?;
        let issuer = self.issuers.get(&publisher.issuer.text).ok_or_else(|| OidcError::untrusted("its issuer is not configured"))?;
        let audience = publisher.audience.clone().unwrap_or_else(|| format!("npm:{host}"));
        // The same text is proven that was looked at.
        let claims = issuer.proven(token, &audience, None).await?;
        let subject = claims.subject().ok_or_else(|| OidcError::untrusted("it has no subject"))?;
        let now = self.clock.now();
        let until = claims.over_at().ok_or_else(|| OidcError::untrusted("it does not say when it expires"))?;
        self.spent.spend(once(&claims, token, package), until, now)?;
        let known = |name: &&String| claims.word(name).map(|word| ((*name).clone(), word));
        let workflow = Workflow {
            issuer: publisher.issuer.text.clone(),
            subject: subject.to_owned(),
            claims: publisher.claims.keys().filter_map(|name| known(&name)).collect::<BTreeMap<String, String>>(),
        };
        let repository = REPOSITORY.iter().find_map(|name| claims.text(name)).unwrap_or(subject);
        Ok(Build { name: named(repository), workflow, token_for: publisher.token_for })
    }

    /// The first row that the token fits by what it says.
    fn publisher(&self, said: &Claims, package: &PackageName) -> Result<&TrustedPublisher, OidcError> {
        let issuer = said.issuer().unwrap_or_default();
        let mut why = format!("nothing configured lets {} publish {package}", printable(issuer, ECHO_BYTES_MAX));
        for row in &self.publishers {
            if row.issuer.text != issuer || !row.packages.iter().any(|pattern| pattern.matches(package)) {
                continue;
            }
            match row.claims.iter().find(|(name, wanted)| !is_as_wanted(said.word(name).as_deref(), wanted)) {
                None => return Ok(row),
                Some((name, wanted)) => {
                    let word = said.word(name).unwrap_or_default();
                    why = format!("its claim {name} is {:?}, not {wanted:?}", printable(&word, ECHO_BYTES_MAX));
                }
            }
        }
        Err(OidcError::Untrusted { why })
    }
}

/// A `*` at the end of what is wanted stands for any rest.
fn is_as_wanted(word: Option<&str>, wanted: &str) -> bool {
    word.is_some_and(|word| match wanted.strip_suffix('*') {
        Some(start) => word.starts_with(start),
        None => word == wanted,
    })
}

/// What makes a token the same one: its own id, or else all that is signed of it. Builds that publish several packages
/// show one token for each.
fn once(claims: &Claims, token: &str, package: &PackageName) -> DocumentDigest {
    let signed = token.rsplit_once('.').map_or(token, |(signed, _)| signed);
    let (kind, id) = claims.text("jti").map_or(("text", signed), |id| ("jti", id));
    DocumentDigest::of(format!("{kind}\n{}\n{package}\n{id}", claims.issuer().unwrap_or_default()).as_bytes())
}

/// No user has a colon in their name, and no admin gives a token such a one.
fn named(repository: &str) -> String {
    let printable = repository.chars().filter(char::is_ascii_graphic).take(NAME_BYTES_MAX - NAMES_OF_BUILDS.len());
    NAMES_OF_BUILDS.chars().chain(printable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_is_as_it_is_wanted() {
        for (word, wanted, expect) in [
            (Some("acme/web"), "acme/web", true),
            (Some("acme/web2"), "acme/web", false),
            (Some("Acme/web"), "acme/web", false),
            (None, "acme/web", false),
            (Some("acme/web@refs/tags/v1"), "acme/web@refs/tags/*", true),
            (Some("acme/web@refs/heads/main"), "acme/web@refs/tags/*", false),
            (Some("a*b"), "a*b", true),
            (Some("axb"), "a*b", false),
            (None, "a*", false),
        ] {
            assert_eq!(is_as_wanted(word, wanted), expect, "{word:?} {wanted}");
        }
    }

    #[test]
    fn a_token_is_spent_until_it_ends() {
        let (spent, what) = (Spent::default(), DocumentDigest::of(b"x"));
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        assert!(spent.spend(what, at(10), at(0)).is_ok());
        assert!(matches!(spent.spend(what, at(10), at(9)), Err(OidcError::Untrusted { .. })));
        assert!(spent.spend(DocumentDigest::of(b"y"), at(10), at(9)).is_ok());
        assert!(spent.spend(what, at(20), at(10)).is_ok(), "the token itself has ended by then");
        for number in 0..SPENT_MAX - 2 {
            spent.spend(DocumentDigest::of(&number.to_le_bytes()), at(30), at(10)).unwrap();
        }
        assert!(matches!(spent.spend(DocumentDigest::of(b"z"), at(30), at(9)), Err(OidcError::TooMany)));
        assert!(spent.spend(DocumentDigest::of(b"z"), at(40), at(30)).is_ok(), "what has ended makes room");
    }

    #[test]
    fn a_build_has_a_name_that_no_user_has() {
        assert_eq!(named("acme/web"), "ci:acme/web");
        assert_eq!(named("acme\n/we b"), "ci:acme/web");
        assert_eq!(named(&"a".repeat(100)).len(), NAME_BYTES_MAX);
    }
}
