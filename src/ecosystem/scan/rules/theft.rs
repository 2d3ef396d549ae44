//! Code that takes secrets.

use std::ops::Range;

use super::How;
use super::Rule;
use super::before;
use crate::ecosystem::scan::class::Classes;
use crate::ecosystem::scan::clues::Clue;
use crate::model::signal::SignalKind;

const CODE: Classes = Classes::CODE;
const COMMANDS: Classes = Classes::COMMANDS;

pub(super) const RULES: &[Rule] = &[
    Rule::signal(
        SignalKind::WholeEnvironment,
        CODE,
        &[b"process.env"],
        How::Filtered(
            r#"JSON\.stringify\s*\(\s*(?:process\.env|\{[^{}]*(?:\.\.\.process\.env|\benv(?:ironment)?["']?\s*:\s*process\.env))\s*[,)}]"#,
            is_no_definition,
        ),
    ),
    Rule::signal(
        SignalKind::WholeEnvironment,
        CODE,
        &[b"os.environ"],
        How::Pattern(r"json\.dumps\s*\(\s*(?:dict\s*\(\s*)?os\.environ\s*[,)]"),
    ),
    Rule::signal(
        SignalKind::WholeEnvironment,
        COMMANDS,
        &[b"env |", b"env|"],
        How::Pattern(r"\b(?:print)?env\s?\|\s?(?:base64|curl|gzip|openssl|xxd|nc)\b"),
    ),
    Rule::signal(SignalKind::ProcessMemory, COMMANDS, &[b"/proc/"], How::Pattern(r#"/proc/[^\n/]{1,50}/mem["'`\s);,]"#)),
    Rule::signal(SignalKind::ProcessMemory, COMMANDS, &[b"Runner.Worker"], How::Pattern(r"\bRunner\.Worker\b")),
    Rule::signal(
        SignalKind::SecretScanner,
        CODE,
        &[b"trufflehog", b"gitleaks"],
        How::Pattern(
            r#"(?i)(?:trufflehog|gitleaks)\b[^\n]{0,50}(?:\bfilesystem\b|--no-git|--json|\bdetect\b|releases/download|\.tar\.gz)|releases/(?:download|latest)[^\n]{0,50}(?:trufflehog|gitleaks)|\b(?:exec|execSync|spawn|spawnSync|execFile)\s*\([^\n)]{0,50}(?:trufflehog|gitleaks)|trufflesecurity/trufflehog/releases"#,
        ),
    ),
    Rule::signal(SignalKind::WorkflowSecrets, COMMANDS, &[b"toJSON("], How::Pattern(r"toJSON\(\s?secrets\s?\)")),
    Rule::signal(
        SignalKind::TokenVariables,
        CODE,
        &[b"_TOKEN", b"_SECRET", b"_API_KEY"],
        How::Pattern(
            r"\b(?:NPM_TOKEN|NPM_AUTH_TOKEN|NODE_AUTH_TOKEN|GITHUB_TOKEN|GH_TOKEN|GITLAB_TOKEN|AWS_SECRET_ACCESS_KEY|AWS_SESSION_TOKEN|ACTIONS_ID_TOKEN_REQUEST_TOKEN|ACTIONS_RUNTIME_TOKEN|VAULT_TOKEN|PYPI_TOKEN|CARGO_REGISTRY_TOKEN|SLACK_BOT_TOKEN|STRIPE_SECRET_KEY|OPENAI_API_KEY|ANTHROPIC_API_KEY)\b",
        ),
    ),
    Rule::signal(
        SignalKind::CloudMetadata,
        CODE,
        &[b"169.254.169.254", b"169.254.170.2", b"metadata.google.internal", b"100.100.100.200"],
        How::Pattern(r"(?i)169\.254\.169\.254|169\.254\.170\.2\b|metadata\.google\.internal|100\.100\.100\.200"),
    ),
    // Files of credentials, by whose they are.
    Rule::clue(
        Clue::Ssh,
        &[b"id_rsa", b"id_ed25519", b"id_ecdsa"],
        How::Pattern(r#"\.ssh["']?\s?[,/\\]{1,2}\s?["']?id_|["'/\\]id_(?:rsa|ed25519|ecdsa)["'`]"#),
    ),
    Rule::clue(Clue::Aws, &[b".aws"], How::Pattern(r#"\.aws["']?\s?[,/\\]{1,2}\s?["']?credentials"#)),
    Rule::clue(
        Clue::GoogleCloud,
        &[b"application_default_credentials", b"gcloud"],
        How::Pattern(r#"application_default_credentials\.json|gcloud["']?\s?[,/\\]{1,2}\s?["']?(?:credentials|access_tokens)\.db"#),
    ),
    Rule::clue(
        Clue::Azure,
        &[b"azureProfile", b"accessTokens.json", b"msal_token_cache"],
        How::Pattern(r#"(?i)azureProfile\.json|\.azure["']?\s?[,/\\]{1,2}\s?["']?accessTokens\.json|msal_token_cache"#),
    ),
    Rule::clue(Clue::Kubernetes, &[b".kube"], How::Pattern(r#"\.kube["']?\s?[,/\\]{1,2}\s?["']?config"#)),
    Rule::clue(Clue::Docker, &[b".docker"], How::Pattern(r#"\.docker["']?\s?[,/\\]{1,2}\s?["']?config\.json"#)),
    Rule::clue(Clue::Npmrc, &[b".npmrc"], How::Literal),
    Rule::clue(Clue::Git, &[b".git-credentials"], How::Literal),
    Rule::clue(Clue::Netrc, &[b".netrc"], How::Pattern(r#"["'/\\]\.netrc["'`]"#)),
    Rule::clue(Clue::Pypi, &[b".pypirc"], How::Literal),
    Rule::clue(
        Clue::Browser,
        &[b"Login Data", b"cookies.sqlite", b"Local Extension Settings", b"logins.json"],
        How::Pattern(r#"["'/\\](?:Login Data|cookies\.sqlite|Local Extension Settings|logins\.json)["'/\\`]"#),
    ),
    Rule::clue(
        Clue::Wallet,
        &[b"wallet.dat", b"exodus.wallet", b"nkbihfbeogaeaoehlefnkodbefgpgknn", b".electrum", b".config/solana", b"keystore"],
        How::Pattern(
            r#"["'/\\](?:wallet\.dat|exodus\.wallet|\.electrum)["'/\\`]|nkbihfbeogaeaoehlefnkodbefgpgknn|\.config/solana/id\.json|[Ee]thereum["']?\s?[,/\\]{1,2}\s?["']?keystore"#,
        ),
    ),
    Rule::clue(Clue::Vault, &[b".vault-token"], How::Literal),
    // The registry's account.
    Rule::clue(
        Clue::RegistryAccount,
        &[b"/-/npm/v1/tokens", b"/-/whoami", b"npm whoami"],
        How::Pattern(r"/-/npm/v1/tokens|/-/whoami|\bnpm whoami\b"),
    ),
    Rule::clue(Clue::TokenShape, &[b"npm_["], How::Pattern(r"npm_\[[\w-]{3,20}\]\{3\d")),
    Rule::clue(Clue::TokenShape, &[b"ghp_[", b"gh[p", b"gh[o", b"gho_["], How::Pattern(r"gh(?:p|o|\[[\w|]{2,8}\])_\[[\w-]{3,20}\]\{3\d")),
];

/// `'process.env': JSON.stringify(process.env)` is how bundlers are told what it is.
fn is_no_definition(text: &[u8], place: Range<usize>) -> bool {
    const REACH: usize = 40;
    let before = before(text, place.start, REACH).trim_ascii_end();
    let before = before.strip_suffix(b":").unwrap_or(before).trim_ascii_end();
    let defines = [b"process.env'".as_slice(), b"process.env\"", b"process.env`", b"process.env", b"window.__ENV", b"__ENV__"];
    let before = before.strip_suffix(b"]").unwrap_or(before);
    !defines.iter().any(|defined| before.ends_with(defined))
}
