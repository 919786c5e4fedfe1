//! Each Rust file opens by saying what it is for.

use super::report::Report;
use super::tree::Tree;

/// The first line of every `.rs` file is a `//!`.
pub(crate) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.ending(".rs") {
        let first = file.text.lines().next().unwrap_or_default();
        if first
            .strip_prefix("//!")
            .is_none_or(|doc| doc.trim().is_empty())
        {
            report.error(
                format!("{}:1", file.path),
                "the file must open with a `//!` line that says what it is for",
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_a_module_doc_is_named() {
        let tree = Tree::of(&[
            ("a.rs", "//! Says it.\nfn a() {}\n"),
            ("b.rs", "use std::fmt;\n"),
            ("c.rs", "//!\nfn c() {}\n"),
            ("d.py", "import os\n"),
        ]);
        let mut report = Report::default();
        check(&tree, &mut report);
        let places: Vec<&str> = report.errors().iter().map(|f| f.place.as_str()).collect();
        assert_eq!(places, ["b.rs:1", "c.rs:1"]);
    }
}
