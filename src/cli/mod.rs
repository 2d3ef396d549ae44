//! The command line: one subcommand a file. Exit 0 done or green, 1 held, denied or failed, 2 wrong usage or configuration.

mod advisories;
mod audit;
mod check;
mod check_config;
mod decide;
mod explain;
mod failure;
mod health;
mod init;
mod lock;
mod page;
mod pieces;
mod policy;
mod queue;
mod recall;
mod remote;
mod request;
mod selftest;
mod serve;
mod target;
mod token;
mod user;
mod waiver;

use std::process::ExitCode;

use clap::Parser;
use clap::Subcommand;

use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::clock::Clock;
use crate::model::decision::Verb;

/// An npm registry proxy with a gate: a release waits until it is known to be good.
#[derive(Parser, Debug)]
#[command(name = "airlock", version, args_conflicts_with_subcommands = true, max_term_width = 100)]
#[command(
    after_help = "Exit status: 0 done or green, 1 held, denied or failed, 2 wrong usage or configuration.\nWithout a command, airlock serves."
)]
struct Line {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeFlags,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Serves the gated registry (the default command)
    Serve(serve::ServeFlags),
    /// Writes a commented airlock.toml
    Init(init::InitFlags),
    /// Says every fault of the configuration at once
    CheckConfig(check_config::CheckFlags),
    /// Shows what waits for people, most wanted first
    Queue(queue::QueueFlags),
    /// Says where a package or release stands, every finding, and what would change it; exit 1 if the release is not open
    Explain(explain::ExplainFlags),
    /// Says of every release in a lockfile whether it may be installed, when what is held opens, and which changes make it green;
    /// exit 1 if an install would not go through
    Check(check::CheckLockfileFlags),
    /// Changes lockfiles
    #[command(subcommand)]
    Lock(lock::LockCommand),
    /// Approves a release
    Approve(decide::DecisionFlags),
    /// Rejects a release
    Reject(decide::DecisionFlags),
    /// Holds a release until someone decides otherwise
    Hold(decide::DecisionFlags),
    /// Forgets decisions and inspections of a release; policy judges it anew
    Reopen(decide::DecisionFlags),
    /// Says that findings do not count for some packages, until a date
    #[command(subcommand)]
    Waiver(waiver::WaiverCommand),
    /// Asks that a release be let through; whoever decides sees how many ask, and why
    Request(request::RequestFlags),
    /// Takes back an approved release, says who pulled it, and keeps track of who got rid of it
    Recall(recall::RecallFlags),
    /// Tries a policy before it bites
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Runs one violation of each rule through the policy of this configuration; exit 1 when one is not caught
    Selftest(selftest::SelftestFlags),
    /// Shows the ledger, newest entries last; verifies or exports it
    Audit(audit::AuditFlags),
    /// Brings advisories to the server, and shows how old what it knows is
    #[command(subcommand)]
    Advisories(advisories::AdvisoriesCommand),
    /// Asks the server on this machine whether it can serve; for health checks of containers
    #[command(hide = true)]
    Health(health::HealthFlags),
    /// Makes, lists and ends tokens
    #[command(subcommand)]
    Token(token::TokenCommand),
    /// Makes, lists and changes users
    #[command(subcommand)]
    User(user::UserCommand),
}

