//! The three layers of a configuration, each laid over the one before: the file, the environment, the flags.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use toml::de::DeTable;
use toml::de::DeValue;

use crate::config::Flags;
use crate::config::draft::Draft;
use crate::config::draft::INLINE_SECRET;
use crate::config::draft::is_inline_secret;
use crate::config::fault::Fault;
use crate::config::fault::Place;
use crate::config::key::KEYS;
use crate::config::key::Shape;
use crate::config::key::key;
use crate::config::key::names_in;
use crate::config::key::nearest;
use crate::config::value::Data;
use crate::config::value::Entry;
use crate::config::value::Source;
use crate::config::value::Value;
use crate::config::value::joined;

const FILE_BYTES_MAX: u64 = 4_000_000;
/// Of one file; a file with more is no TOML at all.
const SYNTAX_FAULTS_MAX: usize = 20;
/// Read by others than the configuration.
const OTHER_VARIABLES: [&str; 4] = ["AIRLOCK_SERVER", "AIRLOCK_TOKEN", "AIRLOCK_LOG", "AIRLOCK_CONFIG"];

impl Draft {
    /// Reads one value into its key.
    fn set(&mut self, value: &Value) {
        if let Some(key) = key(&value.key) {
            self.places.insert(value.key.clone(), value.place.clone());
            if let Err(faults) = (key.read)(self, value) {
                self.faults.extend(faults);
            }
        }
    }

    pub fn read_file(&mut self, path: &Path) {
        let name: Arc<str> = Arc::from(path.display().to_string());
        let whole =
            |wrong: String, remedy: &str| Fault::new(Place::File { file: Arc::clone(&name), line: 0, column: 0 }, "", wrong, remedy);
        let mut bytes = Vec::new();
        match File::open(path).and_then(|file| file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes)) {
            Ok(length) if u64::try_from(length).is_ok_and(|length| length > FILE_BYTES_MAX) => {
                self.faults.push(whole(format!("the file is larger than {FILE_BYTES_MAX} bytes"), "name a configuration file"));
            }
            Ok(_) => match std::str::from_utf8(&bytes) {
                Ok(text) => self.read_toml(Arc::clone(&name), text.strip_prefix('\u{feff}').unwrap_or(text)),
                Err(_) => self.faults.push(whole("the file is not UTF-8 text".to_owned(), "save it as UTF-8")),
            },
            Err(error) => {
                let remedy = "name a file that exists and that you may read; `airlock init` writes one";
                self.faults.push(whole(format!("the file cannot be read: {error}"), remedy));
            }
        }
    }

    pub fn read_toml(&mut self, name: Arc<str>, text: &str) {
        let source = Source::File { name, text };
        let (table, errors) = DeTable::parse_recoverable(text);
        let faults = errors.iter().take(SYNTAX_FAULTS_MAX).map(|error| {
            let place = source.place(error.span().map_or(0, |span| span.start));
            Fault::new(
                place,
                "",
                format!("this is not TOML: {}", error.message()),
                "text, durations and sizes stand in double quotes; see airlock.toml.example",
            )
        });
        let syntax: Vec<Fault> = faults.collect();
        let lines = lines_in_doubt(text, &syntax);
        let sound = self.faults.len();
        let root = Value::of_toml("", &toml::Spanned::new(table.span(), DeValue::Table(table.into_inner())), &source);
        if let Data::Table(entries) = root.data {
            self.read_section("", &entries);
        }
        // What a line that is no TOML seems to say is a guess.
        let told = self.faults.split_off(sound);
        self.faults.extend(told.into_iter().filter(|fault| line(&fault.place).is_none_or(|line| !lines.contains(&line))));
        self.faults.extend(syntax);
    }

    fn read_section(&mut self, path: &str, entries: &[Entry]) {
        for entry in entries {
            let here = joined(path, &entry.name);
            if key(&here).is_some() {
                self.set(&entry.value);
                continue;
            }
            match &entry.value.data {
                Data::Table(inner) if !names_in(&here).is_empty() => self.read_section(&here, inner),
                Data::Table(_) | Data::Text(_) | Data::Number(_) | Data::Switch(_) | Data::Time(_) | Data::List(_) | Data::Odd(_) => {
                    self.faults.push(unknown(path, &here, entry));
                }
            }
        }
    }

    pub fn read_environment(&mut self, environment: &BTreeMap<String, String>) {
        let mut unknown = Vec::new();
        for (name, text) in environment {
            if !name.starts_with("AIRLOCK_") || OTHER_VARIABLES.contains(&name.as_str()) || is_of_kubernetes(name, text) {
                continue;
            }
            match KEYS.iter().find(|key| key.variable() == *name) {
                Some(key) => match variable_value(&key.path, key.shape, name, text) {
                    Ok(value) => self.set(&value),
                    Err(faults) => self.faults.extend(faults),
                },
                None => unknown.push(name),
            }
        }
        // Only now all names of variables that hold secrets are known.
        let secrets: BTreeSet<String> = self.secret_variables().map(str::to_owned).collect();
        self.faults.extend(unknown.into_iter().filter(|name| !secrets.contains(*name)).map(|name| unknown_variable(name)));
    }

    pub fn read_flags(&mut self, flags: &Flags) {
        let given = [
            ("--listen", "server.listen", &flags.listen),
            ("--upstream", "upstream.url", &flags.upstream),
            ("--data-dir", "storage.data_dir", &flags.data_dir),
            ("--public-url", "server.public_url", &flags.public_url),
        ];
        for (flag, key, text) in given {
            if let Some(text) = text {
                self.set(&Value::of_text(key, Place::Flag(flag), text.clone()));
            }
        }
    }
}

