//! Which form of a packument a client asks for.

use http::header;

use crate::http::fields::Fields;
use crate::protocol::npm::render::Form;

/// The media type of the abbreviated form.
pub const ABBREVIATED: &str = "application/vnd.npm.install-v1+json";

/// Media ranges that are looked at.
const RANGES_MAX: usize = 32;

/// Abbreviated where the client names it and likes it no less than plain JSON; full for everyone else, since nobody who
/// can read only the one form would ask for the other. Source: RFC 9110, 12.5.1.
pub fn form<F: Fields>(request: &F) -> Form {
    let (mut brief, mut full) = (0.0_f32, 0.0_f32);
    for range in request.texts(&header::ACCEPT).flat_map(|field| field.split(',')).take(RANGES_MAX) {
        let mut parts = range.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        let weight = weight.map_or(1.0, |text| text.parse::<f32>().unwrap_or(0.0));
        if media_type.eq_ignore_ascii_case(ABBREVIATED) {
            brief = weight;
        } else if media_type.eq_ignore_ascii_case("application/json") {
            full = weight;
        }
    }
    if brief > 0.0 && brief >= full { Form::Abbreviated } else { Form::Full }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn clients_get_the_form_they_ask_for() {
        #[track_caller]
        fn check(accept: &[&str], expect: Form) {
            let mut headers = HeaderMap::new();
            for field in accept {
                headers.append(header::ACCEPT, HeaderValue::try_from(*field).unwrap());
            }
            assert_eq!(form(&headers), expect, "{accept:?}");
        }
        let npm_brief = "application/vnd.npm.install-v1+json; q=1.0, application/json; q=0.8, */*";
        check(&[npm_brief], Form::Abbreviated);
        check(&["application/vnd.npm.install-v1+json"], Form::Abbreviated);
        check(&["application/json", "Application/vnd.npm.install-v1+JSON"], Form::Abbreviated);
        for full in [
            "application/json",
            "*/*",
            "text/html",
            "application/vnd.npm.install-v1+json;q=0",
            "application/vnd.npm.install-v1+json;q=0.5, application/json",
            "application/vnd.npm.install-v1+json; q=x",
            "application/vnd.npm.install-v2+json",
        ] {
            check(&[full], Form::Full);
        }
        check(&[], Form::Full);
    }
}
