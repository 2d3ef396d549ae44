//! The page of a package: how many of its releases stand where, and the newest of them.

use maud::Markup;
use maud::html;

use crate::admin::page::TEXT_BYTES_MAX;
use crate::admin::page::badge;
use crate::admin::page::words;
use crate::admin::wire::Package;
use crate::model::finding::printable;

/// `links`: of the releases of `package`, in the same order.
pub fn html(package: &Package, links: &[String]) -> Markup {
    html! {
        section {
            h1 { (clean(&package.package)) }
            p.lead { (counts(package)) }
        }
        section {
            h2 { "Newest releases" }
            ul {
                @for (release, link) in package.releases.iter().zip(links) {
                    li {
                        div.row { a href=(link) { (clean(&release.version)) } (badge(release.standing)) }
                        p.soft { (clean(&release.sentence)) }
                    }
                }
            }
        }
    }
}

pub fn text(package: &Package) -> String {
    let mut lines = vec![format!("{}: {}", clean(&package.package), counts(package)), String::new()];
    lines.extend(package.releases.iter().map(|release| clean(&release.sentence)));
    lines.push(String::new());
    lines.join("\n")
}

fn counts(package: &Package) -> String {
    let each: Vec<String> = package.standings.iter().map(|(standing, count)| format!("{count} {}", words(&clean(standing)))).collect();
    let releases = if package.total == 1 { "release" } else { "releases" };
    if each.is_empty() { format!("{} {releases}", package.total) } else { format!("{} {releases}: {}", package.total, each.join(", ")) }
}

fn clean(text: &str) -> String {
    printable(text, TEXT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::wire::Standing;
    use crate::admin::wire::Summary;
    use crate::model::package::EcosystemId;

    fn package(hostile: &str) -> Package {
        Package {
            package: "left-pad".to_owned(),
            ecosystem: EcosystemId::Npm,
            standings: [("approved".to_owned(), 11), ("in_review".to_owned(), 1)].into(),
            releases: vec![Summary {
                package: "left-pad".to_owned(),
                ecosystem: EcosystemId::Npm,
                version: hostile.to_owned(),
                standing: Standing::InReview,
                observed: false,
                opens_at: None,
                published_at: None,
                findings: Vec::new(),
                wanted: 0,
                requests: 0,
                sentence: hostile.to_owned(),
            }],
            total: 12,
        }
    }

    #[test]
    fn says_how_many_stand_where() {
        assert!(text(&package("1.0.0")).starts_with("left-pad: 12 releases: 11 approved, 1 in review\n"));
    }

    #[test]
    fn hostile_text_stays_text() {
        let page = package("<b>\u{202e}\u{7}\"");
        let html = html(&page, &["javascript\" onclick=\"x".to_owned()]).into_string();
        assert!(!html.contains("<b>") && !html.contains('\u{202e}') && !html.contains('\u{7}'), "{html}");
        assert!(!html.contains("\" onclick=\"") && html.contains("&lt;b&gt;"), "{html}");
        assert!(!text(&page).contains('\u{7}'));
    }
}
