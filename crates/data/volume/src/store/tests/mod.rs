//! Tests of the whole store.

mod copies;
mod damage;
mod fixture;
mod layers;
mod model;
mod pages;
mod truncation;
mod writing;
