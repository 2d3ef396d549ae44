//! A project that a client installs into: nothing of the machine's own configuration reaches the client, and the age
//! gates that pnpm and yarn have of their own are off, so that what is held is held by the registry.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::Path;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use airlock::protocol::npm::lockfile::rewrite::registry;
use airlock::protocol::npm::lockfile::rewrite::rewrite;
use serde_json::Value;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use super::program::Kind;
use super::program::Program;
use crate::support::command::Outcome;
use crate::support::command::run;
use crate::support::command::run_fed;
use crate::support::command::run_heard;

/// How long one run of a client may take.
const PATIENCE: Duration = Duration::from_secs(180);

pub struct Project {
    program: Program,
    folder: Arc<TempDir>,
    homes: u32,
    /// What no file can say.
    environment: BTreeMap<&'static str, String>,
}

impl Project {
    pub fn new(program: &Program, registry: &Url, dependencies: &[(&str, &str)]) -> Project {
        let mut project =
            Project { program: program.clone(), folder: Arc::new(TempDir::new().unwrap()), homes: 0, environment: BTreeMap::new() };
        fs::create_dir(project.path("app")).unwrap();
        let dependencies: BTreeMap<_, _> = dependencies.iter().copied().collect();
        let manifest = json!({"name": "app", "version": "1.0.0", "private": true, "dependencies": dependencies});
        fs::write(project.path("app/package.json"), manifest.to_string()).unwrap();
        if project.program.kind == Kind::Yarn4 {
            // Its own root, or it would look for one further up.
            fs::write(project.path("app/yarn.lock"), "").unwrap();
        }
        project.use_registry(registry);
        project
    }

    fn path(&self, below: &str) -> PathBuf {
        self.folder.path().join(below)
    }

    pub fn home(&self) -> PathBuf {
        self.path(&format!("home-{}", self.homes))
    }

    /// Settings for this registry, in files only, as a developer would have them; and a new home with empty caches.
    pub fn use_registry(&mut self, registry: &Url) {
        self.homes += 1;
        let home = self.home();
        fs::create_dir(&home).unwrap();
        let write = |path: PathBuf, text: String| fs::write(path, text).unwrap();
        match self.program.kind {
            Kind::Npm => {
                write(
                    home.join(".npmrc"),
                    format!("registry={registry}\naudit=false\nfund=false\nupdate-notifier=false\nprogress=false\n"),
                );
            }
            Kind::Pnpm => {
                write(home.join(".npmrc"), format!("registry={registry}\n"));
                write(self.path("app/.npmrc"), format!("registry={registry}\n"));
                write(self.path("app/pnpm-workspace.yaml"), "packages: []\nminimumReleaseAge: 0\nupdateNotifier: false\n".to_owned());
            }
            Kind::Yarn1 => {
                write(home.join(".yarnrc"), format!("registry \"{registry}\"\ndisable-self-update-check true\n"));
            }
            Kind::Yarn4 => {
                let settings = json!({
                    "npmRegistryServer": registry.as_str(),
                    "unsafeHttpWhitelist": ["127.0.0.1"],
                    "nodeLinker": "node-modules",
                    "enableTelemetry": false,
                    "npmMinimalAgeGate": 0,
                });
                write(self.path("app/.yarnrc.yml"), settings.to_string());
            }
            Kind::Bun => {
                write(self.path("app/bunfig.toml"), format!("[install]\nregistry = \"{registry}\"\n"));
            }
            Kind::Deno => {
                write(home.join(".npmrc"), format!("registry={registry}\n"));
                write(self.path("app/deno.json"), json!({"minimumDependencyAge": 0}).to_string());
            }
        }
    }

    /// One more line for the `.npmrc` of this home.
    pub fn set(&self, line: &str) {
        let path = self.home().join(".npmrc");
        let text = fs::read_to_string(&path).unwrap_or_default();
        fs::write(path, format!("{text}{line}\n")).unwrap();
    }

    /// The certificate that its registry shows, in the settings of this home.
    pub fn trust(&mut self, certificate: &Path) {
        let path = certificate.display();
        match self.program.kind {
            Kind::Npm | Kind::Pnpm => self.set(&format!("cafile={path}")),
            Kind::Yarn1 => {
                let settings = self.home().join(".yarnrc");
                let text = fs::read_to_string(&settings).unwrap();
                fs::write(settings, format!("{text}cafile \"{path}\"\n")).unwrap();
            }
            Kind::Yarn4 => self.change_yarn_settings(|settings| settings["httpsCaFilePath"] = json!(certificate)),
            Kind::Bun => {
                let settings = self.path("app/bunfig.toml");
                let text = fs::read_to_string(&settings).unwrap();
                fs::write(settings, format!("{text}cafile = \"{path}\"\n")).unwrap();
            }
            Kind::Deno => self.set_environment("DENO_CERT", path),
        }
    }

