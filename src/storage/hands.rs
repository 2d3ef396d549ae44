//! Who stands behind a token or a password: whoever made it for another and so knows it, and whoever stands behind them.
//! Newer records say it themselves; for those that do not, it is worked out from who made them and from what was known then.

use crate::model::actor::Actor;
use crate::model::actor::is_one_name;
use crate::model::actor::join;
use crate::model::time::Timestamp;
use crate::model::token::Token;
use crate::model::token::TokenKind;
use crate::storage::summary::Tokens;
use crate::storage::users::Users;

/// The token with all who stand behind it. `by` made it.
pub fn with_hands(token: &Token, by: &Actor, at: Timestamp, tokens: &Tokens, users: &Users) -> Token {
    let made_by = token.made_by.as_deref().or_else(|| another(by, &token.name));
    let behind = token.behind.clone().unwrap_or_else(|| {
        let mut people = Vec::new();
        match token.kind {
            TokenKind::Named => {
                let maker = made_by.unwrap_or(&token.name);
                join(&mut people, &who_acts_as(maker, at, tokens, users), &token.name);
            }
            // Got for a password, as far as it is known.
            TokenKind::Session | TokenKind::Made => {
                let user = users.of(&token.name);
                join(&mut people, user.and_then(|user| user.behind.as_deref()).unwrap_or_default(), &token.name);
            }
            // Got for the word of an identity provider.
            TokenKind::Exchanged => {}
        }
        people
    });
    Token { made_by: made_by.map(str::to_owned), behind: Some(behind), ..token.clone() }
}

/// Who knows the password of `name` besides them, once `by` has set it. `None`: as it was, because only its hash is another.
pub fn behind_password(name: &str, by: &Actor, at: Timestamp, tokens: &Tokens, users: &Users) -> Option<Vec<String>> {
    let mut people = Vec::new();
    match by {
        Actor::Airlock => return None,
        Actor::Person(setter) if is_one_name(setter, name) => {}
        Actor::Person(setter) => join(&mut people, &who_acts_as(setter, at, tokens, users), name),
    }
    Some(people)
}

/// The person, and all who stood behind any token or password of theirs then: which of them was used, the record does not say.
fn who_acts_as(name: &str, at: Timestamp, tokens: &Tokens, users: &Users) -> Vec<String> {
    let mut people = vec![name.to_owned()];
    let theirs = tokens.all().iter().filter(|token| is_one_name(&token.name, name) && token.counts_at(at));
    for behind in theirs.filter_map(|token| token.behind.as_ref()).chain(users.of(name).and_then(|user| user.behind.as_ref())) {
        join(&mut people, behind, name);
    }
    people
}

