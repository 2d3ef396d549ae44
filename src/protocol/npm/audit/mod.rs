//! What is known against the releases that a project uses. `{}` says that nothing is: where that is not known, the answer
//! is an error. Source: npm's bulk advisory endpoint; the two older questions about a whole tree are answered from it.

mod feed;
mod question;
mod tree;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::HeaderMap;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;

use crate::catalog::advisories::Advisory;
use crate::catalog::advisories::Audited;
use crate::catalog::advisories::InUse;
use crate::catalog::upload::Text;
use crate::http::caller::Caller;
use crate::http::incoming::Sent;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::http::problem::REASON_PHRASE_BYTES_MAX;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::package::PackageName;
use crate::model::package::Version;
use crate::protocol::npm::audit::question::NotAQuestion;
use crate::protocol::npm::audit::question::PACKAGES_MAX;
use crate::protocol::npm::audit::question::RELEASES_MAX;
use crate::protocol::npm::audit::tree::Tree;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::explain::notice;
use crate::protocol::npm::handlers::Registry;
use crate::protocol::npm::handlers::npm;

/// Where an upstream answers, under its base.
const PATH: &str = "-/npm/v1/security/advisories/bulk";
/// A question, decoded: the older ones come with every place of a tree and more.
const BODY_BYTES_MAX: u64 = 8 * 1_024 * 1_024;

/// When a client comes again that found too many others.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(5);

/// Advisories by package, as npm's bulk answer has them.
type Advisories = BTreeMap<String, Vec<Value>>;

/// `POST /-/npm/v1/security/advisories/bulk`: versions by package.
pub async fn bulk(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let Call { request, caller, body } = call;
    let (asked, _place) = read(registry, &request.headers, body, question::bulk).await?;
    let in_use = asked.iter().map(|(name, versions)| in_use(name, versions)).collect::<Result<Vec<InUse>, Problem>>()?;
    let known = known_against(registry, caller, &in_use).await?;
    noticed(registry, caller, &in_use, told(StatusCode::OK, &known)?).await
}

/// `POST /-/npm/v1/security/audits` and `…/audits/quick`: a whole tree.
pub async fn quick(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let Call { request, caller, body } = call;
    let (tree, _place) = read(registry, &request.headers, body, Tree::parse).await?;
    let in_use = tree.in_use();
    let known = known_against(registry, caller, &in_use).await?;
    noticed(registry, caller, &in_use, told(StatusCode::OK, &tree.report(&known))?).await
}