    pub fn set_environment(&mut self, variable: &'static str, value: impl Display) {
        self.environment.insert(variable, value.to_string());
    }

    /// As on a machine that has the lockfile and nothing else: no installed modules, no caches.
    pub fn forget_all_but_the_lockfile(&mut self, registry: &Url) {
        _ = fs::remove_dir_all(self.path("app/node_modules"));
        self.use_registry(registry);
    }

    pub async fn install(&self) -> Outcome {
        self.run(match self.program.kind {
            Kind::Npm | Kind::Pnpm | Kind::Yarn4 | Kind::Bun | Kind::Deno => &["install"],
            Kind::Yarn1 => &["install", "--non-interactive", "--no-progress"],
        })
        .await
    }

    /// Exactly what the lockfile says, or nothing.
    pub async fn install_frozen(&self) -> Outcome {
        self.run(match self.program.kind {
            Kind::Npm | Kind::Deno => &["ci"],
            Kind::Pnpm | Kind::Bun => &["install", "--frozen-lockfile"],
            Kind::Yarn1 => &["install", "--non-interactive", "--no-progress", "--frozen-lockfile"],
            Kind::Yarn4 => &["install", "--immutable"],
        })
        .await
    }

    /// Any command of the client, in the app.
    pub async fn run(&self, arguments: &[&str]) -> Outcome {
        self.run_in("app", arguments).await
    }

    /// The same in another folder of the project, such as one that [`Project::package`] made.
    pub async fn run_in(&self, folder: &str, arguments: &[&str]) -> Outcome {
        self.ended(self.command(folder, arguments), &[]).await
    }

    /// The same, each prompt answered with its line.
    pub async fn run_fed(&self, folder: &str, arguments: &[&str], answers: &'static [(&'static str, &'static str)]) -> Outcome {
        self.ended(self.command(folder, arguments), answers).await
    }

    /// The same of a command that says where something is to be done: `act` is given the first word it says with `text` in it.
    pub async fn run_told(&self, arguments: &[&str], text: &str, act: impl AsyncFnOnce(String)) -> Outcome {
        let (listener, mut heard) = tokio::sync::mpsc::unbounded_channel::<String>();
        let (command, kept) = (self.command("app", arguments), Arc::clone(&self.folder));
        let running = tokio::task::spawn_blocking(move || {
            let outcome = run_heard(command, PATIENCE, listener);
            drop(kept);
            outcome.unwrap()
        });
        while let Some(said) = heard.recv().await {
            let ended = said.split_inclusive(char::is_whitespace).filter(|word| word.ends_with(char::is_whitespace));
            if let Some(word) = ended.map(str::trim).find(|word| word.contains(text)) {
                act(word.to_owned()).await;
                break;
            }
        }
        running.await.unwrap()
    }

    /// The token that the client keeps for this registry: npm in its `.npmrc`, pnpm in a file of its own.
    pub fn kept_token(&self) -> Option<String> {
        [".npmrc", "config/pnpm/auth.ini"].iter().find_map(|file| {
            let text = fs::read_to_string(self.home().join(file)).ok()?;
            text.lines().find_map(|line| line.split_once(":_authToken=").map(|(_, token)| token.trim_matches('"').to_owned()))
        })
    }

    /// `yarn npm login` as this user. Its prompt wants a terminal; this is how yarn's own tests answer it.
    pub async fn yarn_login(&self, user: &str, password: &str) -> Outcome {
        let mut command = self.command("app", &["npm", "login"]);
        command.env("YARN_IS_TEST_ENV", "1").env("YARN_INJECT_NPM_USER", user).env("YARN_INJECT_NPM_PASSWORD", password);
        self.ended(command, &[]).await
    }

    /// The same in a build, whose provider signed `id_token` for it. No token is stored anywhere.
    pub async fn run_in_build(&self, folder: &str, arguments: &[&str], id_token: &str) -> Outcome {
        let mut command = self.command(folder, arguments);
        command.env("CI", "true").env("GITLAB_CI", "true").env("NPM_ID_TOKEN", id_token);
        self.ended(command, &[]).await
    }

    async fn ended(&self, command: Command, answers: &'static [(&'static str, &'static str)]) -> Outcome {
        let kept = Arc::clone(&self.folder);
        let outcome = tokio::task::spawn_blocking(move || {
            let outcome = if answers.is_empty() { run(command, PATIENCE) } else { run_fed(command, PATIENCE, answers) };
            drop(kept);
            outcome.unwrap()
        });
        outcome.await.unwrap()
    }

