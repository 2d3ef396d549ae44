//! The page behind a refusal's link: where one release stands, why, when it opens, and what would change it.

use maud::Markup;
use maud::html;

use crate::admin::page::TEXT_BYTES_MAX;
use crate::admin::page::badge;
use crate::admin::page::instant;
use crate::admin::page::words;
use crate::admin::wire::ArtifactView;
use crate::admin::wire::Event;
use crate::admin::wire::FindingView;
use crate::admin::wire::ReleaseView;
use crate::admin::wire::Standing;
use crate::admin::wire::Summary;
use crate::admin::wire::WaiverMark;
use crate::model::finding::printable;
use crate::model::time::Timestamp;

/// How many other releases of the package are named.
pub const OTHERS_MAX: usize = 5;

/// A release whose every text is fit to be shown: no control, bidirectional or invisible characters.
pub struct Page {
    view: ReleaseView,
    others: Vec<(Summary, String)>,
}

impl Page {
    /// `others`: releases of the same package with their links, newest first.
    pub fn new(view: ReleaseView, others: impl IntoIterator<Item = (Summary, String)>) -> Page {
        let others = others.into_iter().filter(|(other, _)| other.version != view.version).take(OTHERS_MAX);
        Page { others: others.collect(), view: shown(view) }
    }

    pub fn title(&self) -> String {
        format!("{}@{}", self.view.package, self.view.version)
    }

    pub fn html(&self, base: &str) -> Markup {
        let view = &self.view;
        html! {
            section {
                h1 { (view.package) span.version { "@" (view.version) } " " (badge(view.standing)) }
                p.lead { (view.sentence) }
                (self.facts())
            }
            (self.would_change())
            (self.findings())
            (self.change())
            (self.evidence())
            (self.others(base))
            (self.for_developers(base))
            (self.for_approvers(base))
            (self.history())
        }
    }

    fn facts(&self) -> Markup {
        let view = &self.view;
        html! {
            dl {
                dt { "Opens" } dd { (opens(view)) }
                @if let Some(at) = view.published_at { dt { "Published" } dd { (instant(at)) } }
                @if let Some(at) = view.age_counts_from.filter(|at| Some(*at) != view.published_at) { dt { "Age counts from" } dd { (instant(at)) } }
                @if let Some(at) = view.removed_at { dt { "Taken down" } dd { "by upstream, seen " (instant(at)) } }
                dt { "Approvals" } dd { (view.approvals.given) " of " (view.approvals.needed) }
                @if !view.siblings.is_empty() { dt { "Together with" } dd { (together(view)) } }
                @if view.requests > 0 { dt { "Requested" } dd { "by " (people(view.requests)) } }
                @if view.wanted > 0 { dt { "Asked for" } dd { (times(view.wanted)) " while it was not served" } }
                @for file in &view.artifacts {
                    dt { "File" }
                    dd {
                        (file.file)
                        @if let Some(size) = file.size { span.soft { ", " (size) " bytes" } }
                        @if file.inspected_at.is_none() { span.soft { ", not inspected yet" } }
                        @if let Some(digest) = &file.digest { br; code { (digest.sri()) } }
                    }
                }
            }
        }
    }

    fn evidence(&self) -> Markup {
        html! {
            @if let Some(evidence) = &self.view.evidence {
                section { h2 { "What speaks for it" } dl { @for (what, text) in evidence.lines() { dt { (what) } dd { (text) } } } }
            }
        }
    }

    fn would_change(&self) -> Markup {
        html! {
            @if !self.view.would_change.is_empty() {
                section { h2 { "What would change it" } ul { @for line in &self.view.would_change { li { (line) } } } }
            }
        }
    }

    fn findings(&self) -> Markup {
        html! {
            section {
                h2 { "Findings" }
                @if self.view.findings.is_empty() { span.soft { "No check found anything." } }
                ul {
                    @for finding in &self.view.findings {
                        li {
                            div.row {
                                strong { (words(finding.kind.as_str())) }
                                span class=(format!("badge {}", finding.action.as_str())) { (finding.action.as_str()) }
                            }
                            @if let Some(rule) = &finding.rule { p.soft { "by " (rule) } }
                            p { (finding.why) @if finding.covered { span.soft { " — people approved it in sight of this." } } @if let Some(waiver) = &finding.waived { span.soft { " — " (waived(waiver)) "." } } }
                            @if !finding.evidence.is_empty() { p { code { (finding.evidence) } } }
                        }
                    }
                }
            }
        }
    }

