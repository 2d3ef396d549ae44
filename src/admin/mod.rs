//! What operators ask and decide, as JSON under `/-/airlock/v1`, and the pages that a refusal's link leads to.

mod cursor;
mod page;
mod schema;
mod view;
pub mod wire;
