//! The module that servers load so that no cancel ends a commit's wait for the standby.
//!
//! Owns the module's source (`module/commit_guard.c`, which says how it works), its building, and
//! the list of libraries that it stands first in. A module is built once for each major version,
//! with this machine's C compiler, and tried by the server's program before any server is given it:
//! one that cannot be loaded would keep every server from starting. Knows nothing of members.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use super::paths::MemberPaths;
use super::server::PostgresHost;
use super::tools::PostgresTools;
use crate::durable;
use crate::folder::fnv1a;

const SOURCE: &str = include_str!("../../module/commit_guard.c");
/// The versions whose interfaces the source was held against.
const MAJORS: std::ops::RangeInclusive<u32> = 15..=18;
/// Asked for in this order when `CC` names none.
const COMPILERS: [&str; 2] = ["cc", "gcc"];
const FLAGS: [&str; 5] = ["-shared", "-fPIC", "-O2", "-x", "c"];
/// The longest that the compiler may take, and the server's program after it.
const BUILD_WAIT: Duration = Duration::from_secs(10);

/// One build at a time: servers that start together want the same file.
static BUILDING: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// What was complained about already.
static COMPLAINTS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// The module for the host's version, built if it is not there yet. `paths` holds data that no
/// server runs on, for the trial. `None`, with a warning once a process, when there can be no
/// module.
pub(super) async fn provide(host: &PostgresHost, paths: &MemberPaths) -> Option<PathBuf> {
    let major = host.install.version().major;
    let name = format!("commit_guard-{major}-{:016x}.so", fnv1a(SOURCE.as_bytes()));
    let module = host.modules.join(name);
    let _one = BUILDING.lock().await;
    if module.is_file() {
        return Some(module);
    }
    match build(host, paths, &module).await {
        Ok(()) => {
            tracing::info!(module = %module.display(), "built the module that guards commits");
            Some(module)
        }
        Err(why) => {
            let mut told = COMPLAINTS.lock().unwrap_or_else(PoisonError::into_inner);
            if told.insert(module) {
                tracing::warn!(
                    "the module that guards commits could not be built: {why}. Until it is, and the \
                     servers are started again, a cancel over TLS, or one by an administrator, \
                     that meets a commit waiting for its standby acknowledges that commit too early"
                );
            }
            None
        }
    }
}

/// Compiles, tries, and gives the file its name.
async fn build(host: &PostgresHost, paths: &MemberPaths, module: &Path) -> Result<(), String> {
    let major = host.install.version().major;
    if !MAJORS.contains(&major) {
        return Err(format!(
            "it is for PostgreSQL {} to {}, this is {major}",
            MAJORS.start(),
            MAJORS.end()
        ));
    }
    let trial = module.with_extension(format!("{}.so", std::process::id()));
    let built = async {
        make_folder(&host.modules).map_err(|e| format!("{}: {e}", host.modules.display()))?;
        compile(major, &trial).await?;
        let tools = PostgresTools::new(host.clone(), paths.clone());
        tokio::time::timeout(BUILD_WAIT, tools.try_library(&trial))
            .await
            .map_err(|_| format!("the server did not answer within {BUILD_WAIT:?}"))?
            .map_err(|error| error.to_string())?;
        let keep = || {
            fs::File::open(&trial)?.sync_all()?;
            fs::rename(&trial, module)?;
            durable::sync_parent(module)
        };
        keep().map_err(|e| format!("{}: {e}", module.display()))
    };
    let built = built.await;
    if built.is_err() {
        let _ = fs::remove_file(&trial);
    }
    built
}

/// Everybody may read it; only the node's own account may write there, as servers run what is in
/// it.
fn make_folder(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755))
}