    /// A folder beside the app with a package to be published; its name, for [`Project::run_in`].
    pub fn package(&self, name: &str, version: &str) -> String {
        let folder = format!("package-{}", name.replace('/', "-"));
        fs::create_dir_all(self.path(&folder)).unwrap();
        let manifest = json!({"name": name, "version": version, "main": "index.js", "license": "MIT"});
        fs::write(self.path(&folder).join("package.json"), manifest.to_string()).unwrap();
        fs::write(self.path(&folder).join("index.js"), "module.exports = 1;\n").unwrap();
        // The settings that lie in the app count here too.
        for settings in [".npmrc", ".yarnrc.yml", "bunfig.toml", "pnpm-workspace.yaml"] {
            if self.path("app").join(settings).exists() {
                fs::copy(self.path("app").join(settings), self.path(&folder).join(settings)).unwrap();
            }
        }
        if self.program.kind == Kind::Yarn4 {
            fs::write(self.path(&folder).join("yarn.lock"), "").unwrap();
        }
        folder
    }

    /// As after signing in: the token stands where the client keeps it. To be called before [`Project::package`].
    pub fn login_with(&self, registry: &Url, token: &str) {
        let host = registry.as_str().trim_start_matches(registry.scheme()).trim_start_matches(':');
        let line = format!("{host}:_authToken={token}");
        match self.program.kind {
            Kind::Npm | Kind::Pnpm | Kind::Deno => self.set(&line),
            // It looks for the token of the registry that this file names, wherever else one is named; and it sends a token for
            // unscoped packages only when it always does.
            Kind::Yarn1 => fs::write(self.path("app/.npmrc"), format!("registry={registry}\n{line}\nalways-auth=true\n")).unwrap(),
            Kind::Yarn4 => self.change_yarn_settings(|settings| {
                settings["npmAuthToken"] = json!(token);
                settings["npmAlwaysAuth"] = json!(true);
            }),
            Kind::Bun => {
                let text = format!("[install]\nregistry = {{ url = \"{registry}\", token = \"{token}\" }}\n");
                fs::write(self.path("app/bunfig.toml"), text).unwrap();
            }
        }
    }

    fn change_yarn_settings(&self, change: impl FnOnce(&mut Value)) {
        let path = self.path("app/.yarnrc.yml");
        // JSON, as it was written, is YAML too.
        let mut settings: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        change(&mut settings);
        fs::write(path, settings.to_string()).unwrap();
    }

    fn command(&self, folder: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program.executable);
        let home = self.home();
        command.args(arguments).current_dir(self.path(folder)).env_clear();
        command.env("PATH", &self.program.path).env("HOME", &home).env("TMPDIR", self.folder.path());
        command
            .env("LANG", "C.UTF-8")
            .env("NO_COLOR", "1")
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"));
        // Root's yarn 1 keeps its cache outside of any home.
        command.env("XDG_CACHE_HOME", home.join("cache")).env("YARN_CACHE_FOLDER", home.join("yarn-cache"));
        command.envs(&self.environment);
        // npm's settings of the machine, which no home hides.
        command.env("npm_config_userconfig", home.join(".npmrc")).env("npm_config_globalconfig", home.join("no-npmrc"));
        command
    }

    /// The version that lies in `node_modules`, in the own place of pnpm and deno for what nobody asked for by name too.
    pub fn installed(&self, package: &str) -> Option<String> {
        let places = ["app/node_modules", "app/node_modules/.pnpm/node_modules", "app/node_modules/.deno/node_modules"];
        let text = places.iter().find_map(|place| fs::read(self.path(place).join(package).join("package.json")).ok())?;
        let manifest: Value = serde_json::from_slice(&text).unwrap();
        Some(manifest["version"].as_str().unwrap().to_owned())
    }

    fn lockfile_path(&self) -> PathBuf {
        self.path(match self.program.kind {
            Kind::Npm => "app/package-lock.json",
            Kind::Pnpm => "app/pnpm-lock.yaml",
            Kind::Yarn1 | Kind::Yarn4 => "app/yarn.lock",
            Kind::Bun => "app/bun.lock",
            Kind::Deno => "app/deno.lock",
        })
    }

    pub fn lockfile(&self) -> String {
        fs::read_to_string(self.lockfile_path()).unwrap()
    }

    /// As `airlock lock rewrite` does: the same lockfile, at another registry.
    pub fn rewrite_lockfile(&self, to: &Url) {
        let rewritten = rewrite(self.lockfile().as_bytes(), None, &registry(to.as_str()).unwrap()).unwrap();
        fs::write(self.lockfile_path(), rewritten.text).unwrap();
    }

    pub fn change_lockfile(&self, change: impl FnOnce(String) -> String) {
        fs::write(self.lockfile_path(), change(self.lockfile())).unwrap();
    }

    /// As it is called where its client looks for it.
    pub fn lockfile_name(&self) -> String {
        self.lockfile_path().file_name().unwrap().to_str().unwrap().to_owned()
    }
}
