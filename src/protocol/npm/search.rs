//! Search, over what may be seen and nothing else. Source: the public registry's search, as npm and pnpm read it.

use axum::response::Response;
use http::StatusCode;
use serde_json::Value;
use serde_json::json;
use url::form_urlencoded;

use crate::catalog::search::Found;
use crate::catalog::search::Hits;
use crate::catalog::search::PAGE_MAX;
use crate::catalog::search::Terms;
use crate::http::link;
use crate::http::problem::Kind;
use crate::http::problem::Problem;
use crate::protocol::npm::call::Call;
use crate::protocol::npm::call::told;
use crate::protocol::npm::explain::Failure;
use crate::protocol::npm::handlers::Registry;

const SIZE: usize = 20;
const TEXT_BYTES_MAX: usize = 1_024;

/// `GET /-/v1/search?text=&size=&from=`
pub async fn search(registry: &Registry, call: Call<'_>) -> Result<Response, Failure> {
    let question = Question::parse(call.request.uri.query().unwrap_or_default())?;
    let is_nobody = call.caller.name.is_none();
    let hits = registry.catalog.search(Terms::parse(&question.text), question.from, question.size, is_nobody).await?;
    told(StatusCode::OK, &page(&hits, &call.caller.base))
}

struct Question {
    text: String,
    from: usize,
    size: usize,
}

impl Question {
    /// How others weigh, `quality` and the like, is not asked.
    fn parse(query: &str) -> Result<Question, Problem> {
        let malformed = |detail: String| Problem::new(Kind::Malformed, detail);
        let mut question = Question { text: String::new(), from: 0, size: SIZE };
        for (key, value) in form_urlencoded::parse(query.as_bytes()) {
            let number = || value.parse::<usize>().map_err(|_| malformed(format!("'{key}' is a number, 0 or more")));
            match &*key {
                "text" => question.text = value.into_owned(),
                "from" => question.from = number()?,
                "size" => question.size = number()?.min(PAGE_MAX),
                _ => {}
            }
        }
        match question.text.trim().len() {
            0 => Err(malformed("'text' query parameter is required".to_owned())),
            length if length > TEXT_BYTES_MAX => Err(malformed(format!("'text' is longer than {TEXT_BYTES_MAX} bytes"))),
            _ => Ok(question),
        }
    }
}

fn page(hits: &Hits, base: &str) -> Value {
    let objects: Vec<Value> = hits.hits.iter().map(|(found, score)| hit(found, *score, base)).collect();
    json!({"objects": objects, "total": hits.total, "time": hits.at})
}

fn hit(found: &Found, score: u32, base: &str) -> Value {
    let name = &found.package.name;
    let person = |name: &str| json!({"username": name, "email": ""});
    let maintainers = &found.description.maintainers;
    let share = f64::from(score) / 100.0;
    json!({
        "package": {
            "name": name.as_str(),
            "scope": name.scope().map_or("unscoped", |scope| scope.trim_start_matches('@')),
            "version": found.version,
            "description": found.description.description.as_deref().unwrap_or_default(),
            "keywords": found.description.keywords,
            "date": found.published_at,
            "links": {"npm": link::of_package(base, &found.package)},
            "publisher": person(maintainers.first().map_or("", String::as_str)),
            "maintainers": maintainers.iter().map(|name| person(name)).collect::<Vec<Value>>(),
        },
        "score": {"final": share, "detail": {"quality": share, "popularity": share, "maintenance": share}},
        "searchScore": score,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_is_read_as_clients_write_it() {
        let read = |query: &str| Question::parse(query).map(|one| (one.text, one.from, one.size)).map_err(|problem| problem.detail);
        assert_eq!(read("text=left+pad%20x&size=5&from=10&quality=0.65"), Ok(("left pad x".to_owned(), 10, 5)));
        assert_eq!(read("text=x"), Ok(("x".to_owned(), 0, 20)));
        assert_eq!(read("text=x&size=251").unwrap().2, 250);
        for none in ["", "text=", "text=%20", "size=5"] {
            assert_eq!(read(none), Err("'text' query parameter is required".to_owned()), "{none}");
        }
        for bad in ["text=x&size=-1", "text=x&from=a", "text=x&from=99999999999999999999"] {
            assert!(read(bad).unwrap_err().contains("is a number"), "{bad}");
        }
        assert!(read(&format!("text={}", "x".repeat(1_025))).is_err());
    }
}
