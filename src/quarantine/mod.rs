//! Why a release may pass or not, and every change of where it stands. Knows no HTTP and no dialect.

pub mod checks;
pub mod decide;
pub mod gate;
pub mod intake;
pub mod judge;
pub mod wording;
pub mod workflow;
