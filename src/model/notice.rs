//! What is told outside: that a release which was in use was taken back.

use serde::Deserialize;
use serde::Serialize;

use crate::model::digest::Digest;
use crate::model::time::Timestamp;

/// 12 lower-case hexadecimal digits: an address that is told, without the address, which may hold a secret.
pub type HookId = String;

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// A person took it back.
    Recalled,
    /// It is known to be malware since, and its bytes were had here.
    MalwareInUse,
}

impl NoticeKind {
    pub const fn as_str(self) -> &'static str {
        match self {
            NoticeKind::Recalled => "recalled",
            NoticeKind::MalwareInUse => "malware_in_use",
        }
    }
}

/// The body of a notice.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Notice {
    /// The same for every attempt to deliver it.
    pub id: String,
    pub event: NoticeKind,
    pub package: String,
    pub ecosystem: String,
    pub version: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub digest: Option<Digest>,
    /// When it was taken back, and by whom and why, where a person did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub reason: Option<String>,
    /// How often it was pulled.
    pub pulls: u64,
    /// Most recent first, at most [`Notice::PULLERS_MAX`].
    pub pullers: Vec<NoticePuller>,
    /// How many there are in all.
    pub pullers_total: u64,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NoticePuller {
    /// The name of its token, if it had one.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub by: Option<String>,
    pub address: String,
    pub count: u64,
    pub last_at: Timestamp,
}

impl Notice {
    pub const PULLERS_MAX: usize = 100;
}