    fn change(&self) -> Markup {
        html! {
            @if let Some(change) = &self.view.change {
                section { h2 { "What changed since " (change.baseline) } ul { @for line in change.lines() { li { (line) } } } }
            }
        }
    }

    fn others(&self, base: &str) -> Markup {
        html! {
            @if !self.others.is_empty() {
                section {
                    h2 { "Other releases of " (self.view.package) }
                    ul { @for (other, link) in &self.others { li.row { a href=(link) { (other.version) } (badge(other.standing)) } } }
                    p { a href=(format!("{base}/-/airlock/r/{}", self.view.package)) { "All of them" } }
                }
            }
        }
    }

    /// Whether people may let it through.
    fn waits(&self) -> bool {
        matches!(self.view.standing, Standing::Held | Standing::InReview | Standing::Rejected | Standing::Revoked)
    }

    fn for_developers(&self, base: &str) -> Markup {
        let name = self.title();
        html! {
            @if self.waits() && pastes_safely(&name) && pastes_safely(base) {
                section {
                    h2 { "If you need it" }
                    pre { "airlock request " (name) " --server " (base) " --reason \"…\"" }
                }
            }
        }
    }

    fn for_approvers(&self, base: &str) -> Markup {
        let name = self.title();
        let waits = self.waits();
        html! {
            @if waits && pastes_safely(&name) && pastes_safely(base) {
                section {
                    h2 { "For approvers" }
                    pre { "airlock explain " (name) " --server " (base) "\nairlock approve " (name) " --server " (base) " --reason \"…\"" }
                }
            }
        }
    }

    fn history(&self) -> Markup {
        html! {
            @if !self.view.history.is_empty() {
                details {
                    summary { "History" }
                    ul {
                        @for event in &self.view.history {
                            li {
                                div.row { span { strong { (event.by) } " " (event.what) } span.soft { (instant(event.at)) } }
                                @if let Some(reason) = &event.reason { p { (reason) } }
                                @if let Some(at) = event.expires_at { p.soft { "until " (instant(at)) } }
                            }
                        }
                    }
                }
            }
        }
    }

    /// The same for terminals.
    pub fn text(&self) -> String {
        let view = &self.view;
        let mut lines = vec![view.sentence.clone(), String::new()];
        let mut fact = |name: &str, value: String| lines.push(format!("{name:<12} {value}"));
        fact("standing", words(view.standing.as_str()));
        fact("opens", opens(view));
        let at = |at: Timestamp| at.for_people();
        view.published_at.into_iter().for_each(|when| fact("published", at(when)));
        view.removed_at.into_iter().for_each(|when| fact("taken down", at(when)));
        fact("approvals", format!("{} of {}", view.approvals.given, view.approvals.needed));
        if !view.siblings.is_empty() {
            fact("together", format!("with {}", together(view)));
        }
        if view.requests > 0 {
            fact("requested", format!("by {}", people(view.requests)));
        }
        view.digest.iter().for_each(|digest| fact("digest", digest.sri()));
        lines.push(String::new());
        lines.push(if view.findings.is_empty() { "no check found anything".to_owned() } else { "findings".to_owned() });
        for finding in &view.findings {
            let covered = if finding.covered { ", covered by approval" } else { "" };
            let waived = finding.waived.as_ref().map_or_else(String::new, |waiver| format!(", {}", waived(waiver)));
            lines.push(format!("  {} ({}{covered}{waived}): {}", finding.kind, finding.action.as_str(), finding.why));
            lines.extend(finding.rule.iter().map(|rule| format!("    by {rule}")));
            if !finding.evidence.is_empty() {
                lines.push(format!("    {}", finding.evidence));
            }
        }
        if let Some(evidence) = &view.evidence {
            lines.push(String::new());
            lines.push("what speaks for it".to_owned());
            lines.extend(evidence.lines().iter().map(|(what, text)| format!("  {what:<12} {text}")));
        }
        if let Some(change) = &view.change {
            lines.extend([String::new(), format!("what changed since {}", change.baseline)]);
            lines.extend(change.lines().into_iter().map(|line| format!("  {line}")));
        }
        if !view.would_change.is_empty() {
            lines.push(String::new());
            lines.push("what would change it".to_owned());
            lines.extend(view.would_change.iter().map(|line| format!("  {line}")));
        }
        lines.extend([String::new(), view.link.clone(), String::new()]);
        lines.join("\n")
    }
}

