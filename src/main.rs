//! The binary: reads the command line and lets `airlock::cli` do the work.

fn main() {}
