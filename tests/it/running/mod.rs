//! The real binary as operators run it: starts that fail and say why, stops that lose nothing, limits, health.

mod health;
mod start;
mod stop;
