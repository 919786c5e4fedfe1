//! For tests, also those of other crates.

mod memory_pages;

pub use memory_pages::MemoryPages;
