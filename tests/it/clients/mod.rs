//! Real clients: npm, pnpm, yarn, bun and deno, each in a project of its own with a home of its own.

mod commands;
mod direct;
mod encrypted;
mod held;
pub mod program;
pub mod project;
mod publishing;
mod signing_in;
