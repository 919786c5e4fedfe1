//! Finds the cache servers of this machine: Redis, Valkey, Memcached.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::EngineError;

/// Which server speaks Redis's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RedisFlavour {
    /// `redis-server` of Redis.
    Redis,
    /// `valkey-server`.
    Valkey,
}

/// A Redis or Valkey server that is also able to be a Sentinel.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RedisInstall {
    /// Which one it is.
    pub flavour: RedisFlavour,
    /// As in `7.0.15`.
    pub version: String,
    /// The program.
    pub program: PathBuf,
}

/// A Memcached server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct MemcachedInstall {
    /// As in `1.6.18`.
    pub version: String,
    /// The program.
    pub program: PathBuf,
}

/// Every Redis and Valkey server in `configured` folders, Debian's and on PATH, newest version first; one a version,
/// earlier places first.
///
/// # Errors
/// [`EngineError::ServerMissing`] when there is none; it names Debian's package.
pub fn find_redis(configured: &[PathBuf]) -> Result<Vec<RedisInstall>, EngineError> {
    let programs = ["redis-server", "valkey-server"];
    let mut found: Vec<RedisInstall> = Vec::new();
    for program in programs_in(configured, &programs) {
        let Some((flavour, version)) = said(&program).as_deref().and_then(parse_redis) else {
            continue;
        };
        let known = |i: &RedisInstall| i.flavour == flavour && i.version == version;
        if !found.iter().any(known) {
            found.push(RedisInstall {
                flavour,
                version,
                program,
            });
        }
    }
    found.sort_by_key(|i| (i.flavour, std::cmp::Reverse(numbers(&i.version))));
    missing_unless(!found.is_empty(), "Redis or Valkey", "redis-server")?;
    Ok(found)
}

/// Every Memcached server, as [`find_redis`] looks for them.
///
/// # Errors
/// [`EngineError::ServerMissing`] when there is none; it names Debian's package.
pub fn find_memcached(configured: &[PathBuf]) -> Result<Vec<MemcachedInstall>, EngineError> {
    let mut found: Vec<MemcachedInstall> = Vec::new();
    for program in programs_in(configured, &["memcached"]) {
        let Some(version) = said(&program).as_deref().and_then(parse_memcached) else {
            continue;
        };
        if !found.iter().any(|i| i.version == version) {
            found.push(MemcachedInstall { version, program });
        }
    }
    found.sort_by_key(|i| std::cmp::Reverse(numbers(&i.version)));
    missing_unless(!found.is_empty(), "Memcached", "memcached")?;
    Ok(found)
}

fn missing_unless(found: bool, server: &str, package: &str) -> Result<(), EngineError> {
    let missing = || EngineError::ServerMissing {
        server: server.to_owned(),
        package: package.to_owned(),
    };
    found.then_some(()).ok_or_else(missing)
}

/// The programs of these names, each file once.
fn programs_in(configured: &[PathBuf], names: &[&str]) -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let places = configured
        .iter()
        .cloned()
        .chain([PathBuf::from("/usr/bin")])
        .chain(env::split_paths(&path).filter(|p| p.is_absolute()));
    let mut seen = Vec::new();
    let mut programs = Vec::new();
    for place in places {
        for program in names.iter().map(|name| place.join(name)) {
            let Ok(real) = fs::canonicalize(&program) else {
                continue;
            };
            if !seen.contains(&real) {
                seen.push(real);
                programs.push(program);
            }
        }
    }
    programs
}

fn said(program: &Path) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8_lossy(&said.stdout).into_owned())
}

/// Reads `Redis server v=7.0.15 sha=…`, `Valkey server v=8.0.1 sha=…`.
fn parse_redis(text: &str) -> Option<(RedisFlavour, String)> {
    let flavour = match text.split_whitespace().next()? {
        "Redis" => RedisFlavour::Redis,
        "Valkey" => RedisFlavour::Valkey,
        _ => return None,
    };
    let version = text.split_whitespace().find_map(|w| w.strip_prefix("v="))?;
    Some((flavour, version.to_owned()))
}

/// Reads `memcached 1.6.18`.
fn parse_memcached(text: &str) -> Option<String> {
    let version = text.trim().strip_prefix("memcached ")?;
    Some(version.to_owned())
}

fn numbers(version: &str) -> Vec<u32> {
    version.split('.').map(|n| n.parse().unwrap_or(0)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_the_servers_print_them() {
        let redis = "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        let known = Some((RedisFlavour::Redis, String::from("7.0.15")));
        assert_eq!(parse_redis(redis), known);
        let valkey = "Valkey server v=8.0.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64";
        let known = Some((RedisFlavour::Valkey, String::from("8.0.1")));
        assert_eq!(parse_redis(valkey), known);
        assert_eq!(parse_redis("postgres (PostgreSQL) 15.18"), None);
        assert_eq!(
            parse_memcached("memcached 1.6.18\n").as_deref(),
            Some("1.6.18")
        );
    }

    #[test]
    fn a_missing_server_names_the_package() {
        let error = missing_unless(false, "Memcached", "memcached").unwrap_err();
        assert!(error.to_string().contains("apt-get install memcached"));
    }

    #[test]
    fn the_servers_of_this_machine_are_found() {
        assert!(!find_redis(&[]).expect("Redis must be installed").is_empty());
        assert!(
            !find_memcached(&[])
                .expect("Memcached must be installed")
                .is_empty()
        );
    }
}
