//! The page at `/-/airlock/` and at `/`: what this is, what it did so far, the line to paste.

use maud::Markup;
use maud::html;

/// What happened since the start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Counts {
    pub downloads: u64,
    pub refused: u64,
    /// Downloads served only because policy observes; none where it does not.
    pub observed: Option<u64>,
}

/// `counts`: for callers who may read; others see what this is and no more.
pub fn html(base: &str, counts: Option<Counts>) -> Markup {
    html! {
        section {
            h1 { "Airlock" }
            p.lead { "A registry with a gate: a release is served here once it is known to be good. Until then it is held, and its page says why and until when." }
            @if let Some(observed) = counts.and_then(|counts| counts.observed) {
                p.warn { strong { "Policy only observes. " } "Whatever is found is told and served all the same: " (observed) " downloads since the start would have been refused." }
            }
            @if let Some(counts) = counts {
                dl {
                    dt { "Downloads served" } dd { (counts.downloads) span.soft { " since the start" } }
                    dt { "Requests refused" } dd { (counts.refused) span.soft { " since the start" } }
                }
            }
        }
        section {
            h2 { "Use it" }
            pre { (paste_line(base)) }
        }
        section {
            h2 { "Ask it" }
            ul {
                li { "Where a package stands: " code { (base) "/-/airlock/r/NAME" } }
                li { "Why one release is held: " code { (base) "/-/airlock/r/NAME@VERSION" } }
                li { "For programs: " a href=(format!("{base}/-/airlock/v1/openapi.json")) { "the API, as OpenAPI 3.1" } }
            }
        }
    }
}

pub fn text(base: &str, counts: Option<Counts>) -> String {
    let counts = counts.map_or_else(String::new, |Counts { downloads, refused, observed }| {
        let observed = observed
            .map_or_else(String::new, |observed| format!("policy only observes: {observed} of these downloads would have been refused\n"));
        format!("since the start {downloads} downloads served, {refused} requests refused\n{observed}")
    });
    let asked = format!("why is a release held: {base}/-/airlock/r/NAME@VERSION\nthe API: {base}/-/airlock/v1/openapi.json\n");
    format!("Airlock: a registry with a gate\n{counts}\n{}\n\n{asked}", paste_line(base))
}

fn paste_line(base: &str) -> String {
    format!("npm config set registry {base}/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_the_line_to_paste_and_counts_only_to_readers() {
        let base = "http://127.0.0.1:4873";
        let counts = Counts { downloads: 4_242, refused: 9, observed: None };
        for page in [html(base, Some(counts)).into_string(), text(base, Some(counts))] {
            assert!(page.contains("npm config set registry http://127.0.0.1:4873/") && page.contains("4242"), "{page}");
        }
        let observing = Some(Counts { observed: Some(77), ..counts });
        for page in [html(base, observing).into_string(), text(base, observing)] {
            assert!(page.contains("olicy only observes") && page.contains("77"), "{page}");
        }
        for page in [html(base, None).into_string(), text(base, None)] {
            assert!(!page.contains("refused"), "{page}");
        }
    }
}
