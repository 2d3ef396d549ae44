//! Code that spreads, destroys, stays, downloads and calls out.

use super::How;
use super::Rule;
use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::clues::Clue;
use crate::model::signal::SignalKind;

const CODE: Classes = Classes::CODE;
const COMMANDS: Classes = Classes::COMMANDS;

pub(super) const RULES: &[Rule] = &[
    // Spreads.
    Rule::signal(SignalKind::WormMarks, COMMANDS, &[b"shai-hulud"], How::Literal),
    Rule::signal(SignalKind::WormMarks, COMMANDS, &[b"sha1-hulud"], How::Literal),
    Rule::signal(SignalKind::WormMarks, COMMANDS, &[b"sha1hulud"], How::Literal),
    Rule::signal(SignalKind::WormMarks, COMMANDS, &[b"s1ngularity-repository"], How::Literal),
    Rule::signal(SignalKind::WormMarks, CODE, &[b"global['!']", b"global[\"!\"]"], How::Pattern(r#"global\[["']!["']\]\s?="#)),
    Rule::signal(
        SignalKind::PlantsInstallScript,
        CODE,
        &[b"preinstall", b"postinstall"],
        How::Pattern(r#"scripts["']?\s?\]?\s?(?:\.\s?|\[\s?["'`])(?:pre|post)install(?:["'`]\s?\])?\s?=[^=]"#),
    ),
    Rule::signal(SignalKind::Publishes, CODE, &[b"npm publish"], How::Pattern(r"\bnpm publish\b")),
    // Destroys.
    Rule::signal(
        SignalKind::Wipes,
        COMMANDS,
        &[b"rm -rf", b"rm -fr", b"rm -r -f"],
        How::Pattern(
            r#"\brm\s+-(?:rf|fr|Rf|r\s+-f)\s+(?:--no-preserve-root\s+/|(?:--\s+)?["']?(?:(?:~|\$HOME|\$\{HOME\})/?(?:\*|\.\*)?|/\*)(?:["'`;&|)\s]|\\n|$))"#,
        ),
    ),
    Rule::signal(
        SignalKind::Wipes,
        CODE,
        &[b"homedir", b"env.HOME"],
        How::Pattern(
            r"\b(?:rm|rmSync|rimraf|rimrafSync|remove|removeSync|rmdir|rmdirSync|rmtree)\s*\(\s*(?:(?:\w{1,16}\.)?homedir\(\)|process\.env\.HOME)\s*[,)]",
        ),
    ),
    Rule::signal(
        SignalKind::Wipes,
        COMMANDS,
        &[b"%USERPROFILE%", b" C:\\", b"\tC:\\", b"\"C:\\"],
        How::Pattern(r#"(?i)\b(?:rd|rmdir|del)\s+(?:/[sqf]\s+){1,3}"?(?:%USERPROFILE%(?:\\{1,2}\*)?|C:\\{1,2}\*?)"?\s*(?:["'`&|\n]|$)"#),
    ),
    Rule::signal(SignalKind::Wipes, COMMANDS, &[b"shred"], How::Pattern(r"(?:\bxargs\b[^\n|;]*|-exec\s+)\bshred\b")),
    Rule::signal(SignalKind::Wipes, COMMANDS, &[b"cipher"], How::Pattern(r"\bcipher(?:\.exe)?\s+/[wW]:")),
    // Stays.
    Rule::signal(
        SignalKind::Autostart,
        COMMANDS,
        &[b"crontab"],
        How::Pattern(r#"\|\s*(?:sudo\s+)?crontab\s*(?:-|["'`\n)]|$)|\bcrontab["']?[\s,\[]{1,4}["']?-["'`\s\])]"#),
    ),
    Rule::signal(
        SignalKind::Autostart,
        COMMANDS,
        &[b"systemd", b"systemctl"],
        How::Pattern(r"/etc/systemd/system/|\.config/systemd/user|\bsystemctl\s+(?:--user\s+)?enable\b"),
    ),
    Rule::signal(
        SignalKind::Autostart,
        COMMANDS,
        &[b"LaunchAgents", b"LaunchDaemons"],
        How::Pattern(r#"Library["']?\s?[,/\\]{1,2}\s?["']?Launch(?:Agents|Daemons)"#),
    ),
    Rule::signal(
        SignalKind::Autostart,
        COMMANDS,
        &[b"CurrentVersion"],
        How::Pattern(r"(?i)Windows\\{1,4}CurrentVersion\\{1,4}Run(?:Once)?\b"),
    ),
    Rule::signal(
        SignalKind::Autostart,
        COMMANDS,
        &[b"schtasks"],
        How::Pattern(r#"(?i)\bschtasks(?:\.exe)?["']?[\s,\[]{1,4}["']?/create\b"#),
    ),
    Rule::signal(SignalKind::Autostart, COMMANDS, &[b"Startup"], How::Pattern(r"Start Menu\\{1,4}Programs\\{1,4}Startup")),
    Rule::signal(SignalKind::DetachedProcess, CODE, &[b"detached"], How::Pattern(r#"\bdetached["']?\s?:\s?(?:true|!0)"#)),
    // Downloads and runs.
    Rule::signal(
        SignalKind::DownloadToShell,
        COMMANDS,
        &[b"curl", b"wget"],
        How::Pattern(r"\b(?:curl|wget)\s[^\n|;]*\|\s*(?:sudo\s+(?:-E\s+)?)?(?:(?:ba|z|da|k)?sh|node|python3?|perl|bun)\b"),
    ),
    Rule::signal(
        SignalKind::DownloadToShell,
        COMMANDS,
        &[b"curl", b"wget"],
        How::Pattern(r#"\b(?:ba|z|da|k)?sh\s+(?:-c\s+)?["'\\]{0,3}(?:<\(|\$\()\s?(?:curl|wget)\b"#),
    ),
    Rule::signal(
        SignalKind::DownloadToShell,
        COMMANDS,
        &[b"iex ", b"iex(", b"| iex", b"|iex", b"Invoke-Expression"],
        How::Pattern(
            r#"(?i)\b(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod)\b[^\n|;]*\|\s*(?:iex|Invoke-Expression)\b|\b(?:iex|Invoke-Expression)\b[^\n]{0,50}(?:DownloadString|Net\.WebClient)|\b(?:iex|Invoke-Expression)[\s("'&{]{1,6}(?:iwr|irm|Invoke-WebRequest|Invoke-RestMethod|curl)\s"#,
        ),
    ),
    Rule::signal(
        SignalKind::DownloadToShell,
        COMMANDS,
        &[b"certutil", b"mshta", b"bitsadmin", b"regsvr32"],
        How::Pattern(
            r"(?i)\bcertutil(?:\.exe)?\s+-urlcache|\bmshta(?:\.exe)?\s+https?:|\bbitsadmin(?:\.exe)?\s[^\n]{0,20}/transfer|\bregsvr32(?:\.exe)?\s[^\n]{0,30}/i:http",
        ),
    ),
    Rule::signal(
        SignalKind::RuntimeDownload,
        COMMANDS,
        &[b"bun.sh/install", b"bun.com/install", b"oven-sh/bun/releases", b"deno.land/install", b"deno.land/x/install"],
        How::Pattern(r"\bbun\.(?:sh|com)/install|oven-sh/bun/releases/(?:download|latest)|deno\.land/(?:x/)?install"),
    ),
    Rule::signal(
        SignalKind::ReverseShell,
        COMMANDS,
        &[b"/dev/tcp/", b"bash -i", b"nc -e", b"ncat -e", b"sh -i"],
        How::Pattern(r"/dev/tcp/[\w.$\{-]|\b(?:ba)?sh\s+-i\s*(?:[0-9]?>&|<&)|\bnc(?:at)?\s+-e\s+/"),
    ),
    Rule::signal(SignalKind::Miner, COMMANDS, &[b"stratum+"], How::Pattern(r"stratum\+(?:tcp|ssl|tls)://")),
    Rule::signal(SignalKind::Miner, COMMANDS, &[b"xmrig"], How::Pattern(r"(?i)\bxmrig\b")),
    // Agents.
    Rule::clue(Clue::Claude, &[b"--dangerously-skip-permissions"], How::Literal),
    Rule::clue(Clue::Gemini, &[b"--yolo"], How::Pattern(r"(?i)gemini[^\n]{0,50}--yolo|--yolo[^\n]{0,50}gemini")),
    Rule::clue(Clue::AmazonQ, &[b"--trust-all-tools"], How::Literal),
    Rule::clue(Clue::Codex, &[b"--dangerously-bypass-approvals-and-sandbox"], How::Literal),
    Rule::clue(Clue::Copilot, &[b"--allow-all-tools"], How::Literal),
];
