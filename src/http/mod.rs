//! HTTP as every dialect and the admin API share it: status codes, who calls, rendered bodies, sending files.

pub mod arena;
pub mod body;
pub mod cache;
pub mod caller;
pub mod fields;
pub mod incoming;
pub mod link;
pub mod problem;
pub mod ready;
pub mod rendered;
pub mod route;