/// Reads the command line of the process and does what it says.
pub fn run() -> ExitCode {
    let line = match Line::try_parse() {
        Ok(line) => line,
        Err(error) => {
            // Where not even this can be printed, the exit code still tells.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match dispatch(line, &Clock::system()) {
        Ok(Outcome::Green) => ExitCode::SUCCESS,
        Ok(Outcome::Red) => ExitCode::from(1),
        Err(failure) => {
            let text = failure.to_string();
            if !text.is_empty() {
                page::complain(&format!("airlock: {text}\n"));
            }
            ExitCode::from(failure.code())
        }
    }
}

fn dispatch(line: Line, clock: &Clock) -> Result<Outcome, Failure> {
    match line.command {
        None => serve::run(&line.serve, clock),
        Some(Command::Serve(flags)) => serve::run(&flags, clock),
        Some(Command::Init(flags)) => init::run(&flags),
        Some(Command::CheckConfig(flags)) => check_config::run(&flags, clock),
        Some(Command::Queue(flags)) => queue::run(&flags),
        Some(Command::Explain(flags)) => explain::run(&flags),
        Some(Command::Check(flags)) => check::run(&flags),
        Some(Command::Lock(command)) => lock::run(&command),
        Some(Command::Approve(flags)) => decide::run(&flags, Verb::Approve, clock),
        Some(Command::Reject(flags)) => decide::run(&flags, Verb::Reject, clock),
        Some(Command::Hold(flags)) => decide::run(&flags, Verb::Hold, clock),
        Some(Command::Reopen(flags)) => decide::run(&flags, Verb::Reopen, clock),
        Some(Command::Waiver(command)) => waiver::run(&command, clock),
        Some(Command::Request(flags)) => request::run(&flags),
        Some(Command::Recall(flags)) => recall::run(&flags),
        Some(Command::Policy(command)) => policy::run(&command, clock),
        Some(Command::Selftest(flags)) => selftest::run(&flags, clock),
        Some(Command::Audit(flags)) => audit::run(&flags),
        Some(Command::Advisories(command)) => advisories::run(&command),
        Some(Command::Health(flags)) => health::run(&flags),
        Some(Command::Token(command)) => token::run(&command, clock),
        Some(Command::User(command)) => user::run(&command),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definitions_are_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn every_command_of_the_contract_is_read() {
        for text in [
            "",
            "--listen 127.0.0.1:1",
            "serve --config x.toml --listen 127.0.0.1:1 --upstream https://registry.example/ --data-dir d --public-url https://a.example",
            "init",
            "init --config x.toml",
            "check-config",
            "check-config --config x.toml --json --show",
            "queue",
            "queue --limit 5 --server http://127.0.0.1:1 --token t --json",
            "explain left-pad",
            "explain @acme/web@1.0.0 --json",
            "check package-lock.json",
            "check pnpm-lock.yaml --json --server http://127.0.0.1:1 --token t",
            "lock rewrite yarn.lock",
            "lock rewrite yarn.lock --registry https://airlock.example/ --output -",
            "approve left-pad@1.3.0 --reason why --expires 30d",
            "reject left-pad@1.3.0 --reason why",
            "hold left-pad@1.3.0 --reason why --expires 30d",
            "reopen left-pad@1.3.0 --reason why",
            "recall left-pad@1.3.0 --reason why",
            "policy test cases.toml --config airlock.toml --json",
            "policy diff airlock.toml new.toml",
            "policy diff airlock.toml new.toml --releases --json",
            "policy replay new.toml --days 7 --server http://127.0.0.1:1 --token t",
            "selftest --config airlock.toml --json",
            "recall ack left-pad@1.3.0 --note gone",
            "recall ack @acme/web@1.0.0 --for ci --json",
            "recall status left-pad@1.3.0",
            "request left-pad@1.3.0 --reason why",
            "waiver add left-pad@1.3.0 --finding install_gained --reason why --expires 90d",
            "waiver add esbuild @esbuild/* --finding install_gained --finding binary_gained --reason why --json",
            "waiver list --all",
            "waiver end 5f0c9a1be27d --reason why",
            "audit",
            "audit --after 5 --limit 10 --json",
            "audit verify",
            "audit verify --data-dir airlock-data",
            "audit export --after 3",
            "token create --role approver --name maria --expires 90d",
            "advisories import all.zip",
            "advisories import osv/npm --add --json",
            "advisories status",
            "health",
            "token list",
            "token revoke maria",
            "user add maria --role publisher --email maria@acme.example",
            "user add maria --role reader --no-password",
            "user list --json",
            "user set maria --role approver --password",
            "user set maria --disable",
        ] {
            let words = std::iter::once("airlock").chain(text.split_whitespace());
            if let Err(error) = Line::try_parse_from(words) {
                panic!("{text}: {error}");
            }
        }
    }

    #[test]
    fn what_containers_ask_is_not_in_the_help() {
        let help = <Line as clap::CommandFactory>::command().render_long_help().to_string();
        assert!(help.contains("  queue ") && !help.contains("health"), "{help}");
    }

    #[test]
    fn wrong_usage_is_exit_2() {
        for text in [
            "worker",
            "check",
            "lock",
            "lock rewrite",
            "policy test",
            "backup x",
            "approve left-pad@1.3.0",
            "approve left-pad --reason why",
            "recall left-pad@1.3.0",
            "recall --reason why",
            "recall ack",
            "request left-pad@1.3.0",
            "request left-pad --reason why",
            "waiver add left-pad --reason why",
            "waiver add --finding install_gained --reason why",
            "waiver add left-pad --finding nonsense --reason why",
            "waiver end 5f0c9a1be27d",
            "explain",
            "explain ../x",
            "token create --role owner --name x",
            "user add maria",
            "user set maria",
            "user set maria --disable --enable",
            "queue --limit 0",
            "audit --limit 501",
            "audit --after 1 verify",
            "--nonsense",
        ] {
            let words = std::iter::once("airlock").chain(text.split_whitespace());
            assert_eq!(Line::try_parse_from(words).unwrap_err().exit_code(), 2, "{text}");
        }
        assert_eq!(Line::try_parse_from(["airlock", "--version"]).unwrap_err().exit_code(), 0);
    }

    #[test]
    fn a_token_is_not_shown_in_help() {
        let help = Line::command().find_subcommand_mut("queue").unwrap().render_long_help().to_string();
        assert!(help.contains("AIRLOCK_TOKEN]") || help.contains("AIRLOCK_TOKEN"), "{help}");
        assert!(!help.contains("AIRLOCK_TOKEN="), "{help}");
    }
}
