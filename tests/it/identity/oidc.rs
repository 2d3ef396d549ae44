//! Signing in with an identity provider: npm asks, a browser goes to the provider and comes back, npm gets its token.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use airlock::config::Config;
use airlock::config::access::Group;
use airlock::config::access::Oidc;
use airlock::config::access::Registration;
use airlock::config::upstream::Secret;
use airlock::model::pattern::PackagePattern;
use airlock::model::token::Role;
use serde_json::Value;
use serde_json::json;
use url::Url;

use crate::support::airlock::Airlock;
use crate::support::http::Call;
use crate::support::http::Reply;
use crate::support::provider::Provider;
use crate::support::scenario::Scenario;

fn group(role: Role, claim: &str) -> Group {
    Group { role, members: Vec::new(), claims: vec![claim.to_owned()], packages: vec![PackagePattern::parse("@acme/*").unwrap()] }
}

async fn signing_in_at(provider: &Provider, edit: impl FnOnce(&mut Config)) -> Airlock {
    let oidc = Oidc {
        issuer: provider.as_issuer(),
        client_id: "airlock".to_owned(),
        client_secret: Some(Secret::new("the-secret-of-airlock".to_owned())),
        scopes: ["openid", "profile", "email"].map(str::to_owned).to_vec(),
        name_claim: "preferred_username".to_owned(),
        groups_claim: "groups".to_owned(),
        sign_in_for: Duration::from_secs(12 * 3_600),
    };
    let edit = |config: &mut Config| {
        config.access.oidc = Some(oidc);
        config.access.groups.insert("web".to_owned(), group(Role::Publisher, "acme-web"));
        config.access.groups.insert("review".to_owned(), group(Role::Approver, "acme-review"));
        edit(config);
    };
    // The provider has no test clock.
    Scenario::new().aged_from_now().gated_by(edit).await
}

/// Cookies by origin. Paths are not minded: nothing here has two cookies of one name.
#[derive(Default)]
struct Browser {
    cookies: BTreeMap<SocketAddr, BTreeMap<String, String>>,
}

impl Browser {
    /// Of somebody whom the provider knows already.
    fn of(person: &str, provider: &Provider) -> Browser {
        let mut browser = Browser::default();
        browser.cookies.entry(provider.address()).or_default().insert("person".to_owned(), person.to_owned());
        browser
    }

    async fn get(&mut self, url: &Url) -> Reply {
        let address = SocketAddr::new(url.host_str().unwrap().parse().unwrap(), url.port().unwrap());
        let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let cookies = self.cookies.entry(address).or_default();
        let sent: Vec<String> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let call = Call::get(address, path).header("accept", "text/html").header("cookie", &sent.join("; "));
        let reply = call.send().await;
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("set-cookie")) {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            cookies.insert(name.to_owned(), value.to_owned());
        }
        reply
    }

    /// Follows redirects until there is none, or until the next would lead to the path `before`.
    async fn follow(&mut self, mut url: Url, before: Option<&str>) -> (Url, Reply) {
        for _ in 0..10 {
            let reply = self.get(&url).await;
            let Some(to) = reply.header("location").map(|to| url.join(to).unwrap()) else { return (url, reply) };
            if before == Some(to.path()) {
                return (to, reply);
            }
            url = to;
        }
        panic!("there is no end to it: {url}");
    }

    /// From the page that asks to the provider, and up to the address that the provider sends it back to.
    async fn at_the_provider(&mut self, airlock: &Airlock, waiting: &Waiting) -> Url {
        let page = self.get(&waiting.start(airlock)).await;
        assert_eq!(page.status, 200, "{}", page.text());
        let text = page.text();
        assert!(text.contains("npm/11") && text.contains("127.0.0.1"), "it says who asks: {text}");
        let on = text.split("href=\"").find(|rest| rest.contains("?seen=")).unwrap().split('"').next().unwrap();
        self.follow(Url::parse(on).unwrap(), Some("/-/airlock/oidc/callback")).await.0
    }
}

/// A program that has asked to sign in.
struct Waiting {
    login: Url,
    done: Url,
}

impl Waiting {
    async fn begin(airlock: &Airlock) -> Waiting {
        let call = airlock.call("POST", "/-/v1/login").header("user-agent", "npm/11.0.0 node/v24.0.0").json(&json!({}));
        let answer = call.send().await.json();
        let url = |name: &str| Url::parse(answer[name].as_str().unwrap()).unwrap();
        Waiting { login: url("loginUrl"), done: url("doneUrl") }
    }

    fn start(&self, airlock: &Airlock) -> Url {
        let session = self.login.path().rsplit('/').next().unwrap();
        airlock.url().join(&format!("/-/airlock/oidc/start/{session}")).unwrap()
    }