/// `waived until 2027-01-01 00:00 UTC by maria: its build was read (waiver 5f0c9a1be27d)`
fn waived(waiver: &WaiverMark) -> String {
    let WaiverMark { id, by, reason, expires_at } = waiver;
    format!("waived until {} by {}: {} (waiver {id})", expires_at.for_people(), by.join(", "), reason.trim_end_matches('.'))
}

fn opens(view: &ReleaseView) -> String {
    if view.observed {
        return "it is served, because policy only observes".to_owned();
    }
    match (view.standing, view.opens_at) {
        (Standing::Held, Some(at)) => format!("{} by itself", at.for_people()),
        (Standing::Approved, _) => "it is open".to_owned(),
        (Standing::Admissible, _) => "at its first download, once its bytes are inspected".to_owned(),
        (Standing::Quarantined | Standing::Held | Standing::InReview | Standing::Rejected | Standing::Revoked, _) => {
            "not by itself".to_owned()
        }
    }
}

/// Names the first of its siblings.
fn together(view: &ReleaseView) -> String {
    const NAMED_MAX: usize = 8;
    let named = view.siblings.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<&str>>().join(", ");
    match view.siblings.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn people(count: u64) -> String {
    if count == 1 { "one person".to_owned() } else { format!("{count} people") }
}

fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// Whether a shell takes the text for one word: a version may hold what a shell would run.
fn pastes_safely(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"@/._+-:[]".contains(&b)) && !text.starts_with('-')
}

