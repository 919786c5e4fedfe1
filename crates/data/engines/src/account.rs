//! The unprivileged account that engines run as.
//!
//! PostgreSQL refuses to run as root. A node that runs as root gives its engines to a dedicated
//! account; a node that runs as an ordinary user runs them as itself.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use nix::unistd::{Gid, Uid, User};

use crate::error::EngineError;

/// The account used when the configuration names none.
pub const DEFAULT_ACCOUNT: &str = "quorate";

const EXECUTE_OWNER: u32 = 0o100;
const EXECUTE_GROUP: u32 = 0o010;
const EXECUTE_OTHERS: u32 = 0o001;

/// The user and group that engines and their files belong to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineAccount {
    name: String,
    uid: u32,
    gid: u32,
    switches: bool,
}

impl EngineAccount {
    /// The account for engines: as root, the account called `name` (`quorate` when `None`), made
    /// with `useradd` when it is missing; else the user that this process runs as.
    ///
    /// # Errors
    /// [`EngineError::Account`] when the account is missing and cannot be made, is root itself, or
    /// when the running user has no entry in the user database.
    pub fn resolve(name: Option<&str>) -> Result<EngineAccount, EngineError> {
        let uid = Uid::effective();
        if !uid.is_root() {
            let user = lookup(&uid.to_string(), || User::from_uid(uid))?;
            let user = user.ok_or_else(|| EngineError::Account {
                name: uid.to_string(),
                why: String::from(
                    "the user id that runs this program has no name (see /etc/passwd)",
                ),
            })?;
            return Ok(EngineAccount {
                name: user.name,
                uid: uid.as_raw(),
                gid: Gid::effective().as_raw(),
                switches: false,
            });
        }
        let name = name.unwrap_or(DEFAULT_ACCOUNT);
        let user = match lookup(name, || User::from_name(name))? {
            Some(user) => user,
            None => create(name)?,
        };
        if user.uid.is_root() {
            return Err(EngineError::Account {
                name: name.to_owned(),
                why: String::from("it is root"),
            });
        }
        Ok(EngineAccount {
            name: user.name,
            uid: user.uid.as_raw(),
            gid: user.gid.as_raw(),
            switches: true,
        })
    }

    /// The account's name, as in `/etc/passwd`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The account's user id.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The account's group id.
    #[must_use]
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// Whether engines run as another account than this process.
    #[must_use]
    pub fn switches(&self) -> bool {
        self.switches
    }

    /// Gives one file or folder to the account; a symbolic link itself, not what it points to.
    pub(crate) fn chown(&self, path: &Path) -> io::Result<()> {
        if self.switches {
            std::os::unix::fs::lchown(path, Some(self.uid), Some(self.gid))?;
        }
        Ok(())
    }

    /// Gives `root` and everything below it to the account, without following symbolic links.
    ///
    /// # Errors
    /// [`EngineError::Io`] with the path that could not be given away.
    pub fn chown_tree(&self, root: &Path) -> Result<(), EngineError> {
        if !self.switches {
            return Ok(());
        }
        let failed =
            |path: &Path| EngineError::io(format!("give {} to {}", path.display(), self.name));
        let mut waiting = vec![root.to_path_buf()];
        while let Some(path) = waiting.pop() {
            self.chown(&path).map_err(failed(&path))?;
            if fs::symlink_metadata(&path).map_err(failed(&path))?.is_dir() {
                for entry in fs::read_dir(&path).map_err(failed(&path))? {
                    waiting.push(entry.map_err(failed(&path))?.path());
                }
            }
        }
        Ok(())
    }

    /// Makes `path` (and missing parents, which stay with the running user and can be passed
    /// through) a folder of mode 0700 that belongs to the account.
    ///
    /// # Errors
    /// [`EngineError::Io`] when it cannot be made or given away.
    pub fn make_private_dir(&self, path: &Path) -> Result<(), EngineError> {
        let failed = || EngineError::io(format!("make the folder {}", path.display()));
        fs::create_dir_all(path).map_err(failed())?;
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(failed())?;
        self.chown(path).map_err(failed())
    }

    /// Checks that the account may pass through every folder above `path` that exists.
    ///
    /// # Errors
    /// [`EngineError::Unreachable`] names the first folder that shuts it out.
    pub fn can_reach(&self, path: &Path) -> Result<(), EngineError> {
        if !self.switches {
            return Ok(());
        }
        let absolute =
            std::path::absolute(path).map_err(EngineError::io("find the current folder"))?;
        let mut parents: Vec<&Path> = absolute.ancestors().skip(1).collect();
        parents.reverse();
        for parent in parents {
            let found = match fs::metadata(parent) {
                Ok(found) => found,
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
                Err(error) => {
                    return Err(EngineError::io(format!("look at {}", parent.display()))(
                        error,
                    ));
                }
            };
            let wanted = if found.uid() == self.uid {
                EXECUTE_OWNER
            } else if found.gid() == self.gid {
                EXECUTE_GROUP
            } else {
                EXECUTE_OTHERS
            };
            if found.mode() & wanted == 0 {
                return Err(EngineError::Unreachable {
                    account: self.name.clone(),
                    blocking: parent.to_path_buf(),
                    path: PathBuf::from(path),
                });
            }
        }
        Ok(())
    }
}

fn lookup(
    name: &str,
    find: impl FnOnce() -> nix::Result<Option<User>>,
) -> Result<Option<User>, EngineError> {
    find().map_err(|errno| EngineError::Account {
        name: name.to_owned(),
        why: format!("the user database cannot be read: {errno}"),
    })
}

fn create(name: &str) -> Result<User, EngineError> {
    let failed = |why: String| EngineError::Account {
        name: name.to_owned(),
        why,
    };
    let made = Command::new("useradd")
        .args([
            "--system",
            "--no-create-home",
            "--shell",
            "/usr/sbin/nologin",
            "--",
        ])
        .arg(name)
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .output()
        .map_err(|error| failed(format!("useradd cannot be run: {error}")))?;
    // Two nodes of one machine may make the account at the same moment: what counts is that it is
    // there.
    lookup(name, || User::from_name(name))?.ok_or_else(|| {
        failed(format!(
            "useradd said: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stranger() -> EngineAccount {
        EngineAccount {
            name: String::from("stranger"),
            uid: 64_321,
            gid: 64_321,
            switches: true,
        }
    }

    #[test]
    fn a_shut_folder_above_the_data_is_named() {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let shut = root.path().join("shut");
        fs::create_dir(&shut).unwrap();
        fs::set_permissions(&shut, fs::Permissions::from_mode(0o700)).unwrap();
        let wanted = shut.join("deep/data");
        match stranger().can_reach(&wanted) {
            Err(EngineError::Unreachable { blocking, .. }) => assert_eq!(blocking, shut),
            other => panic!("expected the shut folder to be named, got {other:?}"),
        }
        assert!(stranger().can_reach(&root.path().join("open/data")).is_ok());
    }

    #[test]
    fn the_running_user_or_an_unprivileged_account_is_found() {
        let account = EngineAccount::resolve(None).unwrap();
        assert_ne!(account.uid(), 0);
        assert_eq!(account.switches(), Uid::effective().is_root());
    }
}
