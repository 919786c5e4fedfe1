//! Custom endpoints of a cluster.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use quorate_base::UnixMillis;

use crate::model::Tag;

/// A custom endpoint. Its identifier is unique in the region: the endpoint's record in the catalog keeps it so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomEndpoint {
    /// `DBClusterEndpointResourceIdentifier`.
    pub resource_id: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// Which members it may lead to.
    pub kind: CustomEndpointKind,
    /// Which of them it does lead to.
    pub members: CustomEndpointMembers,
    /// Its port, for its life.
    pub port: u16,
    /// Tags.
    pub tags: Vec<Tag>,
}

/// `CustomEndpointType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CustomEndpointKind {
    /// Readers only: a member that becomes the writer drops out while it writes.
    Reader,
    /// Writer and readers.
    Any,
}

impl CustomEndpointKind {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            CustomEndpointKind::Reader => "READER",
            CustomEndpointKind::Any => "ANY",
        }
    }
}

/// `StaticMembers` or `ExcludedMembers`: never both, as AWS has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum CustomEndpointMembers {
    /// These members alone.
    Static(BTreeSet<String>),
    /// All members but these; later ones included.
    AllBut(BTreeSet<String>),
}

impl CustomEndpointMembers {
    /// Whether a member is among them.
    #[must_use]
    pub fn contains(&self, member: &str) -> bool {
        match self {
            CustomEndpointMembers::Static(members) => members.contains(member),
            CustomEndpointMembers::AllBut(members) => !members.contains(member),
        }
    }

    /// The names that the user listed.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<String> {
        match self {
            CustomEndpointMembers::Static(names) | CustomEndpointMembers::AllBut(names) => names,
        }
    }

    /// The names that the user listed.
    pub fn names_mut(&mut self) -> &mut BTreeSet<String> {
        match self {
            CustomEndpointMembers::Static(names) | CustomEndpointMembers::AllBut(names) => names,
        }
    }
}
