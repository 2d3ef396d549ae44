//! The keys of `[access]` that name identity providers: with whom people sign in, and whose builds may publish.

use std::collections::BTreeMap;
use std::time::Duration;

use url::Host;
use url::Url;

use crate::config::Config;
use crate::config::access::Issuer;
use crate::config::access::Oidc;
use crate::config::access::TrustedPublisher;
use crate::config::access_keys::SIGN_IN_LEAST;
use crate::config::access_keys::SIGN_IN_MOST;
use crate::config::access_keys::name;
use crate::config::access_keys::some_packages;
use crate::config::access_keys::write_packages;
use crate::config::draft::Draft;
use crate::config::draft::SecretDraft;
use crate::config::fault::Fault;
use crate::config::fields::Fields;
use crate::config::key::Key;
use crate::config::key::Shape;
use crate::config::key::Shown;
use crate::config::key::quoted;
use crate::config::key::quoted_list;
use crate::config::quantity::write_duration;
use crate::config::upstream_keys::read_token_env;
use crate::config::upstream_keys::read_token_file;
use crate::config::value::Value;
use crate::config::value::each;

const HOUR: Duration = Duration::from_secs(3_600);
/// A build's token outlives its upload, and little else.
const BUILD_TOKEN_MOST: Duration = Duration::from_secs(24 * 3_600);
const BUILD_TOKEN_DEFAULT: Duration = Duration::from_secs(15 * 60);
const OIDC_KEYS: [&str; 8] =
    ["issuer", "client_id", "client_secret_env", "client_secret_file", "scopes", "name_claim", "groups_claim", "sign_in_for"];
const PUBLISHER_KEYS: [&str; 5] = ["packages", "issuer", "claims", "audience", "token_for"];

pub(super) fn keys() -> Vec<Key> {
    vec![
        Key::new("access.oidc", "the identity provider that people sign in with, beside passwords", write_oidc, read_oidc)
            .shaped(Shape::Table)
            .shown(Shown::Sample(&[
                "[access.oidc]",
                "issuer = \"https://login.acme.example/\"  # as the provider writes it itself, with or without the slash",
                "client_id = \"airlock\"",
                "client_secret_env = \"OIDC_SECRET\"  # or client_secret_file",
                "scopes = [\"openid\", \"profile\", \"email\"]",
                "name_claim = \"preferred_username\"",
                "groups_claim = \"groups\"",
                "sign_in_for = \"12h\"",
            ])),
        Key::new(
            "access.trusted_publishers",
            "builds that may publish without a stored secret: every claim must be as it stands here",
            write_publishers,
            read_publishers,
        )
        .shaped(Shape::List)
        .shown(Shown::Sample(&[
            "[[access.trusted_publishers]]",
            "packages = [\"@acme/*\"]",
            "issuer = \"https://ci.acme.example\"",
            "claims = { repository = \"acme/web\", workflow_ref = \"acme/web/.ci/release.yml@refs/heads/main\" }",
            "audience = \"\"  # empty: npm: and the host of this Airlock",
            "token_for = \"15m\"",
        ])),
    ]
}

/// https, or http on this machine: whoever sits on the way could sign in as anybody.
fn issuer(value: &Value) -> Result<Issuer, Vec<Fault>> {
    let url = value.base_url()?;
    if url.scheme() != "https" && !is_this_machine(&url) {
        return Err(value.fault("the issuer is asked over plain http", "use https; http is only for one on this machine"));
    }
    Ok(Issuer { text: value.text()?.to_owned(), url })
}

fn is_this_machine(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(v4)) => v4.is_loopback(),
        Some(Host::Ipv6(v6)) => v6.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn read_oidc(draft: &mut Draft, value: &Value) -> Result<(), Vec<Fault>> {
    let mut fields = Fields::of(value, &OIDC_KEYS)?;
    let issuer = fields.required("issuer", "add issuer = \"https://…\", the address of the identity provider", issuer);
    let client_id = fields.required("client_id", "add client_id, under which Airlock is registered there", name);
    let mut secret = SecretDraft::default();
    fields.read("client_secret_env", |value| read_token_env(&mut secret, value));
    fields.read("client_secret_file", |value| read_token_file(&mut secret, value));
    let scopes = fields.read("scopes", |value| each(value, name));
    let name_claim = fields.read("name_claim", name);
    let groups_claim = fields.read("groups_claim", name);
    let sign_in_for = fields.read("sign_in_for", |value| value.duration(SIGN_IN_LEAST..=SIGN_IN_MOST));
    let oidc = issuer.zip(client_id).map(|(issuer, client_id)| Oidc {
        issuer,
        client_id,
        client_secret: None,
        scopes: scopes.unwrap_or_else(|| ["openid", "profile", "email"].map(str::to_owned).to_vec()),
        name_claim: name_claim.unwrap_or_else(|| "preferred_username".to_owned()),
        groups_claim: groups_claim.unwrap_or_else(|| "groups".to_owned()),
        sign_in_for: sign_in_for.unwrap_or(HOUR * 12),
    });
    draft.config.access.oidc = Some(fields.finish(oidc)?);
    draft.oidc_secret = secret;
    Ok(())
}

