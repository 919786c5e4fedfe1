//! The text files of the repository, read once.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// Folders that hold no source.
const SKIPPED_FOLDERS: [&str; 4] = ["target", ".git", "__pycache__", ".pytest_cache"];
/// Files by the end of their name, and whole names without one.
const ENDINGS: [&str; 6] = [".rs", ".toml", ".md", ".py", ".sh", ".yml"];
const WHOLE_NAMES: [&str; 2] = ["Makefile", "run"];

/// One file: its path from the root with `/`, and its text.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl Source {
    pub(crate) fn has_ending(&self, ending: &str) -> bool {
        self.path.ends_with(ending)
    }

    pub(crate) fn name(&self) -> &str {
        self.path
            .rsplit_once('/')
            .map_or(self.path.as_str(), |(_, name)| name)
    }
}

/// All files, in the order of their paths.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<Source>,
}

impl Tree {
    /// Reads every source file under `root`.
    pub(crate) fn read(root: &Path) -> Result<Tree> {
        let mut files = Vec::new();
        collect(root, "", &mut files)?;
        files.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(Tree { files })
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let files = files
            .iter()
            .map(|(path, text)| Source {
                path: (*path).to_owned(),
                text: (*text).to_owned(),
            })
            .collect();
        Tree { files }
    }

    pub(crate) fn files(&self) -> &[Source] {
        &self.files
    }

    /// The files whose path ends so.
    pub(crate) fn ending<'a>(&'a self, ending: &'a str) -> impl Iterator<Item = &'a Source> {
        self.files
            .iter()
            .filter(move |file| file.has_ending(ending))
    }
}

fn collect(folder: &Path, prefix: &str, files: &mut Vec<Source>) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type()?;
        if kind.is_dir() && !SKIPPED_FOLDERS.contains(&name.as_str()) {
            collect(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() && is_source(&name) {
            let text = fs::read_to_string(entry.path())
                .with_context(|| format!("cannot read {path} as text"))?;
            files.push(Source { path, text });
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    WHOLE_NAMES.contains(&name) || ENDINGS.iter().any(|ending| name.ends_with(ending))
}
