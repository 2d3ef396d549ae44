//! Who pulled a release: what the recall list is made of.

use std::net::IpAddr;

use serde::Deserialize;
use serde::Serialize;

use crate::model::time::Timestamp;

/// What a caller who pulls is known by.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
pub struct Puller {
    /// The name of its token, if it had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    pub address: IpAddr,
    pub user_agent: String,
}

/// How often one puller pulled a release.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PullCount {
    pub puller: Puller,
    pub first_at: Timestamp,
    pub last_at: Timestamp,
    pub count: u64,
}