/// What is asked, and the leave to keep it until it is answered.
async fn read<T: Send + 'static>(
    registry: &Registry,
    headers: &HeaderMap,
    body: Body,
    parse: fn(&[u8]) -> Result<T, NotAQuestion>,
) -> Result<(T, Option<OwnedSemaphorePermit>), Problem> {
    let bytes_max = BODY_BYTES_MAX.min(registry.body_bytes_max);
    let in_words = |problem: Problem| match problem.kind {
        Kind::TooLarge => Problem::new(Kind::TooLarge, format!("an audit asks in at most {bytes_max} bytes, decoded")),
        _ => problem,
    };
    let sent = Sent::gather(headers, body, bytes_max).await.map_err(in_words)?;
    let length = usize::try_from(sent.length_at_most()).unwrap_or(usize::MAX);
    let desk = registry.catalog.desk(Text::Asked, length).await;
    if desk.is_none() {
        return Ok((parse(&sent.decoded().await.map_err(in_words)?)?, None));
    }
    let read = move || {
        let text = sent.decode()?;
        let parsed = parse(&text);
        // Only now: nobody may wait for this any more.
        let length = text.len();
        drop((text, desk));
        Ok::<_, Problem>((parsed, length))
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(|crash| Problem::internal(crash.to_string()))?;
    let (parsed, length) = read.map_err(in_words)?;
    let too_many = || {
        let text = "too many large audits are being answered at once; try again in a moment";
        Problem::new(Kind::TooManyRequests, text).retry_after(ASK_AGAIN_AFTER)
    };
    let place = registry.catalog.answering(length).await.ok_or_else(too_many)?;
    Ok((parsed?, place))
}

impl From<NotAQuestion> for Problem {
    fn from(not: NotAQuestion) -> Problem {
        match not {
            NotAQuestion::Malformed(why) => {
                let why = printable(&why, REASON_PHRASE_BYTES_MAX / 2);
                let text = format!("this is no audit: {why}; it asks with versions by package, {{\"left-pad\":[\"1.3.0\"]}}");
                Problem::new(Kind::Malformed, text)
            }
            NotAQuestion::TooMany { what, max } => too_many(what, max),
        }
    }
}

fn too_many(what: &str, max: usize) -> Problem {
    Problem::new(Kind::TooLarge, format!("an audit is of at most {max} {what}: ask in parts"))
}

fn in_use(name: &str, versions: &[String]) -> Result<InUse, Problem> {
    // Each once, however often it is named.
    let versions = versions.iter().map(|version| Version::parse(version)).collect::<Result<BTreeSet<Version>, _>>()?;
    Ok(InUse { package: npm(PackageName::npm(name)?), versions: versions.into_iter().collect() })
}

/// What is known against these releases, by us, by feeds and by their upstreams.
async fn known_against(registry: &Registry, caller: &Caller, in_use: &[InUse]) -> Result<Advisories, Failure> {
    if in_use.len() > PACKAGES_MAX {
        return Err(too_many("packages", PACKAGES_MAX).into());
    }
    if in_use.iter().map(|one| one.versions.len()).sum::<usize>() > RELEASES_MAX {
        return Err(too_many("releases", RELEASES_MAX).into());
    }
    let mut known = Advisories::new();
    for advisory in registry.catalog.advisories(in_use, caller.name.is_none()).await? {
        let name = advisory.release.package.name.as_str().to_owned();
        known.entry(name).or_default().push(ours(&advisory, &caller.base));
    }
    let Audited { known: by_feeds, heard } = registry.catalog.audited(in_use, PATH, written).await.map_err(Problem::from)?;
    for advisory in &by_feeds {
        let versions = in_use.iter().find(|one| one.package == advisory.package).map_or(&[][..], |one| &one.versions);
        known.entry(advisory.package.name.as_str().to_owned()).or_default().push(feed::known(advisory, versions));
    }
    for heard in heard {
        let said: Advisories = serde_json::from_slice(&heard.said)
            .map_err(|_| Problem::new(Kind::Upstream, "the upstream registry's answer to this audit cannot be read"))?;
        for (name, advisories) in said {
            // Of nothing but what it was asked: it speaks for its own packages only.
            if heard.asked.binary_search_by(|package| package.name.as_str().cmp(&name)).is_ok() {
                known.entry(name).or_default().extend(advisories);
            }
        }
    }
    Ok(known)
}

fn written(in_use: &[&InUse]) -> Bytes {
    let asked: BTreeMap<&str, &[Version]> = in_use.iter().map(|one| (one.package.name.as_str(), &one.versions[..])).collect();
    serde_json::to_vec(&asked).unwrap_or_default().into()
}

fn ours(advisory: &Advisory, base: &str) -> Value {
    json!({
        "id": id(advisory),
        "url": link::of_release(base, &advisory.release),
        "title": advisory.sentence,
        "severity": "critical",
        "vulnerable_versions": format!("={}", advisory.release.version),
        "cwe": [],
        "cvss": {"score": 0, "vectorString": null},
    })
}

/// Clients want a number: of the release, so that it is the same each time. 31 bits fit everywhere.
fn id(advisory: &Advisory) -> u32 {
    let digest = DocumentDigest::of(advisory.release.to_string().as_bytes());
    let first = digest.raw().iter().take(4).fold(0, |number: u32, byte| number << 8 | u32::from(*byte));
    first >> 1
}

/// Says along that something of this is withheld here: npm prints it after every install.
async fn noticed(registry: &Registry, caller: &Caller, in_use: &[InUse], mut response: Response) -> Result<Response, Failure> {
    if let Some((count, first)) = registry.catalog.withheld_of(in_use, caller.name.is_none()).await? {
        let sentence = match count {
            1 => first.sentence.clone(),
            count => format!("{count} of these releases are withheld here: {}", first.sentence),
        };
        response.headers_mut().extend(notice(&sentence, &link::of_release(&caller.base, &first.release)));
    }
    Ok(response)
}
