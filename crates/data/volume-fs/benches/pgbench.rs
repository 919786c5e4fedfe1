//! How fast PostgreSQL is on a mount over pages in memory, and on a memory file system: `cargo bench -p quorate-volume-fs`.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

#[path = "../tests/engine/mod.rs"]
mod engine;
#[path = "../tests/mounting/mod.rs"]
mod mounting;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::Path;
use std::time::Instant;

use engine::{Engine, USER, init, is_installed, run};
use mounting::{Place, can_mount};
use quorate_volume_fs::testing::MemoryPages;

const SETTINGS: [&str; 4] = [
    "full_page_writes=off",
    "shared_buffers=128MB",
    "max_wal_size=4GB",
    "autovacuum=off",
];

fn measure(name: &str, data: &Path, logs: &Path) {
    fs::create_dir(data).unwrap();
    chown(data, Some(USER), Some(USER)).unwrap();
    fs::set_permissions(data, fs::Permissions::from_mode(0o700)).unwrap();
    init(data);
    let engine = Engine::start(data, logs, &SETTINGS);
    let start = Instant::now();
    run(engine
        .client("pgbench")
        .args(["-i", "-I", "dtgp", "-s", "20", "-q"]));
    println!("{name}: load {:.2} s", start.elapsed().as_secs_f64());
    for clients in ["1", "8"] {
        let mut bench = engine.client("pgbench");
        bench.args(["-n", "-T", "8", "-j", "2", "-c", clients]);
        let output = run(&mut bench);
        let text = String::from_utf8(output.stdout).unwrap();
        let tps = text.lines().find(|line| line.starts_with("tps")).unwrap();
        println!("{name}: c{clients} {tps}");
    }
    let start = Instant::now();
    engine.sql("create table copied as select * from pgbench_accounts");
    engine.sql("checkpoint");
    println!("{name}: copy in SQL {:.2} s", start.elapsed().as_secs_f64());
    engine.stop();
}

fn main() {
    if !can_mount() || !is_installed() {
        return;
    }
    let tmpfs = tempfile::Builder::new()
        .prefix("quorate-test-figures-")
        .tempdir_in("/dev/shm")
        .unwrap();
    fs::set_permissions(tmpfs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = Place::new(MemoryPages::forgetful(8192, 1 << 20));
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    measure("memory", &tmpfs.path().join("data"), tmpfs.path());
    measure("mount", &place.path().join("data"), place.folder());
}