fn line(place: &Place) -> Option<usize> {
    match place {
        Place::File { line, .. } => Some(*line),
        Place::Variable(_) | Place::Flag(_) => None,
    }
}

/// Lines that have a fault of syntax; where it is in a section's header, the whole section.
fn lines_in_doubt(text: &str, syntax: &[Fault]) -> BTreeSet<usize> {
    let faulty: BTreeSet<usize> = syntax.iter().filter_map(|fault| line(&fault.place)).collect();
    let mut section_in_doubt = false;
    let mut doubtful = BTreeSet::new();
    for (at, text) in (1..).zip(text.lines()) {
        if text.trim_start().starts_with('[') {
            section_in_doubt = faulty.contains(&at);
        }
        if section_in_doubt || faulty.contains(&at) {
            doubtful.insert(at);
        }
    }
    doubtful
}

fn unknown(section: &str, path: &str, entry: &Entry) -> Fault {
    let tell = |wrong: &str, remedy: &str| Fault::new(entry.place.clone(), path, wrong, remedy);
    if is_inline_secret(&entry.name) {
        return tell(INLINE_SECRET.0, INLINE_SECRET.1);
    }
    let known = names_in(section);
    if known.contains(&entry.name.as_str()) {
        return tell("a value stands where a section belongs", &format!("write [{path}] and its keys below"));
    }
    if let Some(near) = nearest(&entry.name, known.iter().copied()) {
        return tell("there is no such key", &format!("did you mean {}?", joined(section, near)));
    }
    if let Some(elsewhere) = KEYS.iter().find(|key| key.name() == entry.name) {
        return tell("there is no such key", &format!("did you mean {}? Put it below [{}]", elsewhere.path, elsewhere.section()));
    }
    tell("there is no such key", &format!("known here: {}", known.join(", ")))
}

fn unknown_variable(name: &str) -> Fault {
    let variables: Vec<String> = KEYS.iter().map(super::key::Key::variable).collect();
    let place = Place::Variable(name.to_owned());
    let last = name.rsplit("__").next().unwrap_or(name);
    if is_inline_secret(last) {
        return Fault::new(
            place,
            "",
            "a secret is not given by a key of the configuration",
            "set AIRLOCK_UPSTREAM__TOKEN_ENV to the name of the variable that holds it",
        );
    }
    let bare = |name: &str| name.replace('_', "");
    let same = variables.iter().find(|known| bare(known) == bare(name)).map(String::as_str);
    let remedy = match same.or_else(|| nearest(name, variables.iter().map(String::as_str).chain(OTHER_VARIABLES))) {
        Some(near) => format!("did you mean {near}?"),
        None => "unset it; the names are those of airlock.toml.example, such as AIRLOCK_POLICY__RELEASE_AGE__MINIMUM".to_owned(),
    };
    Fault::new(place, "", "no key has this name", remedy)
}

