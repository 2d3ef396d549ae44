//! Real clients: npm, pnpm, yarn and bun, each in a project of its own with a home of its own.

mod commands;
mod direct;
mod held;
pub mod program;
pub mod project;
mod publishing;
mod signing_in;
