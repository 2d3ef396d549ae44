//! kill -9, damaged files, full disks: what was acknowledged stays, and every answer afterwards is the one before.
//! Random, and printed: `AIRLOCK_CRASH_SEED=<n>` plays the same again.

mod damage;
mod dice;
mod full;
mod install;
mod kill;
mod ledger;
mod million;
mod person;
mod start;
mod world;
