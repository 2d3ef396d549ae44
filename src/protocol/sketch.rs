//! Asks an ecosystem the way the catalog does, for the sketches of the reserved ones: round after round, all documents
//! again each time.

use bytes::Bytes;

use crate::ecosystem::Ecosystem;
use crate::ecosystem::Fetched;
use crate::ecosystem::Reading;
use crate::ecosystem::Unreadable;
use crate::model::index::Index;
use crate::model::package::PackageId;

const ROUNDS_MAX: usize = 8;

/// What came of it, and the paths that were asked, in order. `answers` are the upstream's documents by path.
pub fn hear(ecosystem: &dyn Ecosystem, package: &PackageId, answers: &[(&str, &[u8])]) -> (Result<Index, Unreadable>, Vec<String>) {
    let mut wanted = vec![ecosystem.locate(package)];
    let mut fetched: Vec<Fetched> = Vec::new();
    for _ in 0..ROUNDS_MAX {
        for path in wanted {
            let (_, body) = answers.iter().find(|(known, _)| *known == path.0).unwrap_or_else(|| panic!("nothing lies at {}", path.0));
            fetched.push(Fetched { path, body: Bytes::copy_from_slice(body) });
        }
        match ecosystem.read(package, &fetched) {
            Ok(Reading::Complete(index)) => return (Ok(index), asked(&fetched)),
            Ok(Reading::NeedMore(more)) => wanted = more,
            Err(unreadable) => return (Err(unreadable), asked(&fetched)),
        }
    }
    panic!("{} never has enough", ecosystem.id());
}

fn asked(fetched: &[Fetched]) -> Vec<String> {
    fetched.iter().map(|one| one.path.0.clone()).collect()
}