    /// The status, and the token if there is one.
    async fn poll(&self, airlock: &Airlock) -> (u16, Option<String>) {
        let reply = airlock.get(self.done.path()).await;
        let token = serde_json::from_slice::<Value>(&reply.body).ok().and_then(|answer| answer["token"].as_str().map(str::to_owned));
        (reply.status, token)
    }
}

/// Signs in as the provider's `person`: what the browser was shown last, and what npm gets.
async fn sign_in(airlock: &Airlock, provider: &Provider, person: &str) -> (Reply, Option<String>) {
    sign_in_for(&Waiting::begin(airlock).await, airlock, provider, person).await
}

async fn sign_in_for(waiting: &Waiting, airlock: &Airlock, provider: &Provider, person: &str) -> (Reply, Option<String>) {
    assert_eq!(waiting.poll(airlock).await.0, 202);
    let mut browser = Browser::of(person, provider);
    let back = browser.at_the_provider(airlock, waiting).await;
    let reply = browser.get(&back).await;
    let (status, token) = waiting.poll(airlock).await;
    assert_eq!(status == 200, token.is_some());
    assert_eq!(reply.status == 200, token.is_some(), "{}", reply.text());
    if token.is_some() {
        assert_eq!(waiting.poll(airlock).await.0, 404, "a token is given once");
        assert_eq!(browser.get(&back).await.status, 403, "and so is a code");
    }
    (reply, token)
}

async fn whoami(airlock: &Airlock, token: &str) -> Reply {
    airlock.call("GET", "/-/whoami").bearer(token).send().await
}

#[tokio::test]
async fn signs_in() {
    let Some(provider) = Provider::start().await else { return };
    let airlock = signing_in_at(&provider, |_| {}).await;
    let (page, token) = sign_in(&airlock, &provider, "ann").await;
    assert!(page.text().contains("You are signed in") && page.text().contains("ann"), "{}", page.text());
    let ann = token.unwrap();
    assert_eq!(whoami(&airlock, &ann).await.json()["username"], "ann");
    let queue = async |token: &str| airlock.call("GET", "/-/airlock/v1/queue").bearer(token).send().await.status;
    let put = async |token: &str| airlock.call("PUT", "/@acme%2fweb/-rev/1-0").bearer(token).send().await.text();
    let needs = "this needs a token with the role";
    // The groups that the provider says are roles here: one publishes, the other approves.
    assert!(queue(&ann).await == 403 && !put(&ann).await.contains(needs));
    let bob = sign_in(&airlock, &provider, "bob").await.1.unwrap();
    assert!(queue(&bob).await == 200 && put(&bob).await.contains(needs));
    // Who is in no group does not come in; who is called as somebody else is not that person; a name is a name.
    for (person, words) in [("eve", "in no group"), ("mallory", "belongs to somebody else"), ("odd", "cannot be the name of a user")] {
        let (page, token) = sign_in(&airlock, &provider, person).await;
        assert_eq!((page.status, token), (403, None), "{person}: {}", page.text());
        assert!(page.text().contains(words), "{person}: {}", page.text());
    }
    // A second time it is the same user, and the token has an end.
    let again = sign_in(&airlock, &provider, "ann").await.1.unwrap();
    assert_eq!(whoami(&airlock, &again).await.json()["username"], "ann");
    let airlock = airlock.restart().await;
    assert_eq!(whoami(&airlock, &again).await.json()["username"], "ann", "the ledger keeps it");
    let audit = airlock.as_admin("GET", "/-/airlock/v1/audit?limit=500").send().await.text();
    assert!(audit.contains("\"ann\"") && audit.contains(&provider.issuer) && !audit.contains("mallory"), "{audit}");
    airlock.advance("12h");
    assert_eq!(whoami(&airlock, &again).await.status, 401);
}

#[tokio::test]
async fn where_registration_is_open_everybody_comes_in() {
    let Some(provider) = Provider::start().await else { return };
    let airlock = signing_in_at(&provider, |config| {
        config.access.registration = Registration::Open;
        config.access.new_users = Role::Reader;
    })
    .await;
    // A person whom an admin made a token for is somebody too.
    airlock.user("bob", "reader").await;
    let eve = sign_in(&airlock, &provider, "eve").await.1.unwrap();
    assert_eq!(whoami(&airlock, &eve).await.json()["username"], "eve");
    assert_eq!(airlock.call("PUT", "/@acme%2fweb/-rev/1-0").bearer(&eve).send().await.status, 403);
    let (page, token) = sign_in(&airlock, &provider, "bob").await;
    assert!(token.is_none() && page.text().contains("belongs to somebody else"), "{}", page.text());
}