/// Kubernetes sets such variables in every container beside a service that is called `airlock`.
fn is_of_kubernetes(name: &str, text: &str) -> bool {
    let address = || text.starts_with("tcp://") || text.starts_with("udp://");
    let number = || !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let part = |end: &str| name.ends_with(end);
    match name.strip_prefix("AIRLOCK_") {
        Some("SERVICE_HOST") => text.parse::<std::net::IpAddr>().is_ok(),
        Some(rest) if rest.starts_with("SERVICE_PORT") => number(),
        Some("PORT") => address(),
        Some(rest) if rest.starts_with("PORT_") => address() || part("_PROTO") || part("_ADDR") || part("_PORT") && number(),
        Some(_) | None => false,
    }
}

fn variable_value(path: &str, shape: Shape, name: &str, text: &str) -> Result<Value, Vec<Fault>> {
    let place = Place::Variable(name.to_owned());
    let plain = Value::of_text(path, place.clone(), text.to_owned());
    let starts = |bracket| text.trim_start().starts_with(bracket);
    match shape {
        Shape::One => Ok(plain),
        Shape::List if !starts('[') => {
            let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
            let item = |(at, part): (usize, &str)| Value::of_text(&format!("{path}[{at}]"), place.clone(), part.to_owned());
            let data = Data::List(parts.enumerate().map(item).collect());
            Ok(Value { data, ..plain })
        }
        Shape::List | Shape::Table => {
            let source = Source::Whole(place);
            match DeValue::parse(text.trim()) {
                Ok(value) => Ok(Value::of_toml(path, &value, &source)),
                Err(error) => {
                    let form =
                        if shape == Shape::List { "[\"one\", \"two\"]" } else { "{ \"@acme\" = { url = \"https://npm.acme.example/\" } }" };
                    Err(plain.fault(format!("this is not TOML: {}", error.message()), format!("write it as {form}")))
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::config::Faults;

    fn load(text: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Config, Faults> {
        let environment = environment.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect();
        let mut draft = Draft::default();
        draft.read_toml(Arc::from("airlock.toml"), text);
        draft.read_environment(&environment);
        draft.read_flags(flags);
        let (config, mut faults) = draft.finish(&environment);
        faults.sort();
        if faults.is_empty() { Ok(config) } else { Err(Faults(faults)) }
    }

    fn faults(text: &str, environment: &[(&str, &str)]) -> Vec<String> {
        let told = load(text, environment, &Flags::default()).map_or_else(|faults| faults.0, |_| Vec::new());
        told.iter().map(|fault| fault.to_string().replace("\n    ", " | ")).collect()
    }

    #[test]
    fn every_fault_is_told_at_once_with_line_and_column() {
        let text = r#"# a comment
[server]
listen = "localhost"
lissten = "127.0.0.1:1"
tls = { cert = "cert.pem" }
[upstream]
url = "https://me:hunter2@registry.example/"
token = "hunter2"
retries = -1
  timeout = "0s"
[policy.release_age]
minimum = "7x"
floor = "1M"
exempt = ["lodash@^4", "*", "@types/*", "@types/*", { package = "a", expire = "2027-01-01" }, "", "a*"]
[policy.review]
approvals = 11
[policy.findings]
malwre = "reject"
install_script = "ignore"
[storage]
state = "postgres"
artifacts = "s3"
[polcy]
mode = "enforce"
"#;
        let expected = [
            "airlock.toml:3:10: server.listen: \"localhost\" is not an address with a port | write an IP address and a port: \"127.0.0.1:4873\", or \"0.0.0.0:4873\" for every network",
            "airlock.toml:4:1: server.lissten: there is no such key | did you mean server.listen?",
            "airlock.toml:5:16: server.tls.cert: TLS needs both a certificate and its key | give both server.tls.cert and server.tls.key, or neither",
            "airlock.toml:7:7: upstream.url: the URL holds credentials | take them out; give a token by token_env or token_file",
            "airlock.toml:8:1: upstream.token: a secret never stands in the configuration | use token_env (the name of an environment variable) or token_file, and change the secret: it was written down",
            "airlock.toml:9:11: upstream.retries: this is not a whole number | write a whole number from 0 to 10",
            "airlock.toml:10:13: upstream.timeout: \"0s\" is out of range | choose from 1ms to 10m",
            "airlock.toml:12:11: policy.release_age.minimum: \"7x\" is not a duration | write a number and a unit in quotes: \"7d\", \"24h\", \"5m\", \"30s\"; units are w, d, h, m, s, ms",
            "airlock.toml:13:9: policy.release_age.floor: \"1M\" is not a duration | write a number and a unit in quotes: \"7d\", \"24h\", \"5m\", \"30s\"; units are w, d, h, m, s, ms",
            "airlock.toml:14:11: policy.release_age.exempt[0]: \"lodash@^4\" is not a pattern: behind the @ stands one exact version | write a scope \"@types/*\", a package \"left-pad\", or one release \"left-pad@1.3.0\"",
            "airlock.toml:14:24: policy.release_age.exempt[1]: \"*\" is not a pattern: a * stands only for all packages of a scope | write a scope \"@types/*\", a package \"left-pad\", or one release \"left-pad@1.3.0\"",
            "airlock.toml:14:41: policy.release_age.exempt[3]: this pattern is exempted twice | remove one of the two; which reason and expiry counts would be a guess",
            "airlock.toml:14:70: policy.release_age.exempt[4].expire: there is no such key | did you mean expires?",
            "airlock.toml:14:95: policy.release_age.exempt[5]: \"\" is not a pattern: the name is empty | write a scope \"@types/*\", a package \"left-pad\", or one release \"left-pad@1.3.0\"",
            "airlock.toml:14:99: policy.release_age.exempt[6]: \"a*\" is not a pattern: a * stands only for all packages of a scope | write a scope \"@types/*\", a package \"left-pad\", or one release \"left-pad@1.3.0\"",
            "airlock.toml:16:13: policy.review.approvals: 11 is out of range | write a whole number from 1 to 10",
        ];
        let told = faults(text, &[]);
        assert_eq!(told[..expected.len()], expected, "{told:#?}");
        let rest = told[expected.len()..].join("\n");
        assert_eq!(told.len(), expected.len() + 5, "{rest}");
        for words in [
            "18:1: policy.findings.malwre: there is no such key | did you mean policy.findings.malware?",
            "19:18: policy.findings.install_script: \"ignore\" is not known here | choose \"note\" or \"hold\" or \"review\" or \"reject\"",
            "21:9: storage.state: \"postgres\" is reserved, not built yet | use \"sled\"",
            "22:13: storage.artifacts: \"s3\" is reserved, not built yet | use \"disk\"",
            "23:2: polcy: there is no such key | did you mean policy?",
        ] {
            assert!(rest.contains(words), "{words}\n{rest}");
        }
        assert!(!told.join("\n").contains("hunter2"), "a secret was shown");
    }

    #[test]
    fn one_fault_each() {
        for (text, words) in [
            ("[server]\nlisten = 127.0.0.1:4873", "airlock.toml:2:"),
            ("[server\nlisten = \"127.0.0.1:1\"", "airlock.toml:1:8: this is not TOML"),
            ("upstream.retries = 1\nupstream.retries = 2", "airlock.toml:2:10: this is not TOML: duplicate key"),
            ("[policy.release_age]\nminimum = 7d", "airlock.toml:2:"),
            ("[policy.release_age]\nminimum = 7", "2:11: policy.release_age.minimum: the duration has no unit"),
            (
                "policy.release_age = { minimum = \"1d\", floor = \"2d\" }",
                "1:48: policy.release_age.floor: the floor is above the minimum age",
            ),
            ("policy.release_age.minimum = \"1h\"", "1:30: policy.release_age.minimum: the floor is above"),
            ("policy.minimum = \"1h\"", "did you mean policy.release_age.minimum? Put it below [policy.release_age]"),
            ("policy = 3", "1:1: policy: a value stands where a section belongs"),
            ("policy.inspection_wait = \"11m\"", "out of range | choose from 0s to 10m"),
            ("policy.review.approvals = 0", "0 is out of range"),
            ("policy.findings.integrity_mismatch = \"note\"", "never just noted"),
            ("policy.findings.unreadable_manifest = \"note\"", "never let in"),
            ("policy.findings.unreadable_manifest = \"hold\"", "never let in"),
            ("policy.findings.unreadable_manifest = \"review\"", "never let in"),
            ("policy.private_scopes = [\"acme\"]", "private_scopes[0]: \"acme\" is not a scope"),
            ("policy.private_scopes = [\"@acme/*\"]", "\"@acme/*\" is not a scope"),
            ("policy.release_age.exempt = \"a\"", "text stands where a list belongs"),
            ("policy.release_age.exempt = [{ reason = \"x\" }]", "the exemption names no package"),
            ("policy.release_age.exempt = [{ package = \"a\", expires = \"soon\" }]", "\"soon\" is not a time"),
            ("policy.release_age.exempt = [{ package = \"a\", expires = 2027-01-01T10:00:00 }]", "is not a time"),
            ("policy.release_age.exempt = [\"left-*\"]", "a * stands only for all packages of a scope"),
            ("policy.release_age.exempt = [\"@types\"]", "is not a pattern"),
            ("server.allowed_hosts = [\"https://a.example\"]", "is not a host name"),
            ("server.allowed_hosts = [\"a.example:80\"]", "is not a host name"),
            ("server.allowed_hosts = [\"*\"]", "is not a host name"),
            ("server.allowed_hosts = [\"a.example\", \"A.example\"]", "allowed_hosts[1]: this entry is there twice"),
            ("server.trusted_proxies = [\"lan\"]", "neither an address nor a network"),
            ("server.body_bytes_max = \"0B\"", "out of range"),
            ("server.body_bytes_max = \"lots\"", "not a size"),
            ("server.public_url = \"airlock.example\"", "not a URL"),
            ("server.public_url = \"https://airlock.example/?a\"", "a query or a fragment"),
            (
                "server.tls = { cert = \"/nowhere/c\", key = \"/nowhere/k\" }\nserver.listen = \"127.0.0.1:1\"",
                "1:23: server.tls.cert: /nowhere/c cannot be read",
            ),
            ("upstream.url = \"ftp://registry.example/\"", "neither http nor https"),
            ("upstream.url = \"http://localhost:4873/\"", "1:16: upstream.url: upstream is Airlock itself"),
            ("upstream.token_env = \"NOT_SET\"", "the environment variable NOT_SET is not set"),
            ("upstream.token_env = \"npm_abc.def\"", "not the name of an environment variable"),
            ("upstream.token_file = \"/nowhere/token\"", "/nowhere/token cannot be read"),
            ("upstream.tarball_origins = [\"https://files.registry.example/npm\"]", "an origin has no path"),
            ("[upstream.scopes.acme]\nurl = \"https://a.example/\"", "1:18: upstream.scopes.acme: \"acme\" is not a scope"),
            ("[upstream.scopes.\"@acme\"]", "the scope has no url"),
            ("upstream.scopes.\"@acme\" = { url = \"https://a.example/\", token = \"x\" }", "a secret never stands"),
            ("upstream.scopes.\"@acme\" = { url = \"https://a.example/\", tokenenv = \"x\" }", "did you mean token_env?"),
            (
                "policy.private_scopes = [\"@acme\"]\nupstream.scopes.\"@acme\" = { url = \"https://a.example/\" }",
                "2:17: upstream.scopes.\"@acme\": @acme is private",
            ),
            ("storage.data_dir = \"\"", "the folder has no name"),
            ("access.anonymous = \"admin\"", "choose \"reader\" or \"none\""),
            ("access.registration = \"ajar\"", "choose \"closed\" or \"open\""),
            ("access.registrations = \"open\"", "1:8: access.registrations: there is no such key"),
            ("access.new_users = \"admin\"", "choose \"publisher\" or \"reader\""),
            ("access.password_chars_min = 0", "0 is out of range"),
            ("access.sign_in_for = \"1s\"", "out of range"),
            ("[access.groups.web]\nmembers = [\"maria\"]", "access.groups.web: it has no role"),
            ("access.groups.web = { role = \"owner\" }", "\"owner\" is not known here"),
            ("access.groups.web = { role = \"reader\", member = [] }", "did you mean members?"),
            ("access.groups.web = { role = \"reader\", members = [\"a b\"] }", "\"a b\" is not the name of a user"),
            ("access.groups.web = { role = \"reader\", packages = [\"*\"] }", "\"*\" is not a pattern"),
            ("access.groups = { web = \"reader\" }", "text stands where a table belongs"),
            ("[access.oidc]\nclient_id = \"a\"", "access.oidc: it has no issuer"),
            ("access.oidc = { issuer = \"https://a.example\" }", "it has no client_id"),
            (
                "access.oidc = { issuer = \"http://a.example\", client_id = \"a\" }",
                "access.oidc.issuer: the issuer is asked over plain http",
            ),
            ("access.oidc = { issuer = \"https://a.example\", client_id = \"a\", client_secret = \"x\" }", "a secret never stands"),
            (
                "access.oidc = { issuer = \"https://a.example\", client_id = \"a\", client_secret_env = \"NOT_SET\" }",
                "client_secret_env: the environment variable NOT_SET is not set",
            ),
            ("access.trusted_publishers = [{ packages = [\"a\"], issuer = \"https://a.example\" }]", "[0]: it has no claims"),
            (
                "access.trusted_publishers = [{ packages = [\"a\"], issuer = \"https://a.example\", claims = {} }]",
                "no claim says which build it is",
            ),
            (
                "access.trusted_publishers = [{ packages = [\"a\"], issuer = \"https://a.example\", claims = { repository = \"*\" } }]",
                "this claim may be anything",
            ),
            (
                "access.trusted_publishers = [{ packages = [], issuer = \"https://a.example\", claims = { repository = \"a\" } }]",
                "the list is empty",
            ),
            (
                "access.trusted_publishers = [{ packages = [\"a\"], issuer = \"http://a.example\", claims = { repository = \"a\" } }]",
                "the issuer is asked over plain http",
            ),
            ("policy.mode = \"watch\"", "choose \"enforce\" or \"observe\""),
            ("[[policy.rules]]\nfindings = { malware = \"note\" }", "policy.rules[0]: it has no reason"),
            ("policy.rules = [{ reason = \"x\" }]", "it has no findings"),
            ("policy.rules = [{ reason = \"x\", findings = {} }]", "says nothing of any finding"),
            (
                "policy.rules = [{ reason = \"x\", findings = { malwre = \"note\" } }]",
                "policy.rules[0].findings.malwre: no finding is called \"malwre\" | did you mean malware?",
            ),
            ("policy.rules = [{ reason = \"x\", findings = { malware = \"ignore\" } }]", "\"ignore\" is not known here | choose \"note\""),
            ("policy.rules = [{ reason = \"x\", findings = { integrity_mismatch = \"note\" } }]", "never just noted"),
            ("policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, packages = [] }]", "the list is empty"),
            ("policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, packages = [\"a**\"] }]", "\"a**\" is not a pattern"),
            (
                "policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, packages = [\"@acme\"] }]",
                "\"@acme\" is not a pattern",
            ),
            (
                "policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, ecosystem = \"pypi\" }]",
                "\"pypi\" is reserved, not built yet",
            ),
            ("policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, groups = [\"web\"] }]", "a rule cannot ask who reads"),
            (
                "policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, published_by = [\"web\"] }]",
                "policy.rules[0].published_by: there is no group \"web\"",
            ),
            (
                "policy.rules = [{ reason = \"x\", findings = { malware = \"note\" }, published_by = [\"web\"] }]\naccess.groups.web = { role = \"reader\", claims = [\"x\"] }",
                "is known by an identity provider's claims",
            ),
            (
                "[[policy.rules]]\nreason = \"x\"\nfindings = { malware = \"note\" }\n[[policy.rules]]\nreason = \"y\"\npackages = [\"a\"]\nfindings = { malware = \"hold\" }",
                "airlock.toml:4:1: policy.rules[1]: this rule never decides anything: policy.rules[0] (airlock.toml:1:1) comes first",
            ),
            (
                "policy.rules = [{ reason = \"x\", packages = [\"@acme/*\"], findings = { malware = \"note\" } }, { reason = \"y\", packages = [\"@acme/web\"], findings = { malware = \"hold\", deprecated = \"hold\" } }]",
                "this rule never decides malware: policy.rules[0]",
            ),
            (
                "policy.rules = [{ reason = \"x\", packages = [\"@acme/*\"], findings = { malware = \"note\" } }, { reason = \"y\", packages = [\"@acme/web\", \"b\"], findings = { malware = \"hold\" } }]",
                "this rule never decides anything for @acme/web: policy.rules[0]",
            ),
            (
                "policy.licenses.allow = [\"mit\"]",
                "policy.licenses.allow[0]: \"mit\" is no licence that SPDX has an id for | did you mean \"MIT\"?",
            ),
            ("policy.licenses.deny = [\"MIT OR ISC\"]", "is no licence"),
            ("policy.licenses.unclear = \"ask\"", "choose \"deny\" or \"allow\""),
            (
                "policy.rego.module = '''\npackage airlock\ndeny contains x if {\n'''",
                "policy.rego.module: line 3 of it, column 1: expecting",
            ),
            ("policy.rego.module = \"package airlock\"", "neither a rule deny nor a rule review"),
            ("policy.rego.module = \"package\\u0007\"", "a control character | remove all but line breaks and tabs"),
            ("policy.rego.file = \"x.rego\"", "there is no such key"),
            ("policy.findings.rego_failed = \"note\"", "never just noted"),
            ("policy.submissions = \"open\"", "choose \"workflow\" or \"trusted\""),
            ("policy.review.self_approval = \"yes\"", "neither true nor false"),
            ("[[policy.trusted]]\npackages = [\"@acme/*\"]", "policy.trusted[0]: it has no reason"),
            ("policy.trusted = [{ packages = [\"@acme\"], reason = \"x\" }]", "\"@acme\" is not a pattern"),
            ("policy.trusted = [\"@acme/*\"]", "text stands where a table belongs"),
        ] {
            let told = faults(text, &[]);
            assert!(told.iter().any(|fault| fault.contains(words)), "{text}\n{told:#?}");
            let syntax = told.iter().all(|fault| fault.contains("this is not TOML"));
            assert!(told.len() == 1 || syntax || text.contains("/nowhere/k"), "{text}\n{told:#?}");
        }
    }

    #[test]
    fn faults_of_the_environment_name_the_variable() {
        for (name, text, words) in [
            (
                "AIRLOCK_POLICY__RELEASE_AGE__MINIMUM",
                "7x",
                "environment variable AIRLOCK_POLICY__RELEASE_AGE__MINIMUM: policy.release_age.minimum: \"7x\" is not",
            ),
            ("AIRLOCK_SERVER_LISTEN", "127.0.0.1:1", "did you mean AIRLOCK_SERVER__LISTEN?"),
            ("AIRLOCK_SERVER__LISTE", "127.0.0.1:1", "did you mean AIRLOCK_SERVER__LISTEN?"),
            ("AIRLOCK_TOKN", "x", "did you mean AIRLOCK_TOKEN?"),
            ("AIRLOCK_NONSENSE_ALTOGETHER", "x", "no key has this name"),
            ("AIRLOCK_UPSTREAM__TOKEN", "hunter2", "a secret is not given by a key"),
            ("AIRLOCK_POLICY__PRIVATE_SCOPES", "[\"@a\"", "this is not TOML"),
            ("AIRLOCK_POLICY__PRIVATE_SCOPES", "@a,b", "policy.private_scopes[1]: \"b\" is not a scope"),
            ("AIRLOCK_UPSTREAM__SCOPES", "@acme", "this is not TOML"),
            ("AIRLOCK_POLICY__REVIEW__NEW_PACKAGES", "yes", "neither true nor false"),
        ] {
            let told = faults("", &[(name, text)]);
            assert!(told.len() == 1 && told[0].contains(words) && told[0].contains(name), "{name}={text}\n{told:#?}");
            assert!(!told[0].contains("hunter2"));
        }
    }

    #[test]
    fn flags_beat_the_environment_which_beats_the_file() {
        let text = "server.listen = \"127.0.0.1:1\"\nupstream.retries = 1\nupstream.timeout = \"1s\"\npolicy.private_scopes = [\"@file\"]";
        let environment =
            [("AIRLOCK_SERVER__LISTEN", "127.0.0.1:2"), ("AIRLOCK_UPSTREAM__RETRIES", "2"), ("AIRLOCK_POLICY__PRIVATE_SCOPES", "@a, @b")];
        let flags = Flags { listen: Some("127.0.0.1:3".to_owned()), ..Flags::default() };
        let config = load(text, &environment, &flags).unwrap();
        assert_eq!(config.server.listen.port(), 3);
        assert_eq!(config.upstream.retries, 2);
        assert_eq!(config.upstream.timeout.as_secs(), 1);
        assert_eq!(config.policy.private_scopes, ["@a", "@b"]);
        let told = load("", &[], &Flags { upstream: Some("x".to_owned()), ..Flags::default() }).unwrap_err().to_string();
        assert!(told.contains("--upstream: upstream.url: this is not a URL"), "{told}");
    }

    #[test]
    fn every_key_has_its_variable() {
        let environment = [
            ("AIRLOCK_POLICY__FINDINGS__INSTALL_SCRIPT", "review"),
            ("AIRLOCK_POLICY__REVIEW__NEW_PACKAGES", "true"),
            ("AIRLOCK_POLICY__RELEASE_AGE__EXEMPT", "[\"a\", { package = \"b@1.0.0\", reason = \"why\" }]"),
            ("AIRLOCK_UPSTREAM__SCOPES", "{ \"@acme\" = { url = \"https://a.example/\", token_env = \"AIRLOCK_ACME\" } }"),
            ("AIRLOCK_ACME", "s3cret"),
            ("AIRLOCK_SERVER", "http://127.0.0.1:4873/"),
            ("AIRLOCK_TOKEN", "x"),
            ("AIRLOCK_PORT", "tcp://10.0.0.1:4873"),
            ("AIRLOCK_PORT_4873_TCP_ADDR", "10.0.0.1"),
            ("AIRLOCK_SERVICE_PORT_HTTP", "4873"),
            ("PATH", "/bin"),
        ];
        let config = load("", &environment, &Flags::default()).unwrap();
        assert_eq!(config.policy.action(crate::model::finding::FindingKind::InstallScript), crate::model::finding::Action::Review);
        assert!(config.policy.review.new_packages);
        assert_eq!(config.policy.release_age.exempt.len(), 2);
        assert_eq!(config.upstream.scopes["@acme"].token.as_ref().unwrap().reveal(), "s3cret");
        for key in KEYS.iter() {
            assert_eq!(key.variable().to_ascii_uppercase(), key.variable(), "{}", key.path);
        }
    }

    #[test]
    fn secrets_come_from_files_and_variables_and_are_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let text = format!("upstream.token_file = {:?}", path.display().to_string());
        std::fs::write(&path, "s3cret\n").unwrap();
        let config = load(&text, &[], &Flags::default()).unwrap();
        assert_eq!(config.upstream.token.as_ref().unwrap().reveal(), "s3cret");
        for bad in ["", " \n", "two words", "s3cret\nmore", "gehe\u{ef}m"] {
            std::fs::write(&path, bad).unwrap();
            let told = faults(&text, &[]);
            assert!(told.len() == 1 && told[0].contains("is not a token"), "{bad:?}: {told:?}");
        }
        std::fs::write(&path, "s3cret").unwrap();
        let both = format!("{text}\nupstream.token_env = \"TOKEN\"");
        assert!(faults(&both, &[("TOKEN", "x")])[0].contains("given twice"));
        let without = load(&both, &[("TOKEN", "x"), ("AIRLOCK_UPSTREAM__TOKEN_FILE", "")], &Flags::default()).unwrap();
        assert_eq!(without.upstream.token.unwrap().reveal(), "x");
    }

    #[test]
    fn a_file_that_is_none_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let told = |path: &Path| Config::load(Some(path), std::iter::empty(), &Flags::default()).unwrap_err().to_string();
        assert!(told(&dir.path().join("none.toml")).contains("none.toml: the file cannot be read"));
        assert!(told(dir.path()).contains("the file cannot be read"));
        let binary = dir.path().join("binary.toml");
        std::fs::write(&binary, [0xff, 0xfe, 0x00]).unwrap();
        assert!(told(&binary).contains("not UTF-8"));
        assert_eq!(Config::load(None, std::iter::empty(), &Flags::default()).unwrap(), Config::default());
    }
}
