//! What is known of everything that a lockfile names, and what a plan asks for: package by package, several at a time.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;

use crate::catalog::Catalog;
use crate::catalog::CatalogError;
use crate::catalog::lockfile::Asker;
use crate::catalog::lockfile::NotChecked;
use crate::catalog::lockfile::PACKAGES_MAX;
use crate::catalog::lockfile::beside;
use crate::catalog::lockfile::plan::Plan;
use crate::catalog::lockfile::plan::Planned;
use crate::catalog::lockfile::plan::Stuck;
use crate::catalog::lockfile::plan::graph::Graph;
use crate::catalog::lockfile::plan::plan;
use crate::catalog::lockfile::plan::world::Question;
use crate::catalog::lockfile::plan::world::Rules;
use crate::catalog::lockfile::plan::world::World;
use crate::catalog::lockfile::verdict::Book;
use crate::catalog::lockfile::verdict::Told;
use crate::catalog::lockfile::verdict::files_named;
use crate::catalog::refresh::RECHECK_AFTER;
use crate::catalog::shelf::Shelf;
use crate::ecosystem::Ecosystem;
use crate::ecosystem::Requirement;
use crate::model::lockfile::Lockfile;
use crate::model::package::PackageId;
use crate::model::package::Version;
use crate::model::release::ReleaseId;

/// Packages that are asked about at the same time.
const PACKAGES_AT_ONCE: usize = 16;
/// How long all of them may take, and then a plan: together less than a request may.
const LOOKING_UP: Duration = Duration::from_secs(180);
const PLANNING: Duration = Duration::from_secs(60);
/// How often a plan may ask, and about how many packages in all.
const ROUNDS_MAX: usize = 32;
const ASKED_MAX: usize = 2_000;

type Format = Arc<dyn Ecosystem>;

/// What is wanted of one package.
#[derive(Default)]
struct Wanted {
    versions: BTreeSet<Version>,
    files: BTreeSet<String>,
}

/// What was learned of one package.
#[derive(Default)]
struct Learned {
    releases: Vec<(Version, Told)>,
    files: Vec<(String, Version)>,
    /// Why nothing was.
    silent: Option<String>,
}

/// What a plan asked of one package, answered.
struct Answer {
    package: PackageId,
    open: Option<Vec<Version>>,
    needs: Vec<(Version, Vec<Requirement>)>,
}

impl Catalog {
    /// Everything that a lockfile names, looked up.
    pub(super) async fn look_up(self: &Arc<Self>, lockfile: &Arc<Lockfile>, format: &Format, asker: Asker<'_>) -> Result<Book, NotChecked> {
        let (read, rules, base) = (Arc::clone(lockfile), Arc::clone(format), asker.base.to_owned());
        let wanted = beside(move || wanted(&read, &base, &*rules)).await?;
        if wanted.len() > PACKAGES_MAX {
            return Err(NotChecked::TooManyPackages);
        }
        let mut book = Book::default();
        let mut unheard: BTreeSet<PackageId> = wanted.keys().cloned().collect();
        let mut asking = stream::iter(wanted)
            .map(|(package, wanted)| async move {
                let learned = self.learn(&package, &wanted, asker.is_nobody).await;
                (package, learned)
            })
            .buffer_unordered(PACKAGES_AT_ONCE);
        let all = async {
            while let Some((package, learned)) = asking.next().await {
                unheard.remove(&package);
                let learned = learned?;
                let release = |version| ReleaseId { package: package.clone(), version };
                book.releases.extend(learned.releases.into_iter().map(|(version, told)| (release(version), told)));
                book.files.extend(learned.files.into_iter().map(|(file, version)| ((package.clone(), file), version)));
                book.silent.extend(learned.silent.map(|why| (package, why)));
            }
            Ok::<(), CatalogError>(())
        };
        // What is not heard of by then is unknown.
        match tokio::time::timeout(LOOKING_UP, all).await {
            Ok(heard) => heard?,
            Err(_) => {
                tracing::warn!(packages = unheard.len(), "a lockfile's packages took too long to look up; the rest is said to be unknown")
            }
        }
        drop(asking);
        for package in unheard {
            let why = format!("There was no time to look {} up; ask again.", package.name);
            book.silent.insert(package, why);
        }
        Ok(book)
    }

