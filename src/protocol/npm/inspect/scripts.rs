//! What installing runs: declared scripts, the build that npm adds by itself, and those of bundled packages.

use serde_json::Value;

use crate::ecosystem::archive::Contents;
use crate::model::index::InstallStep;
use crate::protocol::npm::inspect::BUILD_FILE;
use crate::protocol::npm::inspect::LIST_MAX;
use crate::protocol::npm::inspect::inside::Bundled;
use crate::protocol::npm::inspect::manifest::Manifest;
use crate::protocol::npm::inspect::shown;

/// In the order they run. `prepare` and its kin run for git dependencies only, which are another finding.
pub(super) const EVENTS: [&str; 3] = ["preinstall", "install", "postinstall"];

/// What npm runs where there is a binding.gyp and no install script. Source: @npmcli/node-gyp.
const IMPLICIT_BUILD: &str = "node-gyp rebuild";

/// The command of a script as npm stores it, none where it is empty. Source: @npmcli/package-json, step `scriptpath`.
pub(super) fn command<'m>(manifest: &'m Manifest, event: &str) -> Option<&'m str> {
    let command = manifest.get("scripts")?.get(event)?.as_str()?.trim();
    let command = command.strip_prefix("./").unwrap_or(command);
    let command = command.strip_prefix("node_modules/.bin/").unwrap_or(command);
    (!command.is_empty()).then_some(command)
}

/// Of a manifest, what installing runs: the scripts, cut short, and whether a build is asked for or not.
pub(super) fn only(manifest: &Manifest) -> Manifest {
    let scripts = EVENTS.iter().filter_map(|event| Some(((*event).to_owned(), Value::String(shown(command(manifest, event)?))))).collect();
    let gypfile = manifest.get("gypfile").filter(|gypfile| gypfile.is_boolean());
    let mut only = Manifest::new();
    only.insert("scripts".to_owned(), Value::Object(scripts));
    only.extend(gypfile.map(|gypfile| ("gypfile".to_owned(), gypfile.clone())));
    only
}

/// Whether the index tells only that there are install scripts, as its abbreviated form does.
pub(super) fn only_a_mark(listed: &Manifest) -> bool {
    !listed.contains_key("scripts") && listed.get("hasInstallScript") == Some(&Value::Bool(true))
}

struct Step {
    step: InstallStep,
    mentioned: bool,
    bundled: bool,
}

/// What installing runs, and what of it the index tells.
pub(super) struct Steps {
    steps: Vec<Step>,
    /// The build file of a build that neither the bytes nor the index declare.
    undeclared_build: Option<String>,
    /// Whether npm adds a build to the root package when it is published: any `*.gyp` beside the manifest does.
    pub(super) build_added_by_npm: bool,
}

impl Steps {
    pub(super) fn of(shipped: &Manifest, listed: &Manifest, has_build_file: bool, bundled: &[Bundled], contents: &Contents) -> Steps {
        let mut steps = Steps {
            steps: Vec::new(),
            undeclared_build: None,
            build_added_by_npm: builds_implicitly(shipped)
                && contents.entries.iter().any(|entry| !entry.path.contains('/') && entry.path.to_ascii_lowercase().ends_with(".gyp")),
        };
        for event in EVENTS {
            if let Some(ours) = command(shipped, event) {
                let mentioned = only_a_mark(listed) || command(listed, event) == Some(ours);
                steps.push(event.to_owned(), ours, mentioned, false);
            }
        }
        if has_build_file && builds_implicitly(shipped) {
            // Undeclared is a finding of its own, milder than hidden: nobody wrote a script and left it out of the index.
            steps.push("install".to_owned(), IMPLICIT_BUILD, true, false);
            let declared = command(listed, "install").is_some() || listed.get("hasInstallScript") == Some(&Value::Bool(true));
            steps.undeclared_build = (!declared).then(|| BUILD_FILE.to_owned());
        }
        for Bundled { folder, manifest, .. } in bundled {
            let Ok(manifest) = manifest else { continue };
            for event in EVENTS {
                if let Some(command) = command(manifest, event) {
                    steps.push(format!("{event} of {folder}"), command, false, true);
                }
            }
            let file = format!("{folder}/{BUILD_FILE}");
            if builds_implicitly(manifest) && contents.entries.iter().any(|entry| entry.path.eq_ignore_ascii_case(&file)) {
                steps.push(format!("install of {folder}"), IMPLICIT_BUILD, true, true);
                steps.undeclared_build.get_or_insert(file);
            }
        }
        steps
    }

    /// Beyond the maximum a step is still hidden: one more entry says so.
    fn push(&mut self, event: String, command: &str, mentioned: bool, bundled: bool) {
        if self.steps.len() < LIST_MAX {
            self.steps.push(Step { step: InstallStep { event: shown(&event), command: command.to_owned() }, mentioned, bundled });
        } else if self.steps.len() == LIST_MAX {
            let step = InstallStep { event: "more".to_owned(), command: format!("more than {LIST_MAX} install scripts") };
            self.steps.push(Step { step, mentioned: false, bundled });
        }
    }

    pub(super) fn undeclared_build(&self) -> Option<String> {
        self.undeclared_build.clone()
    }

    /// Whether the package itself, without those it bundles, runs anything.
    pub(super) fn any_of_the_root(&self) -> bool {
        self.steps.iter().any(|step| !step.bundled)
    }

    /// Whole, however long.
    pub(super) fn all(&self) -> Vec<InstallStep> {
        self.steps.iter().map(|step| step.step.clone()).collect()
    }

    pub(super) fn hidden(&self) -> Vec<InstallStep> {
        self.steps.iter().filter(|step| !step.mentioned).map(|step| cut(&step.step)).collect()
    }
}

/// As it is shown.
pub(super) fn cut(step: &InstallStep) -> InstallStep {
    InstallStep { event: step.event.clone(), command: shown(&step.command) }
}

/// Whether a build file beside this manifest is built on installing. Source: @npmcli/arborist, rebuild.js.
fn builds_implicitly(manifest: &Manifest) -> bool {
    command(manifest, "install").is_none()
        && command(manifest, "preinstall").is_none()
        && manifest.get("gypfile") != Some(&Value::Bool(false))
}
