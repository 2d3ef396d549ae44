//! `airlock user add|list|set`: who signs in with a password. Passwords are read from standard input, never from arguments,
//! which other people on the machine can see.

use std::io::BufRead;
use std::io::IsTerminal;

use crate::admin::wire::UserEdit;
use crate::admin::wire::UserOrder;
use crate::admin::wire::UserView;
use crate::admin::wire::Users;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::model::token::Role;

/// The longest line that is read as a password, in bytes.
const PASSWORD_BYTES_MAX: u64 = 4_096;

#[derive(clap::Subcommand, Debug)]
pub enum UserCommand {
    /// Makes a user; the password is the first line of standard input
    Add {
        #[arg(value_name = "NAME")]
        name: String,
        /// What they may do: reader, publisher, approver or admin
        #[arg(long, value_parser = role)]
        role: Role,
        #[arg(long, value_name = "ADDRESS")]
        email: Option<String>,
        /// Without a password: they sign in elsewhere
        #[arg(long)]
        no_password: bool,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists every user
    List {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Changes a user
    #[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
    Set {
        #[arg(value_name = "NAME")]
        name: String,
        #[arg(long, value_parser = role, group = "change")]
        role: Option<Role>,
        /// Empty: none
        #[arg(long, value_name = "ADDRESS", group = "change")]
        email: Option<String>,
        /// A new password: the first line of standard input
        #[arg(long, group = "change")]
        password: bool,
        /// Lets them in nowhere, from now on
        #[arg(long, group = "change", conflicts_with = "enable")]
        disable: bool,
        /// Lets them in again
        #[arg(long, group = "change")]
        enable: bool,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("choose {}", Role::ALL.map(Role::as_str).join(", ")))
}

pub fn run(command: &UserCommand) -> Result<Outcome, Failure> {
    match command {
        UserCommand::Add { name, role, email, no_password, remote } => {
            let password = if *no_password { None } else { Some(read_password()?) };
            let order = UserOrder { name: name.clone(), role: *role, email: email.clone(), password };
            let answer = Remote::new(remote)?.post::<UserView>(&["users"], &order)?;
            say(remote, answer.text, &answer.read, "was made")?;
            if !remote.json {
                let how = if *no_password { "They sign in with the identity provider." } else { "They sign in with `npm login`." };
                page::write(&format!("{how}\n"))?;
            }
        }
        UserCommand::List { remote } => {
            let answer = Remote::new(remote)?.get::<Users>(&["users"], &[])?;
            page::write(&if remote.json { answer.text + "\n" } else { show_list(&answer.read, Look::of_stdout()) })?;
        }
        UserCommand::Set { name, role, email, password, disable, enable, remote } => {
            let password = if *password { Some(read_password()?) } else { None };
            let disabled = (*disable || *enable).then_some(*disable);
            let edit = UserEdit { role: *role, email: email.clone(), password, disabled };
            let answer = Remote::new(remote)?.patch::<UserView>(&["users", name], &edit)?;
            say(remote, answer.text, &answer.read, "was changed")?;
        }
    }
    Ok(Outcome::Green)
}

fn say(remote: &RemoteFlags, text: String, user: &UserView, what: &str) -> Result<(), Failure> {
    let state = if user.disabled_at.is_some() { ", disabled" } else { "" };
    let words = format!("{} {what}: {}{state}.\n", user.name, user.role.as_str());
    page::write(&if remote.json { text + "\n" } else { words })?;
    Ok(())
}

/// One line, without its end.
fn read_password() -> Result<String, Failure> {
    let wrong = |what: &str| Failure::usage(what.to_owned(), "write it to standard input: airlock user add maria --role publisher < file");
    let input = std::io::stdin();
    if input.is_terminal() {
        page::complain("Password (it is shown as you type; better give it by a pipe): ");
    }
    let mut line = String::new();
    let mut bounded = std::io::Read::take(input.lock(), PASSWORD_BYTES_MAX);
    bounded.read_line(&mut line).map_err(|error| wrong(&format!("no password can be read: {error}")))?;
    let password = line.trim_end_matches(['\r', '\n']);
    if password.is_empty() { Err(wrong("there is no password on standard input")) } else { Ok(password.to_owned()) }
}

fn show_list(users: &Users, look: Look) -> String {
    if users.users.is_empty() {
        return "There are no users.\n".to_owned();
    }
    let row = |user: &UserView| {
        let signs_in = match (&user.provider, user.has_password) {
            (Some(provider), _) => provider.clone(),
            (None, true) => "password".to_owned(),
            (None, false) => "no password yet".to_owned(),
        };
        let (state, shade) = match user.disabled_at {
            Some(at) => (format!("disabled {}", at.for_people()), Tone::Dim),
            None => ("let in".to_owned(), Tone::Good),
        };
        vec![
            Cell::new(&user.name, Tone::Strong),
            Cell::plain(user.role.as_str()),
            Cell::plain(user.email.as_deref().unwrap_or("-")),
            Cell::plain(signs_in),
            Cell::plain(user.made_at.for_people()),
            Cell::new(state, shade),
        ]
    };
    let rows: Vec<Vec<Cell>> = users.users.iter().map(row).collect();
    page::table(look, "", &["NAME", "ROLE", "E-MAIL", "SIGNS IN WITH", "MADE", "STATE"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_says_who_is_let_in_and_how() {
        let users: Users = serde_json::from_str(
            r#"{"users":[
              {"name":"ann","role":"publisher","email":"ann@acme.example","has_password":true,"made_at":"2026-11-01T00:00:00Z"},
              {"name":"otto","role":"reader","has_password":false,"made_at":"2026-11-02T00:00:00Z","disabled_at":"2026-11-03T00:00:00Z"}]}"#,
        )
        .unwrap();
        let expected = "\
NAME  ROLE       E-MAIL            SIGNS IN WITH    MADE                  STATE
ann   publisher  ann@acme.example  password         2026-11-01 00:00 UTC  let in
otto  reader     -                 no password yet  2026-11-02 00:00 UTC  disabled 2026-11-03 00:00 UTC
";
        assert_eq!(show_list(&users, Look { colour: false, width: 120 }), expected);
        assert_eq!(show_list(&Users { users: Vec::new() }, Look { colour: false, width: 80 }), "There are no users.\n");
    }
}