/// Cleans every text that came from outside. Names each field, so that a new one cannot be forgotten.
fn shown(view: ReleaseView) -> ReleaseView {
    let clean = |text: &String| printable(text, TEXT_BYTES_MAX);
    let ReleaseView { package, ecosystem, version, standing, opens_at, published_at, age_counts_from, removed_at, wanted, .. } = &view;
    let ReleaseView { sentence, link, digest, revision, approvals, findings, artifacts, history, would_change, .. } = &view;
    let ReleaseView { submitted_by, trusted, fix_of, observed, siblings, requests, evidence, change, .. } = &view;
    ReleaseView {
        package: clean(package),
        ecosystem: *ecosystem,
        version: clean(version),
        standing: *standing,
        observed: *observed,
        opens_at: *opens_at,
        published_at: *published_at,
        age_counts_from: *age_counts_from,
        removed_at: *removed_at,
        submitted_by: submitted_by.as_ref().map(clean),
        trusted: trusted.as_ref().map(clean),
        fix_of: fix_of.as_ref().map(clean),
        siblings: siblings.iter().map(clean).collect(),
        wanted: *wanted,
        requests: *requests,
        sentence: clean(sentence),
        link: clean(link),
        digest: *digest,
        revision: *revision,
        approvals: *approvals,
        findings: findings
            .iter()
            .map(|FindingView { kind, action, stage, evidence, covered, waived, why, rule }| FindingView {
                kind: *kind,
                action: *action,
                stage: *stage,
                evidence: clean(evidence),
                covered: *covered,
                waived: waived.as_ref().map(|WaiverMark { id, by, reason, expires_at }| WaiverMark {
                    id: clean(id),
                    by: by.iter().map(clean).collect(),
                    reason: clean(reason),
                    expires_at: *expires_at,
                }),
                why: clean(why),
                rule: rule.as_ref().map(clean),
            })
            .collect(),
        change: change.as_ref().map(|change| change.cleaned(clean)),
        artifacts: artifacts
            .iter()
            .map(|ArtifactView { file, digest, size, inspected_at }| ArtifactView {
                file: clean(file),
                digest: *digest,
                size: *size,
                inspected_at: *inspected_at,
            })
            .collect(),
        evidence: evidence.as_ref().map(|evidence| evidence.cleaned(clean)),
        history: history
            .iter()
            .map(|Event { at, by, what, reason, digest, expires_at }| Event {
                at: *at,
                by: clean(by),
                what: clean(what),
                reason: reason.as_ref().map(clean),
                digest: *digest,
                expires_at: *expires_at,
            })
            .collect(),
        would_change: would_change.iter().map(clean).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::wire::Approvals;
    use crate::admin::wire::ChangeView;
    use crate::admin::wire::GainedView;
    use crate::admin::wire::Stage;
    use crate::model::finding::Action;
    use crate::model::finding::FindingKind;
    use crate::model::package::EcosystemId;

    const BASE: &str = "http://127.0.0.1:4873";
    const HOSTILE: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{1b}[31m\u{0}\u{200b}\r\n&lt;";

    fn view(text: &str) -> ReleaseView {
        let at = Timestamp::from_millis(1_790_000_000_000);
        ReleaseView {
            package: text.to_owned(),
            ecosystem: EcosystemId::Npm,
            version: text.to_owned(),
            standing: Standing::Held,
            observed: false,
            opens_at: Some(at),
            published_at: Some(at),
            age_counts_from: None,
            removed_at: Some(at),
            submitted_by: Some(text.to_owned()),
            trusted: Some(text.to_owned()),
            fix_of: Some(text.to_owned()),
            wanted: 3,
            requests: 2,
            siblings: vec![text.to_owned(); 9],
            sentence: text.to_owned(),
            link: text.to_owned(),
            digest: None,
            revision: 1,
            approvals: Approvals { given: 0, needed: 1 },
            findings: vec![FindingView {
                kind: FindingKind::InstallScript,
                action: Action::Review,
                stage: Stage::Screening,
                evidence: text.to_owned(),
                covered: true,
                waived: Some(WaiverMark { id: text.to_owned(), by: vec![text.to_owned()], reason: text.to_owned(), expires_at: at }),
                why: text.to_owned(),
                rule: Some(text.to_owned()),
            }],
            evidence: None,
            change: Some(ChangeView {
                baseline: text.to_owned(),
                install_steps: vec![text.to_owned()],
                hosts: vec![text.to_owned()],
                dependencies: vec![GainedView { name: text.to_owned(), range: text.to_owned(), first_published_at: Some(at) }],
                entry_rewritten: Some(text.to_owned()),
                ..ChangeView::default()
            }),
            artifacts: vec![ArtifactView { file: text.to_owned(), digest: None, size: Some(1), inspected_at: None }],
            history: vec![Event {
                at,
                by: text.to_owned(),
                what: text.to_owned(),
                reason: Some(text.to_owned()),
                digest: None,
                expires_at: Some(at),
            }],
            would_change: vec![text.to_owned()],
        }
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = Page::new(view(HOSTILE), []);
        let html = page.html(BASE).into_string();
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
        for forbidden in ["<script", "<img", "\u{202e}", "\u{1b}", "\u{0}", "\u{200b}", "\r", "\n&lt;", "onerror=alert(1)\">"] {
            assert!(!html.contains(forbidden), "{forbidden:?} in {html}");
        }
        let tags = html.matches('<').count();
        assert_eq!(tags, Page::new(view("harmless"), []).html(BASE).into_string().matches('<').count() - command_tags());
        let text = page.text();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        assert!(!text.contains('\u{202e}') && text.contains("<script>"));
    }

    /// The sections that only names fit for a shell get.
    fn command_tags() -> usize {
        let page = Page::new(view("harmless"), []);
        [page.for_approvers(BASE), page.for_developers(BASE)].map(|section| section.into_string().matches('<').count()).iter().sum()
    }

    #[test]
    fn a_command_line_is_shown_only_if_it_is_safe_to_paste() {
        assert!(Page::new(view("left-pad"), []).html(BASE).into_string().contains("airlock approve left-pad@left-pad"));
        for version in ["1.0.0;rm", "$(id)", "`id`", "1.0.0&", "1|2", "a'b"] {
            let html = Page::new(view(version), []).html(BASE).into_string();
            assert!(!html.contains("airlock approve"), "{version}");
        }
        assert!(!pastes_safely("-rf"));
    }

    #[test]
    fn one_screen_says_standing_why_when_and_what_would_change_it() {
        let mut view = view("left-pad");
        view.version = "1.3.0".to_owned();
        view.sentence = "left-pad@1.3.0 is held: published 9 hours ago, opens 2026-09-21 14:14 UTC (minimum age 7 days).".to_owned();
        view.would_change = vec!["two people approve it".to_owned()];
        let others = [Summary {
            package: "left-pad".to_owned(),
            ecosystem: EcosystemId::Npm,
            version: "1.2.0".to_owned(),
            standing: Standing::Approved,
            observed: false,
            opens_at: None,
            published_at: None,
            findings: Vec::new(),
            wanted: 0,
            requests: 0,
            sentence: String::new(),
        }];
        let page = Page::new(view, others.map(|other| (other, "http://127.0.0.1:4873/-/airlock/r/left-pad@1.2.0".to_owned())));
        for text in [page.html(BASE).into_string(), page.text()] {
            for part in ["is held: published 9 hours ago", "2026-09-21 14:14 UTC by itself", "two people approve it"] {
                assert!(text.contains(part), "{part} not in {text}");
            }
        }
        assert!(page.html(BASE).into_string().contains("left-pad@1.2.0\">1.2.0</a><span class=\"badge approved\">"));
    }
}
