//! Tests of the whole store.

mod copies;
mod fixture;
mod pages;
mod writing;