fn another<'b>(by: &'b Actor, name: &str) -> Option<&'b str> {
    match by {
        Actor::Person(person) if !is_one_name(person, name) => Some(person),
        Actor::Person(_) | Actor::Airlock => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::digest::DocumentDigest;
    use crate::model::token::Role;
    use crate::model::user::PasswordHash;
    use crate::model::user::User;
    use crate::model::user::UserChange;
    use crate::storage::record::Command;
    use crate::storage::record::Record;
    use crate::storage::record::Sequence;
    use crate::storage::summary::Summary;

    /// Records as they were before they said who stands behind what.
    #[derive(Default)]
    struct Told(Summary);

    impl Told {
        fn tell(&mut self, by: &str, command: Command) -> &mut Told {
            let actor = if by.is_empty() { Actor::Airlock } else { Actor::Person(by.to_owned()) };
            let sequence = Sequence(self.0.sequence.0 + 1);
            self.0.apply(&Record { version: Record::VERSION, sequence, at: at(sequence.0), actor, commands: vec![command] });
            self
        }

        fn token(&mut self, by: &str, name: &str, kind: TokenKind) -> &mut Told {
            let id = format!("{name}{}", self.0.sequence.0);
            let hash = DocumentDigest::of(b"");
            let token = Token { kind, ..Token::named(id, name.to_owned(), Role::Admin, hash, at(self.0.sequence.0 + 1)) };
            self.tell(by, Command::TokenCreated { token })
        }

        fn user(&mut self, by: &str, name: &str) -> &mut Told {
            let user = User {
                name: name.to_owned(),
                role: Role::Admin,
                email: None,
                password: Some(PasswordHash::new("$argon2id$x".to_owned())),
                behind: None,
                oidc: None,
                made_at: at(0),
                disabled_at: None,
            };
            self.tell(by, Command::UserMade { user })
        }

        fn password(&mut self, by: &str, name: &str) -> &mut Told {
            let change = UserChange::Password(PasswordHash::new("$argon2id$y".to_owned()));
            self.tell(by, Command::UserChanged { name: name.to_owned(), change })
        }

        #[track_caller]
        fn stands_behind_token(&mut self, made_by: Option<&str>, behind: &[&str]) -> &mut Told {
            let last = self.0.tokens.all().last().unwrap();
            assert_eq!(
                (last.made_by.as_deref(), last.behind.as_deref()),
                (made_by, Some(&*behind.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>()))
            );
            self
        }

        #[track_caller]
        fn stands_behind_user(&mut self, name: &str, behind: &[&str]) -> &mut Told {
            assert_eq!(self.0.users.of(name).unwrap().behind.as_deref().unwrap(), behind);
            self
        }
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(i64::try_from(seconds).unwrap() * 1_000)
    }

    #[test]
    fn whoever_made_the_token_that_made_the_token_stands_behind_it() {
        let mut told = Told::default();
        told.token("", "admin", TokenKind::Named).stands_behind_token(None, &[]);
        told.token("admin", "ann", TokenKind::Named).stands_behind_token(Some("admin"), &["admin"]);
        told.token("Ann", "build", TokenKind::Named).stands_behind_token(Some("Ann"), &["Ann", "admin"]);
        // Of a name that was there before, in another spelling, what is new is what it was made with.
        told.tell("ann", Command::TokenRevoked { id: "build2".to_owned() });
        told.token("build", "BUILD", TokenKind::Named).stands_behind_token(None, &[]);
    }

    #[test]
    fn what_a_record_says_itself_counts() {
        let mut told = Told::default();
        told.token("", "admin", TokenKind::Named).token("admin", "ann", TokenKind::Named);
        let said = Token { behind: Some(vec!["eve".to_owned()]), made_by: Some("eve".to_owned()), ..told.0.tokens.all()[1].clone() };
        told.tell("ann", Command::TokenCreated { token: Token { id: "1".to_owned(), ..said } }).stands_behind_token(Some("eve"), &["eve"]);
        told.user("admin", "maria").stands_behind_user("maria", &["admin"]);
        told.tell("admin", Command::UserChanged { name: "maria".to_owned(), change: UserChange::Behind(vec!["eve".to_owned()]) });
        told.stands_behind_user("maria", &["eve"]);
    }

    #[test]
    fn whoever_set_a_password_stands_behind_it_until_its_user_does() {
        let mut told = Told::default();
        told.token("", "admin", TokenKind::Named).token("admin", "root", TokenKind::Named);
        told.user("root", "maria").stands_behind_user("maria", &["root", "admin"]);
        told.token("maria", "maria", TokenKind::Session).stands_behind_token(None, &["root", "admin"]);
        // A stronger hash of the same password is no other password.
        told.password("", "maria").stands_behind_user("maria", &["root", "admin"]);
        told.password("Maria", "maria").stands_behind_user("maria", &[]);
        told.token("maria", "maria", TokenKind::Session).stands_behind_token(None, &[]);
        told.password("admin", "Maria").stands_behind_user("maria", &["admin"]);
        // Of two ways to have come in, both count: by the session of before, and by the password of now.
        told.token("maria", "ci", TokenKind::Named).stands_behind_token(Some("maria"), &["maria", "root", "admin"]);
        told.user("otto", "otto").stands_behind_user("otto", &[]);
        told.token("ci:acme/web", "ci:acme/web", TokenKind::Exchanged).stands_behind_token(None, &[]);
    }
}