fn write_oidc(config: &Config) -> Option<String> {
    let oidc = config.access.oidc.as_ref()?;
    let scopes = quoted_list(oidc.scopes.iter().map(String::as_str));
    let fields = [
        ("issuer", quoted(&oidc.issuer.text)),
        ("client_id", quoted(&oidc.client_id)),
        ("scopes", scopes),
        ("name_claim", quoted(&oidc.name_claim)),
        ("groups_claim", quoted(&oidc.groups_claim)),
        ("sign_in_for", quoted(&write_duration(oidc.sign_in_for))),
    ];
    Some(format!("{{ {} }}", fields.map(|(name, text)| format!("{name} = {text}")).join(", ")))
}

fn read_publishers(draft: &mut Draft, value: &Value) -> Result<(), Vec<Fault>> {
    draft.config.access.trusted_publishers = each(value, publisher)?;
    Ok(())
}

fn publisher(value: &Value) -> Result<TrustedPublisher, Vec<Fault>> {
    let mut fields = Fields::of(value, &PUBLISHER_KEYS)?;
    let packages = fields.required("packages", "add packages = [\"@acme/*\"]: what it may publish", some_packages);
    let issuer = fields.required("issuer", "add issuer = \"https://…\", which signs for the build", issuer);
    let claims = fields.required("claims", "add claims = { repository = \"acme/web\" }: which build it is", claims);
    let audience = fields.read("audience", |value| value.optional_text().map(|text| text.map(str::to_owned))).flatten();
    let token_for = fields.read("token_for", |value| value.duration(SIGN_IN_LEAST..=BUILD_TOKEN_MOST));
    let publisher = packages.zip(issuer).zip(claims).map(|((packages, issuer), claims)| TrustedPublisher {
        packages,
        issuer,
        claims,
        audience,
        token_for: token_for.unwrap_or(BUILD_TOKEN_DEFAULT),
    });
    fields.finish(publisher)
}

/// Without a claim, every build of that issuer could publish. A `*` alone is no claim either.
fn claims(value: &Value) -> Result<BTreeMap<String, String>, Vec<Fault>> {
    let mut claims = BTreeMap::new();
    let mut faults = Vec::new();
    for entry in value.table()? {
        match name(&entry.value) {
            Ok(text) if text.strip_suffix('*').unwrap_or(&text).is_empty() => {
                faults.extend(entry.value.fault("this claim may be anything", "write what it must be, or what it must begin with"));
            }
            Ok(text) => _ = claims.insert(entry.name.clone(), text),
            Err(told) => faults.extend(told),
        }
    }
    if claims.is_empty() && faults.is_empty() {
        return Err(value.fault("no claim says which build it is", "add one, such as repository = \"acme/web\""));
    }
    if faults.is_empty() { Ok(claims) } else { Err(faults) }
}

fn write_publishers(config: &Config) -> Option<String> {
    let publisher = |publisher: &TrustedPublisher| {
        let claims: Vec<String> = publisher.claims.iter().map(|(name, text)| format!("{} = {}", quoted(name), quoted(text))).collect();
        let packages = write_packages(&publisher.packages);
        let (issuer, claims) = (quoted(&publisher.issuer.text), claims.join(", "));
        let audience = quoted(publisher.audience.as_deref().unwrap_or_default());
        let token_for = quoted(&write_duration(publisher.token_for));
        format!("{{ packages = {packages}, issuer = {issuer}, claims = {{ {claims} }}, audience = {audience}, token_for = {token_for} }}")
    };
    let publishers: Vec<String> = config.access.trusted_publishers.iter().map(publisher).collect();
    (!publishers.is_empty()).then(|| format!("[{}]", publishers.join(", ")))
}
