//! The page at `/-/airlock/sign-in/{session}`: who asks, and the form. Whoever was lured here is to notice.

use maud::Markup;
use maud::html;

use crate::access::web::Asking;
use crate::admin::page::TEXT_BYTES_MAX;
use crate::model::finding::printable;

pub struct Page<'s> {
    pub session: &'s str,
    pub asking: Asking,
    /// Whether the program that waits has the address of who looks at the page.
    pub is_from_here: bool,
    pub has_provider: bool,
    pub may_register: bool,
    /// What was wrong with the form before.
    pub wrong: Option<String>,
}

impl Page<'_> {
    pub fn html(&self, base: &str) -> Markup {
        let program = self
            .asking
            .user_agent
            .as_deref()
            .map_or("a program that does not say its name".to_owned(), |agent| printable(agent, TEXT_BYTES_MAX / 4));
        let here = format!("{base}/-/airlock/sign-in/{}", self.session);
        html! {
            section {
                h1 { "Sign in" }
                p.lead { "A program asks to act as you here. If you did not just start it, close this page." }
                dl {
                    dt { "It says it is" } dd { (program) }
                    dt { "It asks from" } dd { (self.asking.address) @if self.is_from_here { span.soft { " as you do" } } }
                    dt { "Since" } dd { (self.asking.since.for_people()) }
                }
            }
            section {
                @if let Some(wrong) = &self.wrong { p.wrong role="alert" { (printable(wrong, TEXT_BYTES_MAX)) } }
                form method="post" action=(here) {
                    input type="hidden" name="nonce" value=(self.asking.nonce);
                    label { "Name" input name="name" required autofocus autocomplete="username" autocapitalize="none" spellcheck="false" maxlength="64"; }
                    label { "Password" input type="password" name="password" required autocomplete="current-password"; }
                    button { "Sign in" }
                }
                @if self.may_register { p.soft { "A name that nobody has becomes yours, with this password." } }
                @if self.has_provider { p { a href=(format!("{base}/-/airlock/oidc/start/{}", self.session)) { "Sign in with your company's account" } } }
            }
        }
    }
}

pub fn done(name: &str) -> Markup {
    html! {
        section {
            h1 { "You are signed in" }
            p.lead { "As " strong { (name) } ". Go back to the program that waits; this page may be closed." }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::net::Ipv4Addr;

    use super::*;
    use crate::model::time::Timestamp;

    #[test]
    fn says_who_asks_and_escapes_it() {
        let asking = Asking {
            address: IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7)),
            user_agent: Some("npm/11 <script>".to_owned()),
            since: Timestamp::parse("2026-11-20T12:00:00Z").unwrap(),
            nonce: "0123".to_owned(),
        };
        let mut page = Page {
            session: "abc",
            asking,
            is_from_here: false,
            has_provider: false,
            may_register: false,
            wrong: Some("no <b>".to_owned()),
        };
        let text = page.html("https://airlock.example/x").into_string();
        for part in [
            "npm/11 &lt;script&gt;",
            "10.0.0.7",
            "2026-11-20 12:00 UTC",
            "no &lt;b&gt;",
            "action=\"https://airlock.example/x/-/airlock/sign-in/abc\"",
            "value=\"0123\"",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
        assert!(!text.contains("oidc") && !text.contains("becomes yours") && !text.contains("as you do"));
        page.has_provider = true;
        assert!(page.html("").into_string().contains("href=\"/-/airlock/oidc/start/abc\""));
    }
}