    async fn learn(self: &Arc<Self>, package: &PackageId, wanted: &Wanted, is_nobody: bool) -> Result<Learned, CatalogError> {
        let shelf = match self.shelf_of(package, is_nobody).await? {
            Ok(shelf) => shelf,
            Err(silent) => return Ok(Learned { silent, ..Learned::default() }),
        };
        let has_all = |shelf: &Shelf| {
            wanted.versions.iter().all(|version| shelf.index.row(version).is_some())
                && wanted.files.iter().all(|file| shelf.find(file).is_some())
        };
        let shelf = if has_all(&shelf) || !self.is_older(&shelf, RECHECK_AFTER) {
            shelf
        } else {
            // It may be newer than what is known, as at a download.
            Box::pin(self.asked(package, RECHECK_AFTER)).await.unwrap_or(shelf)
        };
        let view = self.view(&shelf).await?;
        let mut learned = Learned::default();
        let files = wanted.files.iter().filter_map(|file| shelf.find(file).map(|found| (file.clone(), found.release.version)));
        learned.files.extend(files);
        let versions: BTreeSet<&Version> = wanted.versions.iter().chain(learned.files.iter().map(|(_, version)| version)).collect();
        for (at, row) in shelf.index.rows.iter().enumerate() {
            if !versions.contains(&row.version) {
                continue;
            }
            let Some(verdict) = view.standings.verdicts.get(at) else { continue };
            let release = ReleaseId { package: package.clone(), version: row.version.clone() };
            let refusal = self.refusal(&shelf, &view, at, &release);
            let told = Told {
                standing: verdict.standing,
                observed: verdict.observed,
                opens_at: refusal.opens_at,
                sentence: refusal.sentence,
                integrity: row.artifacts.first().map(|artifact| artifact.integrity.clone()).unwrap_or_default(),
                digest: verdict.digest,
            };
            learned.releases.push((row.version.clone(), told));
        }
        Ok(learned)
    }

    /// The package's shelf; else why there is none, where it is not simply unknown.
    async fn shelf_of(self: &Arc<Self>, package: &PackageId, is_nobody: bool) -> Result<Result<Arc<Shelf>, Option<String>>, CatalogError> {
        if is_nobody && self.is_restricted(package) {
            return Ok(Err(None));
        }
        match self.shelf(package).await {
            Ok(shelf) => Ok(Ok(shelf)),
            Err(CatalogError::UnknownPackage(_)) => Ok(Err(None)),
            Err(
                error @ (CatalogError::Upstream { .. }
                | CatalogError::NotYet { .. }
                | CatalogError::UnknownRelease { .. }
                | CatalogError::Refused(_)
                | CatalogError::StorageFull(_)),
            ) => Ok(Err(Some(format!("Nothing could be learned of {}: {error}.", package.name)))),
            Err(error @ (CatalogError::Loop | CatalogError::Storage(_))) => Err(error),
        }
    }

