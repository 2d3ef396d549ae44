//! The configuration as text: the commented example that `init` writes, and what is in effect.

use std::fmt::Write;

use crate::config::Config;
use crate::config::key::KEYS;
use crate::config::key::Shown;
use crate::config::policy::Mode;
use crate::config::quantity::write_duration;
use crate::config::rules::crossing;
use crate::config::server::Server;
use crate::model::finding::Action;
use crate::model::glob::NameGlob;
use crate::model::pattern::PackagePattern;
use crate::model::time::Timestamp;

const HEAD: &str = "\
# Airlock's configuration. Every key is here with its default and a line of why; what is left away keeps its default.
# Each key can come from the environment, AIRLOCK_POLICY__RELEASE_AGE__MINIMUM=3d, and flags beat both.
# `airlock check-config` tells every fault at once.
";
/// Where comments begin, unless a value is longer.
const COMMENT_COLUMN: usize = 36;

/// `airlock.toml.example`, which parses to exactly the defaults.
pub fn example() -> String {
    let defaults = Config::default();
    let mut out = HEAD.to_owned();
    let mut section = "";
    for key in KEYS.iter() {
        let sample = match key.shown {
            Shown::Live => None,
            Shown::Sample(lines) => Some(lines),
            Shown::Within => continue,
        };
        let here = if sample.is_some() { section } else { key.section() };
        if here != section {
            section = here;
            let about = about(section);
            let _ = write!(out, "\n[{section}]{}{about}\n", if about.is_empty() { "" } else { "  # " });
        }
        match (sample, (key.write)(&defaults)) {
            (None, Some(value)) => line(&mut out, &format!("{} = {value}", key.name()), key.why),
            (Some(lines), _) => {
                for (at, text) in lines.iter().enumerate() {
                    if at == 0 {
                        line(&mut out, &format!("# {text}"), key.why)
                    } else {
                        let _ = writeln!(out, "# {text}");
                    }
                }
            }
            (None, None) => {}
        }
    }
    out
}

fn line(out: &mut String, code: &str, why: &str) {
    // Writing into a string cannot fail.
    let _ = writeln!(out, "{code:COMMENT_COLUMN$}  # {why}");
}

fn about(section: &str) -> &'static str {
    match section {
        "policy.findings" => "what each kind of finding does: \"note\", \"hold\", \"review\" (people decide), \"reject\"",
        _ => "",
    }
}

/// The whole configuration as TOML, secrets shown as `(set)` in comments.
pub fn effective(config: &Config) -> String {
    let mut out = String::new();
    let mut section = "";
    for key in KEYS.iter() {
        let line = match key.path.as_str() {
            "upstream.token_env" => Some(format!("# token: {}", set(config.upstream.token.is_some()))),
            "upstream.token_file" | "notify.secret_file" => None,
            "notify.secret_env" => Some(format!("# secret: {}", set(config.notify.secret.is_some()))),
            _ => (key.write)(config).map(|value| format!("{} = {value}", key.name())),
        };
        let Some(line) = line else { continue };
        if key.section() != section {
            section = key.section();
            let _ = writeln!(out, "{}[{section}]", if out.is_empty() { "" } else { "\n" });
        }
        let _ = writeln!(out, "{line}");
    }
    if let Some(oidc) = &config.access.oidc {
        let _ = writeln!(out, "# client_secret of access.oidc: {}", set(oidc.client_secret.is_some()));
    }
    for (name, scope) in &config.upstream.scopes {
        let _ = writeln!(out, "# token of upstream.scopes.{name:?}: {}", set(scope.token.is_some()));
    }
    out
}

fn set(is: bool) -> &'static str {
    if is { "(set)" } else { "none" }
}

/// Whether packages of this pattern come from the upstream that everything else comes from, and that is not said to be one's own.
fn is_from_the_default(config: &Config, pattern: &PackagePattern) -> bool {
    let upstream = &config.upstream;
    let default = upstream.url.as_ref().map(url::Url::origin);
    let is_private = |scope: &str| config.policy.private_scopes.iter().any(|own| own.eq_ignore_ascii_case(scope));
    match pattern.scope() {
        Some(scope) if is_private(scope) => false,
        Some(scope) => !upstream.own && upstream.of_scope(scope).is_none_or(|own| Some(own.url.origin()) == default),
        None => !upstream.own,
    }
}

