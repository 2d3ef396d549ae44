//! `airlock token create|list|revoke`: who may do what.

use crate::admin::wire::NewToken;
use crate::admin::wire::TokenOrder;
use crate::admin::wire::TokenView;
use crate::admin::wire::Tokens;
use crate::cli::failure::Failure;
use crate::cli::failure::Outcome;
use crate::cli::page;
use crate::cli::page::Cell;
use crate::cli::page::Look;
use crate::cli::page::Tone;
use crate::cli::remote::Remote;
use crate::cli::remote::RemoteFlags;
use crate::cli::target::expiry;
use crate::clock::Clock;
use crate::model::time::Timestamp;
use crate::model::token::Role;

#[derive(clap::Subcommand, Debug)]
pub enum TokenCommand {
    /// Makes a token and shows it, once
    Create {
        /// What it allows: reader, publisher, approver or admin
        #[arg(long, value_parser = role)]
        role: Role,
        /// Whose it is, as the ledger will say
        #[arg(long, value_name = "TEXT")]
        name: String,
        /// When it stops working: 90d, 2027-01-31 [default: never]
        #[arg(long, value_name = "WHEN")]
        expires: Option<String>,
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Lists every token, without its secret
    List {
        #[command(flatten)]
        remote: RemoteFlags,
    },
    /// Ends a token at once
    Revoke {
        /// Its id, or its name
        #[arg(value_name = "ID|NAME")]
        which: String,
        #[command(flatten)]
        remote: RemoteFlags,
    },
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| format!("choose {}", Role::ALL.map(Role::as_str).join(", ")))
}

pub fn run(command: &TokenCommand, clock: &Clock) -> Result<Outcome, Failure> {
    match command {
        TokenCommand::Create { role, name, expires, remote } => {
            let expires_at = expires.as_deref().map(|text| expiry(text, clock)).transpose()?;
            let order = TokenOrder { name: name.trim().to_owned(), role: *role, expires_at };
            let answer = Remote::new(remote)?.post::<NewToken>(&["tokens"], &order)?;
            page::write(&if remote.json { answer.text + "\n" } else { show_new(&answer.read) })?;
        }
        TokenCommand::List { remote } => {
            let answer = Remote::new(remote)?.get::<Tokens>(&["tokens"], &[])?;
            page::write(&if remote.json { answer.text + "\n" } else { show_list(&answer.read, clock.now(), Look::of_stdout()) })?;
        }
        TokenCommand::Revoke { which, remote } => {
            let server = Remote::new(remote)?;
            let tokens = server.get::<Tokens>(&["tokens"], &[])?.read.tokens;
            let token = find(&tokens, which)?;
            server.delete(&["tokens", &token.id])?;
            if remote.json {
                page::write_json(&serde_json::json!({ "id": token.id, "name": token.name, "revoked": true }))?;
            } else {
                page::write(&page::table(
                    Look::of_stdout(),
                    "",
                    &[],
                    &[vec![Cell::plain(format!("The token {} of {} no longer works.", token.id, token.name))]],
                ))?;
            }
        }
    }
    Ok(Outcome::Green)
}

/// The token by its id, or the one in use by its name.
fn find<'a>(tokens: &'a [TokenView], which: &str) -> Result<&'a TokenView, Failure> {
    let by_id = tokens.iter().find(|token| token.id == which);
    let of_name = || tokens.iter().filter(|token| token.name == which && token.revoked_at.is_none());
    // Who signs in has a token of each sign-in.
    if by_id.is_none() && of_name().count() > 1 {
        return Err(Failure::failed(format!("{which:?} has several tokens in use"), "give an id; `airlock token list` shows them all"));
    }
    let by_name = || of_name().next();
    match by_id.or_else(by_name) {
        Some(token) if token.revoked_at.is_some() => {
            Err(Failure::failed(format!("the token {} of {} was revoked before", token.id, token.name), "nothing is left to do"))
        }
        Some(token) => Ok(token),
        None => Err(Failure::failed(format!("no token in use has the id or the name {which:?}"), "`airlock token list` shows them all")),
    }
}

