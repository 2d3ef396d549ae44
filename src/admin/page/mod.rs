//! Pages for people: no scripts, nothing loaded from anywhere, every text escaped. The same words as the API's.

pub mod landing;
pub mod oidc;
pub mod package;
pub mod release;
pub mod sign_in;

use std::sync::LazyLock;

use axum::response::IntoResponse;
use axum::response::Response;
use data_encoding::BASE64;
use http::HeaderMap;
use http::HeaderValue;
use http::StatusCode;
use http::header;
use maud::DOCTYPE;
use maud::Markup;
use maud::PreEscaped;
use maud::html;

use crate::admin::wire::Standing;
use crate::http::problem::Problem;
use crate::model::digest::DocumentDigest;
use crate::model::finding::printable;
use crate::model::time::Timestamp;

const STYLE: &str = include_str!("style.css");

/// Nothing may be loaded, run, framed or sent; only the one style sheet, named by its hash, counts.
static CONTENT_SECURITY_POLICY: LazyLock<HeaderValue> = LazyLock::new(|| policy("'none'"));
/// The same, and what is filled in goes back to where the page came from.
static POLICY_OF_FORMS: LazyLock<HeaderValue> = LazyLock::new(|| policy("'self'"));

fn policy(form_action: &str) -> HeaderValue {
    let hash = BASE64.encode(DocumentDigest::of(STYLE.as_bytes()).raw());
    let policy =
        format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action {form_action}; frame-ancestors 'none'");
    HeaderValue::try_from(policy).unwrap_or_else(|_| HeaderValue::from_static("default-src 'none'"))
}

/// The longest text that a page repeats from outside, in bytes.
const TEXT_BYTES_MAX: usize = 2_000;

/// In which form an answer is wanted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// For browsers.
    Html,
    /// For `curl` and everyone who does not say.
    Text,
    Json,
}

impl Form {
    /// By the `Accept` header: the highest weight wins, then the first named. Wildcards mean text. Source: RFC 9110, 12.5.1.
    pub fn of(headers: &HeaderMap) -> Form {
        const RANGES_MAX: usize = 32;
        let values = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
        let mut best = (0.0_f32, Form::Text);
        for range in values.flat_map(|value| value.split(',')).take(RANGES_MAX) {
            let mut parts = range.split(';').map(str::trim);
            let form = match parts.next().unwrap_or_default().to_ascii_lowercase().as_str() {
                "text/html" | "application/xhtml+xml" => Form::Html,
                "text/plain" => Form::Text,
                "application/json" => Form::Json,
                _ => continue,
            };
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |weight| weight.parse::<f32>().ok());
            if let Some(weight) = weight
                && weight > best.0
            {
                best = (weight, form);
            }
        }
        best.1
    }
}

/// A whole page as an answer.
pub fn html(status: StatusCode, title: &str, base: &str, content: &Markup) -> Response {
    let page = shell(title, base, content).into_string();
    let mut response = (status, page).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY.clone());
    private(headers);
    response
}

/// The same with a form, which goes back to where it came from and nowhere else.
pub fn form(status: StatusCode, title: &str, base: &str, content: &Markup) -> Response {
    let mut response = html(status, title, base, content);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY_OF_FORMS.clone());
    // Under `no-referrer` a browser sends the form with `Origin: null`, which could be anybody's.
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    response
}

/// For terminals: the text must hold no control characters but line feeds.
pub fn text(status: StatusCode, text: String) -> Response {
    let mut response = (status, text).into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    private(response.headers_mut());
    response
}

/// What is shown changes with time and with who asks.
fn private(headers: &mut HeaderMap) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(header::VARY, HeaderValue::from_static("accept, authorization"));
}

/// What went wrong, in the form that was asked for.
pub fn problem(problem: Problem, form: Form, base: &str) -> Response {
    let detail = printable(&problem.detail, TEXT_BYTES_MAX);
    let (status, title) = (problem.status(), problem.kind.title());
    let mut response = match form {
        Form::Json => return problem.into_response(),
        Form::Text => text(status, format!("{detail}\n")),
        Form::Html => {
            let content = html! { section { h1 { (title) } p.lead { (detail) } } };
            html(status, title, base, &content)
        }
    };
    problem.report();
    problem.headers(response.headers_mut());
    response
}

fn shell(title: &str, base: &str, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                title { (title) " · Airlock" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header.top { a href=(format!("{base}/-/airlock/")) { span.mark {} "Airlock" } }
                main { (content) }
            }
        }
    }
}

fn badge(standing: Standing) -> Markup {
    html! { span class=(format!("badge {standing}")) { (words(standing.as_str())) } }
}

fn instant(at: Timestamp) -> Markup {
    html! { time datetime=(at.to_string()) { (at.for_people()) } }
}

/// `in_review` as people write it.
fn words(key: &str) -> String {
    key.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(accept: &'static str) -> Form {
        Form::of(&HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(accept))]))
    }

    #[test]
    fn each_client_gets_its_form() {
        assert_eq!(Form::of(&HeaderMap::new()), Form::Text);
        for (accept, expected) in [
            ("*/*", Form::Text),
            ("text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8", Form::Html),
            ("application/json", Form::Json),
            ("application/json; q=0.5, text/html;q=0.4", Form::Json),
            ("text/html;q=0", Form::Text),
            ("text/html;q=nonsense, application/json;q=0.1", Form::Json),
            ("text/plain, text/html", Form::Text),
            ("image/png", Form::Text),
        ] {
            assert_eq!(form(accept), expected, "{accept}");
        }
    }

    #[test]
    fn the_policy_names_the_style_and_nothing_else() {
        let response = html(StatusCode::OK, "<script>", "http://127.0.0.1:4873", &html! {});
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script-src"));
        let page = shell("<script>", "http://127.0.0.1:4873", &html! {}).into_string();
        assert!(page.contains(&format!("<style>{STYLE}</style>")) && page.contains("<title>&lt;script&gt; · Airlock</title>"));
        assert!(!STYLE.contains('<') && !STYLE.contains("url(") && !STYLE.contains("@import"));
    }
}