/// What is allowed and probably not meant, one sentence each.
pub fn warnings(config: &Config, now: Timestamp) -> Vec<String> {
    const YARN_1_WAITS: std::time::Duration = std::time::Duration::from_secs(30);
    const MARGIN: std::time::Duration = std::time::Duration::from_secs(5);
    let mut out = Vec::new();
    let policy = &config.policy;
    if policy.inspection_wait + MARGIN > YARN_1_WAITS {
        let wait = write_duration(policy.inspection_wait);
        out.push(format!(
            "policy.inspection_wait is {wait}, but yarn 1 gives up after 30s: its users see a time-out instead of the reason"
        ));
    }
    if policy.mode == Mode::Observe {
        out.push("policy.mode is \"observe\": whatever is found, malware too, is told and served all the same".to_owned());
    }
    if policy.release_age.minimum.is_zero() {
        out.push("policy.release_age.minimum is 0s: releases are served the moment they appear".to_owned());
    }
    for exemption in &policy.release_age.exempt {
        if let Some(expires) = exemption.expires.filter(|expires| *expires <= now) {
            let pattern = crate::config::policy_keys::pattern_text(&exemption.pattern);
            out.push(format!("policy.release_age.exempt: the exemption of {pattern} expired on {} and does nothing", expires.for_people()));
        }
    }
    for (kind, action) in &policy.findings {
        if *action == Action::Note && kind.default_action() == Action::Reject {
            out.push(format!("policy.findings.{kind} is \"note\": {}, and it would be served", kind.why()));
        }
    }
    for (at, rule) in policy.rules.iter().enumerate() {
        for (kind, action) in &rule.findings {
            if *action == Action::Note && kind.default_action() == Action::Reject {
                out.push(format!("policy.rules[{at}] makes {kind} a \"note\": {}, and it would be served", kind.why()));
            }
        }
        let is_trusted = |one: &NameGlob| {
            let lists = |pattern: &PackagePattern| NameGlob::parse(&pattern.to_string()).is_ok_and(|wide| wide.covers(one));
            policy.trusted.iter().flat_map(|trusted| &trusted.packages).any(lists)
        };
        for pattern in rule.packages.iter().filter(|pattern| is_trusted(pattern)) {
            out.push(format!(
                "policy.rules[{at}] is about {pattern}, which policy.trusted has too: of what is trusted nothing is minded but its bytes, \
                 malware and what upstream took down or changed"
            ));
        }
    }
    for (first, second, kind) in crossing(&policy.rules) {
        out.push(format!(
            "policy.rules[{first}] and policy.rules[{second}] say different things of {kind} for some packages: the first of them counts"
        ));
    }
    for trusted in &policy.trusted {
        let names: Vec<String> = trusted.packages.iter().map(ToString::to_string).collect();
        out.push(format!("policy.trusted: nobody looks into {} ({})", names.join(", "), trusted.reason));
        for pattern in trusted.packages.iter().filter(|pattern| is_from_the_default(config, pattern)) {
            out.push(format!(
                "policy.trusted has {pattern}, which comes from the default upstream: WHOEVER publishes under that name there is trusted; \
                 give its scope an upstream of its own in [upstream.scopes], make it private, or, if you run the default upstream \
                 yourself, say upstream.own = true"
            ));
        }
    }
    for net in config.server.trusted_proxies.iter().filter(|net| net.prefix_len() == 0) {
        out.push(format!("server.trusted_proxies has {net}: every caller may say who they are and how they reached Airlock"));
    }
    let outside = !config.server.listen.ip().is_loopback();
    if outside && config.server.tls.is_none() && config.server.public_url.as_deref().is_none_or(|url| url.starts_with("http://")) {
        out.push(format!("server.listen is {}, without TLS: tokens cross the network in the clear", config.server.listen));
    }
    let named = config.server.public_url.is_some() || config.server.allowed_hosts != Server::default().allowed_hosts;
    if config.server.listen.ip().is_unspecified() && !named {
        out.push(format!(
            "server.listen is {}, but other machines are refused: set server.public_url to the address that they use, or add the names \
             by which they reach this one to server.allowed_hosts",
            config.server.listen
        ));
    }
    let plain = |url: &url::Url| {
        url.scheme() == "http" && url.host_str().is_none_or(|host| host != "localhost" && host != "127.0.0.1" && host != "[::1]")
    };
    if config.upstream.url.as_ref().is_some_and(plain) && config.upstream.token.is_some() {
        out.push("upstream.url is plain http: its token crosses the network in the clear".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Flags;

    const FILE: &str = include_str!("../../airlock.toml.example");

    fn load(text: &str) -> Result<Config, crate::config::Faults> {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("airlock.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(Some(&file), std::iter::empty(), &Flags::default())
    }

    /// `AIRLOCK_BLESS=1 cargo test --lib config::example` writes the file anew.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "who runs the test says whether it writes")]
    fn the_example_file_is_what_init_writes() {
        if std::env::var_os("AIRLOCK_BLESS").is_some() {
            std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/airlock.toml.example"), example()).unwrap();
            return;
        }
        assert_eq!(FILE, example());
    }

    #[test]
    fn the_example_is_complete_and_equals_the_defaults() {
        assert_eq!(load(FILE).unwrap(), Config::default());
        for key in KEYS.iter() {
            assert!(FILE.contains(key.name()), "{}", key.path);
            assert!(!key.why.is_empty(), "{}", key.path);
        }
    }

    #[test]
    fn every_sample_is_good_when_its_comment_is_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        for file in ["cert.pem", "key.pem"] {
            std::fs::write(dir.path().join(file), "").unwrap();
        }
        let pem = |name: &str| dir.path().join(name).display().to_string();
        let text = FILE.replace("# tls", "tls").replace("# [up", "[up").replace("# url", "url").replace("# token_env", "token_env");
        let keys = ["[access", "[[access", "[[policy", "role", "members", "claims", "packages", "issuer", "client", "scopes", "name_claim"];
        let more = ["groups_claim", "sign_in_for", "audience", "token_for", "reason", "ecosystem", "findings", "[policy.rego", "module"];
        let text = keys.iter().chain(&more).fold(text, |text, key| text.replace(&format!("\n# {key}"), &format!("\n{key}")));
        let text = text.replace("cert.pem", &pem("cert.pem")).replace("key.pem", &pem("key.pem"));
        let file = dir.path().join("airlock.toml");
        std::fs::write(&file, text).unwrap();
        let secret = ["ACME_TOKEN", "OIDC_SECRET"].map(|name| (name.to_owned(), "s3cret".to_owned()));
        let config = Config::load(Some(&file), secret.into_iter(), &Flags::default()).unwrap();
        assert!(config.server.tls.is_some());
        assert_eq!(config.upstream.scopes["@acme"].token.as_ref().unwrap().reveal(), "s3cret");
        assert_eq!(config.access.oidc.unwrap().client_secret.unwrap().reveal(), "s3cret");
        assert_eq!(config.access.groups["web"].packages.len(), 1);
        assert!(config.policy.rego.is_some());
        assert_eq!((config.access.trusted_publishers.len(), config.policy.trusted.len(), config.policy.rules.len()), (1, 1, 1));
    }

    #[test]
    fn the_effective_configuration_reads_back_and_shows_no_secret() {
        let text = r#"
            [server]
            listen = "0.0.0.0:80"
            public_url = "https://airlock.example/npm/"
            allowed_hosts = ["Airlock.Example", "::1"]
            trusted_proxies = ["10.0.0.7", "10.1.2.3/8"]
            body_bytes_max = 1_000_000
            [upstream]
            url = "https://registry.example/npm"
            fresh_for = "90s"
            retries = 0
            tarball_origins = ["https://files.registry.example"]
            scopes = { "@acme" = { url = "https://npm.acme.example" } }
            [storage]
            data_dir = "/srv/air\\lock"
            [access]
            anonymous = "none"
            registration = "open"
            new_users = "reader"
            password_chars_min = 12
            sign_in_for = "7d"
            [access.groups.web]
            role = "publisher"
            members = ["maria"]
            claims = ["acme web"]
            packages = ["@acme/*", "left-pad"]
            [access.groups.own]
            role = "publisher"
            members = ["ann"]
            [access.oidc]
            issuer = "https://login.acme.example"
            client_id = "airlock"
            scopes = ["openid"]
            [[access.trusted_publishers]]
            packages = ["@acme/web"]
            issuer = "http://127.0.0.1:8080/ci"
            claims = { repository = "acme/web", "x y" = "refs/*" }
            audience = "npm:airlock"
            [policy]
            rego.module = "package airlock\ndeny if input.name == \"x\"\n"
            mode = "observe"
            listing = "approved"
            private_scopes = ["@mine"]
            submissions = "trusted"
            trusted = [{ packages = ["@acme/*", "@mine/web"], reason = "our own registry" }]
            [policy.release_age]
            exempt = ["@types/*", "left-pad@1.3.0", { package = "left-pad", reason = "a \"quoted\" reason", expires = 2027-01-31 }]
            [policy.review]
            approvals = 2
            new_packages = true
            self_approval = true
            [policy.findings]
            install_script = "review"
            [policy.licenses]
            allow = ["MIT", "BSD-*"]
            unclear = "allow"
            [[policy.rules]]
            packages = ["eslint-*", "@*/types"]
            ecosystem = "npm"
            published_by = ["own"]
            findings = { native_binary = "reject", install_script = "note" }
            reason = "why \"so\""
        "#;
        let mut config = load(text).unwrap();
        assert_eq!(load(&effective(&config)).unwrap(), config);
        assert_eq!(config.server.allowed_hosts, ["airlock.example", "[::1]"]);
        assert_eq!(config.server.public_url.as_deref(), Some("https://airlock.example/npm"));
        config.upstream.token = Some(crate::config::upstream::Secret::new("hunter2".to_owned()));
        let shown = effective(&config);
        assert!(shown.contains("# token: (set)") && !shown.contains("hunter2"), "{shown}");
        let oidc = config.access.oidc.as_mut().unwrap();
        assert_eq!((oidc.issuer.text.as_str(), oidc.issuer.url.as_str()), ("https://login.acme.example", "https://login.acme.example/"));
        oidc.client_secret = Some(crate::config::upstream::Secret::new("hunter3".to_owned()));
        let shown = effective(&config);
        assert!(shown.contains("# client_secret of access.oidc: (set)") && !shown.contains("hunter3"), "{shown}");
    }

    #[test]
    fn warns_of_what_is_allowed_and_probably_not_meant() {
        let warned = |text: &str| warnings(&load(text).unwrap(), Timestamp::parse("2026-11-20T00:00:00Z").unwrap());
        assert_eq!(warned(""), Vec::<String>::new());
        for (text, words) in [
            ("policy.inspection_wait = \"26s\"", "yarn 1"),
            ("policy.release_age = { minimum = \"0s\", floor = \"0s\" }", "the moment they appear"),
            ("policy.release_age.exempt = [{ package = \"a\", expires = 2026-11-01 }]", "exemption of a expired on 2026-11-01 00:00 UTC"),
            ("policy.findings.unsafe_archive = \"note\"", "policy.findings.unsafe_archive"),
            ("policy.mode = \"observe\"", "served all the same"),
            (
                "policy.rules = [{ packages = [\"a\"], findings = { malware = \"note\" }, reason = \"x\" }]",
                "policy.rules[0] makes malware a \"note\"",
            ),
            (
                "policy.rules = [{ packages = [\"a*\"], findings = { deprecated = \"hold\" }, reason = \"x\" }, { packages = [\"*b\"], findings = { deprecated = \"review\" }, reason = \"x\" }]",
                "policy.rules[0] and policy.rules[1] say different things of deprecated",
            ),
            ("server.trusted_proxies = [\"0.0.0.0/0\"]", "every caller"),
            ("server.listen = \"10.0.0.5:4873\"", "without TLS"),
            ("server.listen = \"0.0.0.0:4873\"\nserver.allowed_hosts = [\"airlock.example\"]", "without TLS"),
            ("server.listen = \"0.0.0.0:4873\"\nserver.public_url = \"http://airlock.example\"", "without TLS"),
        ] {
            let told = warned(text);
            assert!(told.len() == 1 && told[0].contains(words), "{text}: {told:?}");
        }
        let trusted = "policy.trusted = [{ packages = [\"@acme/*\"], reason = \"ours\" }]\nupstream.url = \"https://a.example/\"";
        let own = |url: &str| format!("upstream.scopes.\"@acme\" = {{ url = \"{url}\" }}");
        for (routed, warnings) in [
            (own("https://b.example/"), 1),
            ("policy.private_scopes = [\"@acme\"]".to_owned(), 1),
            ("upstream.own = true".to_owned(), 1),
            (String::new(), 2),
            (own("https://a.example/acme/"), 2),
            (own("https://a.example/acme/") + "\nupstream.own = true", 1),
        ] {
            let told = warned(&format!("{trusted}\n{routed}"));
            assert!(told.len() == warnings && told[0].contains("nobody looks into @acme/* (ours)"), "{routed}: {told:?}");
            assert_eq!(told.get(1).is_some_and(|told| told.contains("WHOEVER")), warnings == 2, "{told:?}");
        }
        for listen in ["0.0.0.0:4873", "[::]:4873"] {
            let told = warned(&format!("server.listen = \"{listen}\""));
            let said = told.iter().any(|told| told.contains("server.public_url") && told.contains("server.allowed_hosts"));
            assert!(said && told.len() == 2, "{told:?}");
        }
    }
}