    /// Plans, and finds out what the plan asks for, in bounded rounds.
    pub(super) async fn plan_changes(
        self: &Arc<Self>,
        graph: &Arc<Graph>,
        format: &Format,
        asker: Asker<'_>,
    ) -> Result<Plan, CatalogError> {
        let mut world = World::default();
        let mut asked: BTreeSet<PackageId> = BTreeSet::new();
        let planning = async {
            for _ in 0..ROUNDS_MAX {
                let (pieces, format_of) = (Arc::clone(graph), Arc::clone(format));
                let (planned, known) = beside(move || (planned(&pieces, &world, &*format_of), world)).await?;
                world = known;
                let questions = match planned {
                    Planned::Plan(plan) => return Ok::<Option<Plan>, CatalogError>(Some(plan)),
                    Planned::Ask(questions) => by_package(questions),
                };
                asked.extend(questions.keys().cloned());
                if asked.len() > ASKED_MAX {
                    break;
                }
                let answers: Vec<Result<Answer, CatalogError>> = stream::iter(questions)
                    .map(|(package, question)| self.answer(package, question, format, asker.is_nobody))
                    .buffer_unordered(PACKAGES_AT_ONCE)
                    .collect()
                    .await;
                for answer in answers {
                    let Answer { package, open, needs } = answer?;
                    for (version, needs) in needs {
                        world.needs_are(ReleaseId { package: package.clone(), version }, needs);
                    }
                    if let Some(open) = open {
                        world.open_are(package, open);
                    }
                }
            }
            Ok(None)
        };
        match tokio::time::timeout(PLANNING, planning).await {
            Ok(planned) => Ok(planned?.unwrap_or_else(|| given_up(graph))),
            Err(_) => Ok(given_up(graph)),
        }
    }

    async fn answer(
        self: &Arc<Self>,
        package: PackageId,
        question: Asked,
        format: &Format,
        is_nobody: bool,
    ) -> Result<Answer, CatalogError> {
        let Ok(shelf) = self.shelf_of(&package, is_nobody).await? else {
            let needs = question.needs.into_iter().map(|version| (version, Vec::new())).collect();
            return Ok(Answer { package, open: Some(Vec::new()), needs });
        };
        let view = self.view(&shelf).await?;
        let open = question.open.then(|| {
            let mut open: Vec<Version> = view.exposed.releases().iter().map(|release| release.version.clone()).collect();
            open.sort_by(|left, right| format.precedence(left, right));
            open
        });
        // Nothing of the text of what is not listed is told, not even which range it has.
        let needs_of =
            |version: &Version| view.exposed.release(version).map(|release| format.requirements(&release.manifest)).unwrap_or_default();
        let needs = question.needs.iter().map(|version| (version.clone(), needs_of(version))).collect();
        Ok(Answer { package, open, needs })
    }
}

/// Everything that a lockfile names, by package.
fn wanted(lockfile: &Lockfile, base: &str, format: &dyn Ecosystem) -> BTreeMap<PackageId, Wanted> {
    let mut wanted: BTreeMap<PackageId, Wanted> = BTreeMap::new();
    for release in lockfile.entries.iter().filter_map(|entry| entry.release()) {
        wanted.entry(release.package.clone()).or_default().versions.insert(release.version.clone());
    }
    for (package, file) in files_named(lockfile, base, format) {
        wanted.entry(package).or_default().files.insert(file);
    }
    wanted
}

/// What is asked of one package.
#[derive(Default)]
struct Asked {
    open: bool,
    needs: BTreeSet<Version>,
}

fn by_package(questions: Vec<Question>) -> BTreeMap<PackageId, Asked> {
    let mut all: BTreeMap<PackageId, Asked> = BTreeMap::new();
    for question in questions {
        match question {
            Question::Open(package) => all.entry(package).or_default().open = true,
            Question::Needs(release) => _ = all.entry(release.package).or_default().needs.insert(release.version),
        }
    }
    all
}

fn planned(graph: &Graph, world: &World, format: &dyn Ecosystem) -> Planned {
    let satisfies = |range: &str, version: &Version| format.satisfies(range, version);
    let precedence = |left: &Version, right: &Version| format.precedence(left, right);
    let is_near = |left: &Version, right: &Version| format.track(left).is_some_and(|track| format.track(right) == Some(track));
    plan(graph, world, Rules { satisfies: &satisfies, precedence: &precedence, is_near: &is_near })
}

fn given_up(graph: &Graph) -> Plan {
    let blocked = graph.pieces.iter().filter(|piece| piece.is_blocked);
    let why = "looking for what could stand in for it took too long".to_owned();
    Plan { changes: Vec::new(), stuck: blocked.map(|piece| Stuck { release: piece.release.clone(), why: why.clone() }).collect() }
}