fn show_new(new: &NewToken) -> String {
    format!(
        "{}\n\nThis is the only time it is shown. It works {}.\n",
        new.token,
        new.view.expires_at.map_or_else(|| "until it is revoked".to_owned(), |at| format!("until {}", at.for_people()))
    )
}

fn show_list(tokens: &Tokens, now: Timestamp, look: Look) -> String {
    if tokens.tokens.is_empty() {
        return "There are no tokens.\n".to_owned();
    }
    let row = |token: &TokenView| {
        let (state, shade) = match (token.revoked_at, token.expires_at) {
            (Some(at), _) => (format!("revoked {}", at.for_people()), Tone::Dim),
            (None, Some(at)) if at <= now => (format!("expired {}", at.for_people()), Tone::Dim),
            (None, Some(at)) => (format!("until {}", at.for_people()), Tone::Good),
            (None, None) => ("in use".to_owned(), Tone::Good),
        };
        vec![
            Cell::plain(&token.id),
            Cell::new(&token.name, Tone::Strong),
            Cell::plain(token.role.as_str()),
            Cell::plain(token.created_at.for_people()),
            Cell::new(state, shade),
        ]
    };
    let rows: Vec<Vec<Cell>> = tokens.tokens.iter().map(row).collect();
    page::table(look, "", &["ID", "NAME", "ROLE", "MADE", "STATE"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens() -> Tokens {
        serde_json::from_str(
            r#"{"tokens":[
              {"id":"aaaaaaaaaaaa","name":"maria","role":"approver","created_at":"2026-11-01T00:00:00Z","revoked_at":"2026-11-02T00:00:00Z"},
              {"id":"bbbbbbbbbbbb","name":"maria","role":"approver","created_at":"2026-11-02T00:00:00Z","expires_at":"2026-12-01T00:00:00Z"},
              {"id":"cccccccccccc","name":"ci","role":"reader","created_at":"2026-10-01T00:00:00Z","expires_at":"2026-11-01T00:00:00Z"},
              {"id":"dddddddddddd","name":"admin","role":"admin","created_at":"2026-10-01T00:00:00Z"}]}"#,
        )
        .unwrap()
    }

    #[test]
    fn a_list_says_which_work() {
        let expected = "\
ID            NAME   ROLE      MADE                  STATE
aaaaaaaaaaaa  maria  approver  2026-11-01 00:00 UTC  revoked 2026-11-02 00:00 UTC
bbbbbbbbbbbb  maria  approver  2026-11-02 00:00 UTC  until 2026-12-01 00:00 UTC
cccccccccccc  ci     reader    2026-10-01 00:00 UTC  expired 2026-11-01 00:00 UTC
dddddddddddd  admin  admin     2026-10-01 00:00 UTC  in use
";
        let now = Timestamp::parse("2026-11-20T00:00:00Z").unwrap();
        assert_eq!(show_list(&tokens(), now, Look { colour: false, width: 100 }), expected);
    }

    #[test]
    fn a_token_is_found_by_id_and_by_name() {
        let tokens = tokens().tokens;
        assert_eq!(find(&tokens, "maria").unwrap().id, "bbbbbbbbbbbb");
        assert_eq!(find(&tokens, "dddddddddddd").unwrap().name, "admin");
        assert!(find(&tokens, "aaaaaaaaaaaa").unwrap_err().to_string().contains("revoked before"));
        assert!(find(&tokens, "nobody").unwrap_err().to_string().contains("token list"));
        let twice: Vec<TokenView> = tokens.iter().chain(&tokens[1..2]).cloned().collect();
        assert!(find(&twice, "maria").unwrap_err().to_string().contains("several"));
    }
}
