//! Endpoints of clusters: custom ones made, changed and deleted, all described.

mod custom;
mod describe;
mod shape;

pub(crate) use custom::{create, delete, modify};
pub(crate) use describe::describe;
