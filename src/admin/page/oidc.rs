//! The pages around a sign-in at the identity provider.

use maud::Markup;
use maud::html;

use crate::access::web::Asking;
use crate::admin::page::TEXT_BYTES_MAX;
use crate::admin::page::instant;
use crate::model::finding::printable;

/// `on` leads to the provider.
pub fn leaving(issuer: &str, asking: &Asking, on: &str) -> Markup {
    html! {
        section {
            h1 { "Sign in" }
            p.lead { "A program asks to act as you. Go on only if you have just begun this yourself, on that machine." }
            dl {
                dt { "From the address" } dd { (asking.address) }
                @if let Some(user_agent) = &asking.user_agent {
                    dt { "The program" } dd { (printable(user_agent, TEXT_BYTES_MAX)) }
                }
                dt { "Since" } dd { (instant(asking.since)) }
            }
            p { a href=(on) rel="noreferrer" { "Go on to " (printable(issuer, TEXT_BYTES_MAX)) } }
        }
    }
}

pub fn refused(why: &str) -> Markup {
    html! {
        section {
            h1 { "You are not signed in" }
            p.lead { (printable(why, TEXT_BYTES_MAX)) }
        }
    }
}
