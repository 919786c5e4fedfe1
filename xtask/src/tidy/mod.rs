//! The rules of this repository, checked: layers, module docs, lengths, words.
//!
//! Each check reads a [`tree::Tree`] and adds to a [`report::Report`]; none touches the disk.

mod edges;
mod length;
mod module_doc;
mod report;
mod run;
mod tree;
mod words;

pub(crate) use run::run;
