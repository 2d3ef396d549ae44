//! Feeds: what others found out about releases, read from their formats. Pure; who fetches and who keeps is elsewhere.

pub mod osv;
pub mod score;
