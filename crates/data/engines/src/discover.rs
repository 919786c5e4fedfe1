//! Finds the PostgreSQL installations of this machine.

use std::collections::{BTreeMap, BTreeSet};
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::EngineError;

/// The programs without which an installation is of no use here.
const PROGRAMS: [&str; 6] = [
    "postgres",
    "initdb",
    "pg_basebackup",
    "pg_controldata",
    "pg_ctl",
    "pg_rewind",
];

/// Where Debian and its relatives put each major version.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// An engine's version: `15.18`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EngineVersion {
    /// The major version, as in 15.
    pub major: u32,
    /// The minor version, as in 18; 0 for a development or beta version.
    pub minor: u32,
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A complete installation of PostgreSQL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresInstall {
    bin: PathBuf,
    version: EngineVersion,
}

impl PostgresInstall {
    /// Looks at one folder of programs.
    ///
    /// # Errors
    /// [`EngineError::NotInstalled`] names the program that is missing, or the version that cannot
    /// be read.
    pub fn open(bin: &Path) -> Result<PostgresInstall, EngineError> {
        let wrong = |detail: String| EngineError::NotInstalled { detail };
        if let Some(missing) = PROGRAMS.iter().find(|name| !bin.join(name).is_file()) {
            return Err(wrong(format!("`{}` has no {missing}", bin.display())));
        }
        let said = Command::new(bin.join("postgres"))
            .arg("--version")
            .output()
            .map_err(|error| wrong(format!("{}/postgres cannot be run: {error}", bin.display())))?;
        let text = String::from_utf8_lossy(&said.stdout).into_owned();
        let version = parse_version(&text).ok_or_else(|| {
            wrong(format!(
                "{}/postgres --version says `{}`",
                bin.display(),
                text.trim()
            ))
        })?;
        Ok(PostgresInstall {
            bin: bin.to_path_buf(),
            version,
        })
    }

    /// The installation's version.
    #[must_use]
    pub fn version(&self) -> EngineVersion {
        self.version
    }

    /// The folder of its programs.
    #[must_use]
    pub fn bin(&self) -> &Path {
        &self.bin
    }

    /// The path of one of its programs.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }
}

/// Every complete installation in `configured`, in Debian's folders and on PATH, newest version
/// first; one a version, earlier places first.
///
/// # Errors
/// [`EngineError::NotInstalled`] when there is none, with what was incomplete.
pub fn find_postgres(configured: &[PathBuf]) -> Result<Vec<PostgresInstall>, EngineError> {
    let mut found: BTreeMap<EngineVersion, PostgresInstall> = BTreeMap::new();
    let mut complaints = Vec::new();
    let mut seen = BTreeSet::new();
    for bin in candidates(configured) {
        if !bin.join("postgres").is_file() && !configured.contains(&bin) {
            continue;
        }
        if !seen.insert(fs::canonicalize(&bin).unwrap_or_else(|_| bin.clone())) {
            continue;
        }
        match PostgresInstall::open(&bin) {
            Ok(install) => {
                found.entry(install.version).or_insert(install);
            }
            Err(EngineError::NotInstalled { detail }) => complaints.push(detail),
            Err(other) => return Err(other),
        }
    }
    if found.is_empty() {
        complaints.insert(0, format!("looked in {DEBIAN_ROOT}/*/bin and on PATH"));
        return Err(EngineError::NotInstalled {
            detail: complaints.join("; "),
        });
    }
    Ok(found.into_values().rev().collect())
}

fn candidates(configured: &[PathBuf]) -> Vec<PathBuf> {
    let mut bins = configured.to_vec();
    if let Ok(entries) = fs::read_dir(DEBIAN_ROOT) {
        let mut debian: Vec<PathBuf> = entries.flatten().map(|e| e.path().join("bin")).collect();
        debian.sort();
        bins.extend(debian);
    }
    if let Some(path) = env::var_os("PATH") {
        bins.extend(env::split_paths(&path).filter(|p| p.is_absolute()));
    }
    bins
}

/// Reads `postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)`, `… 17beta1`.
fn parse_version(text: &str) -> Option<EngineVersion> {
    let rest = text.trim().strip_prefix("postgres (PostgreSQL) ")?;
    let number: String = rest
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == '.')
        .collect();
    let mut parts = number.split('.');
    Some(EngineVersion {
        major: parts.next()?.parse().ok()?,
        minor: parts.next().and_then(|p| p.parse().ok()).unwrap_or(0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_postgres_prints_them() {
        let version = |text| parse_version(text).map(|v| v.to_string());
        assert_eq!(
            version("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)\n").as_deref(),
            Some("15.18")
        );
        assert_eq!(
            version("postgres (PostgreSQL) 17beta1").as_deref(),
            Some("17.0")
        );
        assert_eq!(version("mariadbd  Ver 10.11"), None);
        assert_eq!(version(""), None);
    }

    #[test]
    fn an_incomplete_folder_is_refused_with_the_missing_program() {
        let empty = tempfile::tempdir().unwrap();
        let error = PostgresInstall::open(empty.path()).unwrap_err().to_string();
        assert!(error.contains("has no postgres"), "{error}");
        assert!(error.contains("apt-get install postgresql"), "{error}");
    }

    #[test]
    fn the_installed_versions_come_newest_first() {
        let found = find_postgres(&[]).expect("PostgreSQL must be installed to run these tests");
        assert!(
            found
                .windows(2)
                .all(|pair| pair[0].version() > pair[1].version())
        );
    }
}
