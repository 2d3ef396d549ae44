//! Real clients: npm, pnpm, yarn, bun and deno, each in a project of its own with a home of its own.

mod commands;
mod direct;
mod encrypted;
mod held;
mod looking_after;
pub mod program;
pub mod project;
mod publishing;
mod signatures;
mod signing_in;
