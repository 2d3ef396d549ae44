//! What a manifest claims, in the words that screening judges: programs that installing runs, dependencies that no
//! registry serves, deprecation.

use crate::model::finding::printable;
use crate::model::index::Claims;
use crate::model::index::ExoticDependency;
use crate::model::index::InstallStep;
use crate::protocol::npm::manifest::Fault;
use crate::protocol::npm::manifest::Manifest;
use crate::protocol::npm::manifest::as_text;

/// Events that npm runs when a package is installed from a registry, in the order it runs them.
const INSTALL_EVENTS: [&str; 3] = ["preinstall", "install", "postinstall"];

/// Fields whose dependencies are installed along with a package; npm installs peers too.
pub const INSTALLED_FIELDS: [&str; 3] = ["dependencies", "optionalDependencies", "peerDependencies"];

/// What npm runs for a package with a `binding.gyp` and no install script.
const GYP_BUILD: &str = "node-gyp rebuild";

/// How many dependencies out of every registry are named, and how much of each text is kept, in bytes.
const EXOTIC_MAX: usize = 50;
const TEXT_BYTES_MAX: usize = 512;

pub fn claims(manifest: &Manifest<'_>) -> Result<Claims, Fault> {
    Ok(Claims {
        install_steps: install_steps(manifest)?,
        exotic_dependencies: exotic_dependencies(manifest)?,
        deprecated: manifest
            .get("deprecated")
            .and_then(as_text)
            .filter(|text| !text.is_empty())
            .map(|text| printable(&text, TEXT_BYTES_MAX)),
    })
}

/// Whether the manifest itself says that installing runs something. Abbreviated manifests have no scripts and a hint.
pub fn runs_on_install(manifest: &Manifest<'_>) -> bool {
    install_steps(manifest).map_or(true, |steps| !steps.is_empty())
}

fn install_steps(manifest: &Manifest<'_>) -> Result<Vec<InstallStep>, Fault> {
    let scripts = manifest.object("scripts")?;
    let mut steps = Vec::new();
    for event in INSTALL_EVENTS {
        let Some((_, command)) = scripts.iter().find(|(name, _)| *name == event) else { continue };
        let command = as_text(*command).ok_or(Fault::Shape { field: event, wanted: "a string" })?;
        if !command.is_empty() {
            steps.push(InstallStep { event: event.to_owned(), command: printable(&command, TEXT_BYTES_MAX) });
        }
    }
    let builds = steps.iter().any(|step| step.event != "postinstall");
    if manifest.is_true("gypfile") && !builds {
        steps.push(InstallStep { event: "install".to_owned(), command: GYP_BUILD.to_owned() });
    }
    if manifest.is_true("hasInstallScript") && steps.is_empty() {
        steps.push(InstallStep { event: "hasInstallScript".to_owned(), command: "true".to_owned() });
    }
    Ok(steps)
}

fn exotic_dependencies(manifest: &Manifest<'_>) -> Result<Vec<ExoticDependency>, Fault> {
    let mut exotic = Vec::new();
    for field in INSTALLED_FIELDS {
        for (name, wanted) in manifest.object(field)? {
            let wanted = as_text(wanted);
            if exotic.len() < EXOTIC_MAX && wanted.as_deref().is_none_or(is_exotic) {
                let wanted = wanted.as_deref().unwrap_or("(not a string)");
                exotic.push(ExoticDependency { name: printable(&name, TEXT_BYTES_MAX), wanted: printable(wanted, TEXT_BYTES_MAX) });
            }
        }
    }
    Ok(exotic)
}

/// Whether a client would look for this anywhere but in its registry. A range, a tag and an alias of a range or tag are
/// not exotic; everything with a scheme, a slash or the name of an archive is: git in all its spellings, `owner/name`,
/// addresses, files, links, and what leaks out of a workspace. Source: npm-package-arg, `resolve`.
pub fn is_exotic(wanted: &str) -> bool {
    let wanted = wanted.trim();
    if let Some(target) = prefixed(wanted, "npm:") {
        let range = target.char_indices().skip(1).find(|(_, c)| *c == '@').and_then(|(at, _)| target.get(at + 1..));
        return range.is_some_and(is_exotic);
    }
    let ends_with = |ending: &str| {
        let tail = wanted.len().checked_sub(ending.len()).and_then(|at| wanted.get(at..));
        tail.is_some_and(|tail| tail.eq_ignore_ascii_case(ending))
    };
    let is_archive = [".tgz", ".tar", ".tar.gz"].into_iter().any(ends_with);
    wanted.starts_with('.') || wanted.bytes().any(|byte| matches!(byte, b':' | b'/' | b'\\' | b'#')) || is_archive
}

