//! How an index is heard: one bad release is held with its finding, and the rest lives.

mod large;
mod reading;
