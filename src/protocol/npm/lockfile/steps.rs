//! How each client is told to change what its lockfile has: lines for a shell, each of which was tried with that client.
//! What no command does, people are told to write.

use std::collections::BTreeMap;

use serde_json::json;

use crate::ecosystem::Shift;
use crate::model::lockfile::Lockfile;

/// Who wants a release that cannot be changed for all; of more of them, the rest keeps what it has.
const PARENTS_MAX: usize = 5;

/// The first edition of a yarn.lock that is not yarn 1's.
const BERRY_EDITION_LEAST: u32 = 2;

pub fn steps(lockfile: &Lockfile, shifts: &[Shift<'_>]) -> Vec<String> {
    if shifts.is_empty() {
        return Vec::new();
    }
    match lockfile.format {
        "package-lock" | "npm-shrinkwrap" => npm(shifts),
        "pnpm-lock" => pnpm(lockfile, shifts),
        "yarn.lock" if lockfile.edition.parse::<u32>().is_ok_and(|edition| edition >= BERRY_EDITION_LEAST) => berry(shifts),
        "yarn.lock" => yarn(shifts),
        "bun.lock" => bun(shifts),
        "deno.lock" => deno(shifts),
        _ => Vec::new(),
    }
}

/// A word as a shell reads it again. Names and versions come from strangers.
fn word(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'@' | b'/' | b'.' | b'_' | b'+' | b'-' | b':');
    if !text.is_empty() && !text.starts_with('-') && text.bytes().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

fn words(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().map(|text| word(&text)).collect::<Vec<String>>().join(" ")
}

fn release(shift: &Shift<'_>) -> String {
    format!("{}@{}", shift.package.name, shift.to)
}

fn name(shift: &Shift<'_>) -> String {
    shift.package.name.to_string()
}

/// What is to stand in a package.json.
fn written(field: &str, inside: serde_json::Value, then: &str) -> String {
    format!("in package.json, below {field}: {inside}; then: {then}")
}

/// A package that the project does not want itself is made its own for a moment: that moves what others want, too. Beside
/// another release of the same package that would move the wrong one.
fn npm(shifts: &[Shift<'_>]) -> Vec<String> {
    const INSTALL: &str = "npm install --package-lock-only";
    let mut by_project: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut for_a_moment = Vec::new();
    let mut lines = Vec::new();
    for shift in shifts {
        for project in &shift.projects {
            by_project.entry(project).or_default().push(release(shift));
        }
        if shift.projects.is_empty() && !shift.has_siblings {
            by_project.entry("").or_default().push(release(shift));
            for_a_moment.push(name(shift));
        }
        if shift.projects.is_empty() && shift.has_siblings {
            for parent in shift.parents.iter().take(PARENTS_MAX) {
                let inside = json!({ *parent: { shift.package.name.as_str(): shift.to.as_str() } });
                lines.push(written("overrides", inside, INSTALL));
            }
        }
    }
    for (project, releases) in by_project {
        let of = if project.is_empty() { String::new() } else { format!(" --workspace {}", word(project)) };
        lines.push(format!("{INSTALL}{of} {}", words(releases)));
    }
    if !for_a_moment.is_empty() {
        lines.push(format!("npm uninstall --package-lock-only {}", words(for_a_moment)));
    }
    lines
}

fn pnpm(lockfile: &Lockfile, shifts: &[Shift<'_>]) -> Vec<String> {
    let all = if lockfile.projects.iter().any(|folder| !folder.is_empty()) { " --recursive" } else { "" };
    let update = |texts: Vec<String>| (!texts.is_empty()).then(|| format!("pnpm update{all} --lockfile-only {}", words(texts)));
    let (chosen, others): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = shifts.iter().partition(|shift| shift.is_first_choice);
    let (own, pinned): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = others.into_iter().partition(|shift| !shift.projects.is_empty());
    // All that it would choose at once: it looks up what else is locked, and finds nothing of what is not open.
    let mut lines: Vec<String> = update(chosen.into_iter().map(name).collect()).into_iter().collect();
    lines.extend(update(own.into_iter().map(release).collect()));
    for shift in pinned {
        let range = shift.ranges.first().map_or_else(|| shift.from.to_string(), |range| (*range).to_owned());
        let pin = json!({ format!("{}@{range}", shift.package.name): shift.to.as_str() });
        lines.push(format!("in pnpm-workspace.yaml: overrides: {pin}; then: pnpm install --lockfile-only --no-frozen-lockfile"));
    }
    lines
}

/// What is not in its lockfile yarn 1 chooses anew.
fn yarn(shifts: &[Shift<'_>]) -> Vec<String> {
    let (chosen, pinned): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = shifts.iter().partition(|shift| shift.is_first_choice);
    let mut lines = Vec::new();
    if !chosen.is_empty() {
        let entries: Vec<String> =
            chosen.iter().map(|shift| format!("{}@{} (line {})", shift.package.name, shift.from, shift.line)).collect();
        lines.push(format!("take out of yarn.lock the whole entry of {}; then: yarn install", entries.join(", ")));
    }
    for shift in pinned {
        let paths: Vec<String> = match shift.has_siblings {
            true => shift.parents.iter().take(PARENTS_MAX).map(|parent| format!("{parent}/{}", shift.package.name)).collect(),
            false => vec![name(shift)],
        };
        let inside: serde_json::Value =
            paths.into_iter().map(|path| (path, shift.to.as_str().into())).collect::<serde_json::Map<_, _>>().into();
        lines.push(written("resolutions", inside, "yarn install"));
    }
    lines
}

/// Nothing is fetched of what is locked besides, which need not be open; so all that it would choose goes first, and at once.
fn berry(shifts: &[Shift<'_>]) -> Vec<String> {
    let (chosen, pinned): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) =
        shifts.iter().partition(|shift| shift.is_first_choice || shift.ranges.is_empty());
    let mut lines = Vec::new();
    if !chosen.is_empty() {
        lines.push(format!("yarn up --recursive --mode update-lockfile {}", words(chosen.into_iter().map(name))));
    }
    let of = |shift: &Shift<'_>| {
        let (package, to) = (name(shift), serde_json::Value::from(shift.to.as_str()));
        shift.ranges.iter().map(move |range| (format!("{package}@npm:{range}"), to.clone())).collect::<Vec<_>>()
    };
    let resolutions: serde_json::Map<String, serde_json::Value> = pinned.into_iter().flat_map(of).collect();
    if !resolutions.is_empty() {
        lines.push(written("resolutions", resolutions.into(), "yarn install --mode update-lockfile"));
    }
    lines
}

fn bun(shifts: &[Shift<'_>]) -> Vec<String> {
    let (chosen, pinned): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = shifts.iter().partition(|shift| shift.is_first_choice);
    let (own, others): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = pinned.into_iter().partition(|shift| shift.projects.contains(&""));
    let mut lines = Vec::new();
    if !chosen.is_empty() {
        lines.push(format!("bun update --lockfile-only {}", words(chosen.into_iter().map(name))));
    }
    if !own.is_empty() {
        lines.push(format!("bun add --lockfile-only {}", words(own.into_iter().map(release))));
    }
    for shift in others {
        lines.push(written("overrides", json!({ shift.package.name.as_str(): shift.to.as_str() }), "bun install --lockfile-only"));
    }
    lines
}

fn deno(shifts: &[Shift<'_>]) -> Vec<String> {
    let (own, others): (Vec<&Shift<'_>>, Vec<&Shift<'_>>) = shifts.iter().partition(|shift| !shift.projects.is_empty());
    let mut lines = Vec::new();
    if !own.is_empty() {
        lines.push(format!("deno add --lockfile-only {}", words(own.into_iter().map(|shift| format!("npm:{}", release(shift))))));
    }
    if !others.is_empty() {
        lines.push("delete deno.lock; then: deno install --lockfile-only".to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::package::PackageId;
    use crate::model::package::Version;

    struct One {
        package: PackageId,
        from: Version,
        to: Version,
    }

    fn one(name: &str, from: &str, to: &str) -> One {
        One { package: PackageId::npm(name).unwrap(), from: Version::parse(from).unwrap(), to: Version::parse(to).unwrap() }
    }

    impl One {
        fn shift<'s>(&'s self, projects: &[&'s str], is_first_choice: bool, has_siblings: bool) -> Shift<'s> {
            Shift {
                package: &self.package,
                from: &self.from,
                to: &self.to,
                projects: projects.to_vec(),
                parents: vec!["right"],
                ranges: vec!["^1 || 2"],
                is_first_choice,
                has_siblings,
                line: 7,
            }
        }
    }

    #[track_caller]
    fn check(format: &'static str, edition: &str, shifts: &[Shift<'_>], expect: &[&str]) {
        let lockfile =
            Lockfile { format, edition: edition.to_owned(), projects: vec![String::new(), "packages/app".to_owned()], entries: Vec::new() };
        assert_eq!(steps(&lockfile, shifts), expect);
    }

    #[test]
    fn each_client_is_told_in_its_own_words() {
        let (left, web) = (one("left", "1.2.1", "1.2.0"), one("@acme/web", "2.0.1", "2.0.0"));
        let shifts = [left.shift(&["", "packages/app"], true, false), web.shift(&[], true, false)];
        check(
            "package-lock",
            "3",
            &shifts,
            &[
                "npm install --package-lock-only left@1.2.0 @acme/web@2.0.0",
                "npm install --package-lock-only --workspace packages/app left@1.2.0",
                "npm uninstall --package-lock-only @acme/web",
            ],
        );
        check("pnpm-lock", "9.0", &shifts, &["pnpm update --recursive --lockfile-only left @acme/web"]);
        check(
            "yarn.lock",
            "1",
            &shifts,
            &["take out of yarn.lock the whole entry of left@1.2.1 (line 7), @acme/web@2.0.1 (line 7); then: yarn install"],
        );
        check("yarn.lock", "8", &shifts, &["yarn up --recursive --mode update-lockfile left @acme/web"]);
        check("bun.lock", "1", &shifts, &["bun update --lockfile-only left @acme/web"]);
        check(
            "deno.lock",
            "5",
            &shifts,
            &["deno add --lockfile-only npm:left@1.2.0", "delete deno.lock; then: deno install --lockfile-only"],
        );
        check("bun.lock", "1", &[], &[]);
    }

    #[test]
    fn what_a_client_would_not_choose_is_pinned() {
        let (left, web) = (one("left", "1.2.1", "1.2.0"), one("@acme/web", "2.0.1", "2.0.0"));
        let shifts = [left.shift(&[], false, true), web.shift(&[""], false, false)];
        check(
            "npm-shrinkwrap",
            "3",
            &shifts,
            &[
                r#"in package.json, below overrides: {"right":{"left":"1.2.0"}}; then: npm install --package-lock-only"#,
                "npm install --package-lock-only @acme/web@2.0.0",
            ],
        );
        check(
            "pnpm-lock",
            "9.0",
            &shifts,
            &[
                "pnpm update --recursive --lockfile-only @acme/web@2.0.0",
                r#"in pnpm-workspace.yaml: overrides: {"left@^1 || 2":"1.2.0"}; then: pnpm install --lockfile-only --no-frozen-lockfile"#,
            ],
        );
        check(
            "yarn.lock",
            "1",
            &shifts,
            &[
                r#"in package.json, below resolutions: {"right/left":"1.2.0"}; then: yarn install"#,
                r#"in package.json, below resolutions: {"@acme/web":"2.0.0"}; then: yarn install"#,
            ],
        );
        check(
            "yarn.lock",
            "8",
            &shifts,
            &[
                r#"in package.json, below resolutions: {"@acme/web@npm:^1 || 2":"2.0.0","left@npm:^1 || 2":"1.2.0"}; then: yarn install --mode update-lockfile"#,
            ],
        );
        check(
            "bun.lock",
            "1",
            &shifts,
            &[
                "bun add --lockfile-only @acme/web@2.0.0",
                r#"in package.json, below overrides: {"left":"1.2.0"}; then: bun install --lockfile-only"#,
            ],
        );
    }

    #[test]
    fn nothing_of_strangers_reaches_a_shell() {
        for (text, expect) in
            [("a@1", "a@1"), ("a;b", "'a;b'"), ("it's", "'it'\\''s'"), ("$(x)", "'$(x)'"), ("-rf", "'-rf'"), ("", "''"), ("a b", "'a b'")]
        {
            assert_eq!(word(text), expect);
        }
        let evil = one("x", "1.0.0", "1.0.0;$(reboot)`id`'");
        check("deno.lock", "5", &[evil.shift(&[""], true, false)], &["deno add --lockfile-only 'npm:x@1.0.0;$(reboot)`id`'\\'''"]);
    }
}