fn prefixed<'t>(text: &'t str, prefix: &str) -> Option<&'t str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Claims {
        claims(&Manifest::split(text.as_bytes()).unwrap()).unwrap()
    }

    #[track_caller]
    fn steps(text: &str, expect: &[(&str, &str)]) {
        let found = read(text).install_steps;
        let found: Vec<(&str, &str)> = found.iter().map(|step| (step.event.as_str(), step.command.as_str())).collect();
        assert_eq!(found, expect, "{text}");
    }

    #[test]
    fn programs_that_installing_runs() {
        steps(
            r#"{"scripts":{"postinstall":"c","test":"t","prepare":"p","preinstall":"a","install":"b"}}"#,
            &[("preinstall", "a"), ("install", "b"), ("postinstall", "c")],
        );
        steps(r#"{"scripts":{"test":"t","\u0069nstall":"x"}}"#, &[("install", "x")]);
        steps(r#"{"scripts":{"install":""},"gypfile":false,"hasInstallScript":false}"#, &[]);
        steps(r#"{"scripts":[]}"#, &[]);
        steps(r#"{}"#, &[]);
        steps(r#"{"gypfile":true}"#, &[("install", "node-gyp rebuild")]);
        steps(r#"{"gypfile":true,"scripts":{"postinstall":"c"}}"#, &[("postinstall", "c"), ("install", "node-gyp rebuild")]);
        steps(r#"{"gypfile":true,"scripts":{"install":"prebuild"}}"#, &[("install", "prebuild")]);
        steps(r#"{"hasInstallScript":true}"#, &[("hasInstallScript", "true")]);
        steps(r#"{"hasInstallScript":true,"scripts":{"install":"x"}}"#, &[("install", "x")]);
    }

    #[test]
    fn scripts_that_cannot_be_read_are_not_none() {
        for text in [
            r#"{"scripts":{"install":["x"]}}"#,
            r#"{"scripts":"x"}"#,
            r#"{"scripts":["x"]}"#,
            r#"{"scripts":{"install":"x","install":"y"}}"#,
            r#"{"scripts":{"install":"\ud800"}}"#,
            r#"{"dependencies":["x"]}"#,
            r#"{"dependencies":{"a":"1","a":"2"}}"#,
            r#"{"dependencies":{"__proto__":"1"}}"#,
        ] {
            assert!(claims(&Manifest::split(text.as_bytes()).unwrap()).is_err(), "{text}");
        }
    }

    #[test]
    fn dependencies_that_no_registry_serves() {
        for exotic in [
            "git://host.example/a/b.git",
            "git+ssh://git@host.example/a/b.git#v1",
            "git+https://host.example/a/b",
            "git@host.example:a/b.git",
            "github:a/b",
            "GitHub:a/b",
            "gist:0123",
            "gitlab:a/b",
            "bitbucket:a/b",
            "a/b",
            "a/b#semver:^1",
            "http://host.example/a.tgz",
            " HTTPS://host.example/a.tgz",
            "file:../a",
            "link:../a",
            "portal:../a",
            "patch:a@1#x",
            "workspace:*",
            "catalog:",
            "jsr:@a/b@1",
            "../a",
            "./a",
            ".",
            "~/a",
            "/a",
            "C:\\a",
            "a\\b",
            "a-1.0.0.tgz",
            "a.TAR.GZ",
            "a.tar",
            "npm:a@github:b/c",
            "NPM:@a/b@https://host.example/c",
        ] {
            assert!(is_exotic(exotic), "{exotic}");
        }
        for ordinary in [
            "",
            "*",
            "x",
            "^1.2.3",
            "~1.2",
            ">=1 <2 || 3.x",
            "1.0.0 - 2.0.0",
            "1.0.0-beta.1+build",
            "latest",
            "next-11",
            "=1.0.0",
            "v1.0.0",
            "npm:a",
            "npm:a@^1",
            "npm:@a/b@1.0.0",
            "npm:@a/b",
            "NPM:a@latest",
        ] {
            assert!(!is_exotic(ordinary), "{ordinary}");
        }
        let found = read(
            r#"{"dependencies":{"a":"1","b":"b/b"},"optionalDependencies":{"c":"file:c"},"peerDependencies":{"d":{"x":1}},
                "devDependencies":{"e":"e/e"},"bundleDependencies":["f"]}"#,
        );
        let found: Vec<(&str, &str)> = found.exotic_dependencies.iter().map(|one| (one.name.as_str(), one.wanted.as_str())).collect();
        assert_eq!(found, [("b", "b/b"), ("c", "file:c"), ("d", "(not a string)")]);
    }

    #[test]
    fn deprecation_is_a_text() {
        for (text, expect) in [
            (r#"{"deprecated":"use y"}"#, Some("use y")),
            (r#"{"deprecated":""}"#, None),
            (r#"{"deprecated":false}"#, None),
            (r#"{"deprecated":true}"#, None),
            (r#"{"deprecated":{}}"#, None),
            ("{}", None),
        ] {
            assert_eq!(read(text).deprecated.as_deref(), expect, "{text}");
        }
    }
}
