//! The partition as a whole, on a real database in a folder of its own.

mod crash;
mod expected;
mod fixture;
mod global_index;
mod model;
mod pages;
mod snapshot;
mod split;
mod transactions;
mod writes;

pub(crate) use fixture::*;
