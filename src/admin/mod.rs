//! What operators ask and decide, as JSON under `/-/airlock/v1`, and the pages that a refusal's link leads to.

mod cursor;
mod idempotency;
mod page;
mod request;
mod schema;
mod view;
pub mod wire;
