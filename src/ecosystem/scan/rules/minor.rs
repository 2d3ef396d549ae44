//! What honest packages have too: it counts when it is new, when installing runs it, or together with others.

use super::How;
use super::Rule;
use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::clues::Clue;
use crate::model::signal::SignalKind;

const CODE: Classes = Classes::CODE;

pub(super) const RULES: &[Rule] = &[
    Rule::signal(
        SignalKind::PlantsHooks,
        CODE,
        &[b".claude", b".vscode", b".cursor", b"SessionStart", b"folderOpen"],
        How::Pattern(
            r#"\.claude["']?\s?[,/\\]{1,2}\s?["']?settings|\.vscode["']?\s?[,/\\]{1,2}\s?["']?tasks\.json|\.cursor["']?\s?[,/\\]{1,2}\s?["']?hooks|\bSessionStart\b|\bfolderOpen\b"#,
        ),
    ),
    Rule::signal(
        SignalKind::TlsOff,
        Classes::COMMANDS,
        &[b"NODE_TLS_REJECT_UNAUTHORIZED"],
        How::Pattern(r#"NODE_TLS_REJECT_UNAUTHORIZED["']?\]?\s?[=:]\s?["'`]?0["'`\s;,)]"#),
    ),
    Rule::signal(
        SignalKind::Messenger,
        CODE,
        &[b"api.telegram.org", b"hooks.slack.com", b"/api/webhooks"],
        How::Pattern(r"(?i)api\.telegram\.org|hooks\.slack\.com|discord(?:app)?\.com/api/webhooks"),
    ),
    Rule::clue(
        Clue::HookedRequests,
        &[b"XMLHttpRequest", b".fetch"],
        How::Pattern(r"XMLHttpRequest\.prototype\.(?:open|send)\s?=[^=]|\b(?:window|globalThis|self)\.fetch\s?=[^=]"),
    ),
    Rule::clue(
        Clue::Wallets,
        &[b"eth_sendTransaction", b"window.ethereum", b"signAndSendTransaction"],
        How::Pattern(r"\beth_sendTransaction\b|\bwindow\.ethereum\b|\bsignAndSendTransaction\b"),
    ),
    Rule::signal(
        SignalKind::WalletHook,
        CODE,
        &[b"ethereum"],
        How::Pattern(r#"\bethereum(?:\.(?:request|send|sendAsync)|\[["'](?:request|send|sendAsync)["']\])\s?=[^=]"#),
    ),
];
