//! Settings from which editors and coding agents run programs, as soon as somebody opens a folder that has them. What only
//! speaks to an agent, such as `AGENTS.md`, runs nothing.

/// Ends of paths, in lower case.
const FILES: [&str; 14] = [
    ".claude/settings.json",
    ".claude/settings.local.json",
    ".cursor/hooks.json",
    ".cursor/mcp.json",
    ".vscode/tasks.json",
    ".vscode/mcp.json",
    ".gemini/settings.json",
    ".codex/config.toml",
    ".windsurf/hooks.json",
    ".zed/tasks.json",
    ".idea/workspace.xml",
    ".devcontainer/devcontainer.json",
    ".devcontainer.json",
    ".mcp.json",
];
/// Folders whose every file counts.
const FOLDERS: [&str; 2] = [".idea/runconfigurations/", ".kiro/hooks/"];

pub(super) fn is_hook(path: &str) -> bool {
    if !path.contains('.') {
        return false;
    }
    let path = path.to_ascii_lowercase();
    let whole = |at: usize| at == 0 || path.as_bytes().get(at - 1) == Some(&b'/');
    FILES.iter().any(|file| path.strip_suffix(file).is_some_and(|before| whole(before.len())))
        || FOLDERS.iter().any(|folder| path.find(folder).is_some_and(whole))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_run_programs_are_hooks() {
        for path in
            [".claude/settings.json", "templates/.vscode/tasks.json", ".IDEA/runConfigurations/a.xml", "a/.kiro/hooks/x.json", ".mcp.json"]
        {
            assert!(is_hook(path), "{path}");
        }
        for path in
            ["AGENTS.md", "CLAUDE.md", ".claude/commands/a.md", ".vscode/settings.json", "x.claude/settings.json", "a.mcp.json", "index.js"]
        {
            assert!(!is_hook(path), "{path}");
        }
    }
}