async fn compile(major: u32, to: &Path) -> Result<(), String> {
    let named = env::var("CC").ok().filter(|name| !name.trim().is_empty());
    let compilers = match &named {
        Some(name) => vec![name.as_str()],
        None => COMPILERS.to_vec(),
    };
    for compiler in compilers {
        match run_compiler(compiler, major, to).await {
            Ok(output) if output.status.success() => {
                let mode = fs::Permissions::from_mode(0o644);
                return fs::set_permissions(to, mode).map_err(|e| format!("{}: {e}", to.display()));
            }
            Ok(output) => {
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                return Err(format!("{compiler}: {}: {}", output.status, said.trim()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(format!("{compiler}: {error}")),
        }
    }
    Err(format!(
        "there is no C compiler (looked for {}): install the packages gcc and libc6-dev",
        named.as_deref().unwrap_or("cc and gcc")
    ))
}

async fn run_compiler(compiler: &str, major: u32, to: &Path) -> io::Result<Output> {
    // `CC` may hold flags, as for make.
    let mut words = compiler.split_whitespace();
    let mut command = Command::new(words.next().unwrap_or_default());
    let mut child = command
        .args(words)
        .args(FLAGS)
        .arg(format!("-DPG_MAJOR={major}"))
        .arg("-o")
        .arg(to)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    let run = async {
        if let Some(mut input) = child.stdin.take() {
            // One that stops reading says why on its way out.
            let _ = input.write_all(SOURCE.as_bytes()).await;
        }
        child.wait_with_output().await
    };
    tokio::time::timeout(BUILD_WAIT, run)
        .await
        .unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut)))
}

/// The value of `shared_preload_libraries`: the module, then what the parameters ask for. A server
/// loads nothing at all of a list that it cannot read, so one like that is left out.
pub(super) fn preloaded(module: &Path, asked: Option<&str>) -> String {
    let name = module.to_string_lossy().replace('"', "\"\"");
    match asked.map(str::trim).filter(|list| is_list(list)) {
        Some(list) => format!("\"{name}\", {list}"),
        None => format!("\"{name}\""),
    }
}

/// Whether the server reads this as a list with a name in it (`SplitDirectoriesString`).
fn is_list(list: &str) -> bool {
    let mut rest = list;
    loop {
        rest = rest.trim_start();
        rest = match rest.strip_prefix('"') {
            Some(mut quoted) => loop {
                let Some(end) = quoted.find('"') else {
                    return false;
                };
                quoted = &quoted[end + 1..];
                match quoted.strip_prefix('"') {
                    Some(more) => quoted = more,
                    None => break quoted.trim_start(),
                }
            },
            None => {
                let end = rest.find(',').unwrap_or(rest.len());
                if end == 0 {
                    return false;
                }
                &rest[end..]
            }
        };
        match rest.strip_prefix(',') {
            Some(more) => rest = more,
            None => return rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_module_comes_first_and_the_users_list_is_kept() {
        let module = Path::new("/var/lib/a \"b\"/g.so");
        let quoted = "\"/var/lib/a \"\"b\"\"/g.so\"";
        let preloaded = |asked| preloaded(module, asked);
        assert_eq!(preloaded(None), quoted);
        assert_eq!(preloaded(Some("  ")), quoted);
        let list = "pg_stat_statements, \"odd,\"\"name\" ,auto_explain";
        assert_eq!(preloaded(Some(list)), format!("{quoted}, {list}"));
    }

    #[test]
    fn a_list_that_the_server_cannot_read_does_not_take_the_module_with_it() {
        for list in ["a,", ",a", "a,,b", "\"a", "\"a\" b", "\"a\"\"", ","] {
            assert!(!is_list(list), "{list}");
        }
        for list in ["a", "a b", "a,b", "\"a\"", "\"\"", "\"a\"\"b\", c"] {
            assert!(is_list(list), "{list}");
        }
    }

    #[test]
    fn the_source_compiles_without_a_warning_for_each_version() {
        for major in MAJORS {
            let compiled = std::process::Command::new("cc")
                .args(["-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
                .arg(format!("-DPG_MAJOR={major}"))
                .arg(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/module/commit_guard.c"
                ))
                .status()
                .expect("these tests need a C compiler");
            assert!(compiled.success(), "version {major}");
        }
    }
}
