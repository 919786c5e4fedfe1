//! Finds the MariaDB servers of this machine.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::EngineError;

const SERVER: &str = "mariadbd";
/// Makes an empty data folder.
const INSTALLER: &str = "mariadb-install-db";
/// Where Debian puts the server; its tools lie in `/usr/bin`.
const SERVER_PLACES: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];
const TOOL_PLACES: [&str; 2] = ["/usr/bin", "/usr/local/bin"];

/// As in `10.11.19`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MariadbVersion(pub u32, pub u32, pub u32);

impl fmt::Display for MariadbVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.0, self.1, self.2)
    }
}

/// A complete installation of MariaDB.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MariadbInstall {
    /// Its version.
    pub version: MariadbVersion,
    /// The server's program.
    pub server: PathBuf,
    /// The script that makes an empty data folder.
    pub installer: PathBuf,
}

/// Every complete installation in `configured` folders, Debian's and on PATH, newest version first; one a version,
/// earlier places first.
///
/// # Errors
/// [`EngineError::ServerMissing`] when there is none; it names Debian's package.
pub fn find_mariadb(configured: &[PathBuf]) -> Result<Vec<MariadbInstall>, EngineError> {
    let mut found: BTreeMap<MariadbVersion, MariadbInstall> = BTreeMap::new();
    for place in places(configured, &SERVER_PLACES) {
        let server = place.join(SERVER);
        let Some(version) = said(&server).as_deref().and_then(parse_version) else {
            continue;
        };
        let tools = std::iter::once(place).chain(places(configured, &TOOL_PLACES));
        let mut installers = tools.map(|place| place.join(INSTALLER));
        let Some(installer) = installers.find(|path| path.is_file()) else {
            tracing::warn!(server = %server.display(), "MariaDB without {INSTALLER} is of no use");
            continue;
        };
        found.entry(version).or_insert(MariadbInstall {
            version,
            server,
            installer,
        });
    }
    if found.is_empty() {
        return Err(EngineError::ServerMissing {
            server: String::from("MariaDB"),
            package: String::from("mariadb-server"),
        });
    }
    Ok(found.into_values().rev().collect())
}

fn places(configured: &[PathBuf], usual: &[&str]) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let on_path = env::split_paths(&path).filter(|place| place.is_absolute());
    let mut places: Vec<PathBuf> = Vec::new();
    let all = configured.iter().cloned();
    for place in all.chain(usual.iter().map(PathBuf::from)).chain(on_path) {
        let real = fs::canonicalize(&place).unwrap_or(place);
        if !places.contains(&real) {
            places.push(real);
        }
    }
    places
}

fn said(program: &Path) -> Option<String> {
    // Debian's configuration may have the server log to a file: `--no-defaults` has to come first.
    let said = Command::new(program)
        .args(["--no-defaults", "--version"])
        .output()
        .ok()?;
    Some(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Reads `mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)`.
fn parse_version(text: &str) -> Option<MariadbVersion> {
    let (_, rest) = text.split_once("Ver ")?;
    let (numbers, flavour) = rest.trim_start().split_once('-')?;
    if !flavour.starts_with("MariaDB") {
        return None;
    }
    let mut numbers = numbers.split('.').map(|number| number.parse().ok());
    Some(MariadbVersion(
        numbers.next()??,
        numbers.next()??,
        numbers.next()??,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_as_the_server_prints_it() {
        let text =
            "mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)";
        assert_eq!(parse_version(text), Some(MariadbVersion(10, 11, 19)));
        assert_eq!(parse_version("mysqld  Ver 8.0.36 for Linux"), None);
        assert_eq!(MariadbVersion(10, 11, 19).to_string(), "10.11.19");
    }

    #[test]
    fn the_server_of_this_machine_is_found() {
        let found = find_mariadb(&[]).expect("MariaDB must be installed");
        assert!(found[0].installer.ends_with(INSTALLER));
    }
}
