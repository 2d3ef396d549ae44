//! The binary: hands over to the command line.

use std::process::ExitCode;

/// glibc gives each thread an arena of its own and keeps what was freed in it: after an install that was as much again as is
/// in use.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    airlock::cli::run()
}
