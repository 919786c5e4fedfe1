//! Lengths: files stay readable in one sitting, front pages stay front pages, pages stay pages.

use super::report::Report;
use super::tree::{Source, Tree};

/// A code file, tests included.
const FILE_LINES_MAX: usize = 800;
/// From here on a file shows as a warning.
const FILE_LINES_LOOK: usize = 500;
/// Lines of `lib.rs` and `mod.rs` that are neither comments, blank, declarations nor imports.
const FRONT_PAGE_LINES_MAX: usize = 60;
const README_LINES_MAX: usize = 120;
/// Two printed pages.
const DESIGN_LINES_MAX: usize = 120;

/// Checks every file against the limit of its kind.
pub(crate) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.files() {
        if file.has_ending(".rs") || file.has_ending(".py") {
            check_code(file, report);
        }
        if is_front_page(file) {
            let lines = file.text.lines().filter(|line| is_logic(line)).count();
            over(file, lines, FRONT_PAGE_LINES_MAX, "lines of logic", report);
        }
        let lines = file.text.lines().count();
        if file.path == "README.md" {
            over(file, lines, README_LINES_MAX, "lines", report);
        } else if file.path.starts_with("docs/design/") {
            over(file, lines, DESIGN_LINES_MAX, "lines", report);
        }
    }
}

fn check_code(file: &Source, report: &mut Report) {
    let lines = file.text.lines().count();
    over(file, lines, FILE_LINES_MAX, "lines", report);
    if (FILE_LINES_LOOK + 1..=FILE_LINES_MAX).contains(&lines) {
        report.warn(&file.path, format!("{lines} lines: look for a split"));
    }
}

fn over(file: &Source, found: usize, most: usize, unit: &str, report: &mut Report) {
    if found > most {
        report.error(
            &file.path,
            format!("{found} {unit}, at most {most} are allowed"),
        );
    }
}

/// The front pages of crates and modules; what tests share is no module of a crate.
fn is_front_page(file: &Source) -> bool {
    matches!(file.name(), "lib.rs" | "mod.rs") && file.path.contains("src/")
}

fn is_logic(line: &str) -> bool {
    let line = line.trim();
    let starts = ["//", "use ", "pub use ", "pub(crate) use ", "#[", "#!["];
    let declares = (line.contains("mod ") || line.contains("use ")) && line.ends_with(';');
    !line.is_empty() && !declares && !starts.iter().any(|start| line.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(files: &[(&str, &str)]) -> Vec<String> {
        let mut report = Report::default();
        check(&Tree::of(files), &mut report);
        report
            .errors()
            .iter()
            .map(|found| format!("{}: {}", found.place, found.message))
            .collect()
    }

    #[test]
    fn a_file_may_have_800_lines_and_shows_from_501() {
        let mut report = Report::default();
        let (longest, long) = ("x\n".repeat(801), "x\n".repeat(501));
        let tree = Tree::of(&[
            ("a.rs", &longest),
            ("b.rs", &long),
            ("c.rs", &"x\n".repeat(500)),
            ("d.toml", &longest),
        ]);
        check(&tree, &mut report);
        assert_eq!(report.errors().len(), 1);
        assert_eq!(report.errors()[0].place, "a.rs");
        assert_eq!(report.warnings().len(), 1);
        assert_eq!(report.warnings()[0].place, "b.rs");
    }

    #[test]
    fn a_front_page_holds_declarations_and_little_else() {
        let declarations = "//! Doc.\n\nmod a;\npub(crate) mod b;\npub use a::A;\n".repeat(40);
        assert!(errors(&[("crates/x/src/lib.rs", &declarations)]).is_empty());
        let logic = "fn a() {}\n".repeat(61);
        assert_eq!(
            errors(&[
                ("crates/x/src/lib.rs", &logic),
                ("crates/x/tests/support/mod.rs", &logic)
            ]),
            ["crates/x/src/lib.rs: 61 lines of logic, at most 60 are allowed"]
        );
    }

    #[test]
    fn pages_have_limits() {
        let page = "x\n".repeat(121);
        let found = errors(&[
            ("README.md", &page),
            ("docs/design/a.md", &page),
            ("docs/guide.md", &page),
        ]);
        assert_eq!(found.len(), 2);
    }
}
