//! What follows from what is known. Pure.

pub mod endpoints;
#[cfg(test)]
pub(crate) mod fixture;
pub mod placement;
pub mod status;
