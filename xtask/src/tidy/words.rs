//! Words that must not stand in the tree: notes of unfinished work, and tests that nobody runs.

use super::report::Report;
use super::tree::Tree;

/// Whole words. Spelled in two halves, so that this file does not hold them.
const WORDS: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("XX", "X"),
];
/// Found anywhere in Rust.
const PARTS: [&str; 2] = [concat!("todo", "!("), concat!("#[ig", "nore")];

/// Looks through every file of code; prose may speak of the words.
pub(crate) fn check(tree: &Tree, report: &mut Report) {
    for file in tree.files().iter().filter(|file| !file.has_ending(".md")) {
        for (number, line) in file.text.lines().enumerate() {
            let word = WORDS.iter().find(|word| holds_word(line, word));
            let part = PARTS
                .iter()
                .filter(|_| file.has_ending(".rs"))
                .find(|part| line.contains(**part));
            if let Some(found) = word.or(part) {
                report.error(
                    format!("{}:{}", file.path, number + 1),
                    format!("`{found}` does not belong in the tree"),
                );
            }
        }
    }
}

fn holds_word(line: &str, word: &str) -> bool {
    line.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
        .any(|found| found == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unfinished_work_is_found_by_whole_words() {
        let note = concat!("// TO", "DO: later\n");
        let unfinished = concat!("//! A.\nfn a() { todo", "!() }\n");
        let unrun = concat!("//! B.\n#[ig", "nore = \"slow\"]\n");
        let template = concat!("mktemp /run/a.XX", "XXXX\n");
        let tree = Tree::of(&[
            ("a.py", note),
            ("b.rs", unfinished),
            ("c.rs", unrun),
            ("d.sh", template),
            ("e.md", note),
        ]);
        let mut report = Report::default();
        check(&tree, &mut report);
        let places: Vec<&str> = report.errors().iter().map(|f| f.place.as_str()).collect();
        assert_eq!(places, ["a.py:1", "b.rs:2", "c.rs:2"]);
    }
}
