//! Reads the tree, runs every check, prints what was found.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;

use super::report::Report;
use super::tree::Tree;
use super::{edges, length, module_doc, words};

/// Checks the workspace at `root`. Fails the process when a rule is broken; warnings only show.
pub(crate) fn run(root: &Path) -> Result<ExitCode> {
    let tree = Tree::read(root)?;
    let mut report = Report::default();
    edges::check(&tree, &mut report)?;
    module_doc::check(&tree, &mut report);
    length::check(&tree, &mut report);
    words::check(&tree, &mut report);
    print!("{report}");
    println!(
        "tidy: {} files, {} broken rules, {} warnings",
        tree.files().len(),
        report.errors().len(),
        report.warnings().len()
    );
    Ok(if report.errors().is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
