//! AWS protocols: signatures, Query requests, XML answers, error shapes.
//!
//! Owns how bytes become a request and an answer becomes bytes. Must not know any resource.

pub mod error;
pub mod page;
pub mod query;
pub mod query_response;
pub mod service;
pub mod sigv4;
pub mod xml;