/// Every answer is the same: who tries is not told which check it was.
#[tokio::test]
async fn what_is_not_proven_is_not_believed() {
    let Some(provider) = Provider::start().await else { return };
    let airlock = signing_in_at(&provider, |_| {}).await;
    let now = airlock.now().millis() / 1_000;
    let mut refused = Vec::new();
    // One for all: an address has only so many at a time.
    let waiting = Waiting::begin(&airlock).await;
    let bends = [
        ("a wrong audience", json!({"claims": {"aud": "another"}})),
        ("an audience among others", json!({"claims": {"aud": ["airlock", "another"]}})),
        ("issued to another client", json!({"claims": {"azp": "another"}})),
        ("expired", json!({"claims": {"exp": now - 61}})),
        ("issued long ago", json!({"claims": {"iat": now - 3_700}})),
        ("a wrong nonce", json!({"claims": {"nonce": "another"}})),
        ("another issuer", json!({"claims": {"iss": "https://login.acme.example"}})),
        ("another subject than the provider speaks of", json!({"claims": {"sub": "bob"}})),
        ("forged: another key of the same id", json!({"key": "foreign"})),
        ("forged: the public key as a secret", json!({"key": "public"})),
        ("forged: not signed", json!({"key": "none"})),
    ];
    for (what, bend) in bends {
        provider.bend(&bend).await;
        let (page, token) = sign_in_for(&waiting, &airlock, &provider, "ann").await;
        assert_eq!((page.status, token), (403, None), "{what}: {}", page.text());
        refused.push((what, page));
    }
    provider.bend(&json!({})).await;

    let mut attempt = async |what: &'static str, change: &dyn Fn(&mut Browser, &mut Url)| {
        let mut browser = Browser::of("ann", &provider);
        let mut back = browser.at_the_provider(&airlock, &waiting).await;
        change(&mut browser, &mut back);
        refused.push((what, browser.get(&back).await));
        assert_eq!(waiting.poll(&airlock).await, (202, None), "{what}");
    };
    let replaced = |url: &mut Url, name: &str, value: &str| {
        let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let mut query = url.query_pairs_mut();
        query.clear();
        for (given, old) in &pairs {
            query.append_pair(given, if given == name { value } else { old });
        }
    };
    attempt("a wrong state", &|_, url| replaced(url, "state", "another")).await;
    attempt("a wrong code", &|_, url| replaced(url, "code", "another")).await;
    attempt("another provider's answer", &|_, url| replaced(url, "iss", "https://login.acme.example")).await;
    attempt("another browser", &|browser, _| *browser = Browser::of("ann", &provider)).await;
    attempt("no answer at all", &|_, url| url.set_query(None)).await;
    assert!(refused[0].1.text().contains("does not prove") && refused[0].1.header("www-authenticate").is_none());
    for (what, page) in &refused {
        assert_eq!((page.status, page.body.clone()), (403, refused[0].1.body.clone()), "{what}: {}", page.text());
    }
    assert!(sign_in_for(&waiting, &airlock, &provider, "ann").await.1.is_some(), "with nothing bent it is believed");
}

#[tokio::test]
async fn nobody_is_lured_into_signing_in_for_another() {
    let Some(provider) = Provider::start().await else { return };
    let airlock = signing_in_at(&provider, |_| {}).await;
    let waiting = Waiting::begin(&airlock).await;
    // Who has begun it knows the address of the page, and what their own page leads to.
    let mut own = Browser::default();
    let text = own.get(&waiting.start(&airlock)).await.text();
    let lure = text.split("href=\"").find(|rest| rest.contains("?seen=")).unwrap().split('"').next().unwrap();
    let mut victim = Browser::of("ann", &provider);
    let (_, page) = victim.follow(Url::parse(lure).unwrap(), None).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("Go on only if you have just begun this yourself"), "{}", page.text());
    assert_eq!(waiting.poll(&airlock).await, (202, None));
    // Who says no at the provider is told so, and nothing is given.
    let back = own.at_the_provider(&airlock, &waiting).await;
    let denied = own.get(&back).await;
    assert_eq!(denied.status, 403);
    assert!(denied.text().contains("access_denied"), "{}", denied.text());
    assert_eq!(waiting.poll(&airlock).await, (202, None));
    // It takes ten minutes at most.
    let mut late = Browser::of("ann", &provider);
    let back = late.at_the_provider(&airlock, &waiting).await;
    airlock.advance("10m");
    assert_eq!(late.get(&back).await.status, 403);
    let gone = late.get(&waiting.start(&airlock)).await;
    assert!(gone.status == 404 && gone.text().contains("begin again"), "{}", gone.text());
}

#[tokio::test]
async fn without_a_provider_there_is_nothing_to_go_to() {
    let airlock = Scenario::new().gated().await;
    for path in ["/-/airlock/oidc/start/0123456789abcdef0123456789abcdef", "/-/airlock/oidc/callback?code=x&state=y"] {
        assert_eq!(airlock.get(path).await.status, 404, "{path}");
    }
}
