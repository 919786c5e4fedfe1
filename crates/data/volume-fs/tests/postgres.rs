//! PostgreSQL on a mounted file system, and after crashes of it.
//!
//! `QUORATE_VOLUME_FS_ROUNDS` says how many crashes are tried in each setting (2 when it is absent), `QUORATE_VOLUME_FS_SECONDS` for how long
//! each of them is written to (2).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod engine;
mod mounting;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;

use engine::{Engine, USER, init, is_installed, run};
use mounting::{Place, can_mount};
use quorate_volume_fs::testing::MemoryPages;
use rand::Rng;

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name);
    given.map_or(otherwise, |given| given.parse().expect("a number"))
}

/// A data folder on the mount that PostgreSQL's user may use.
fn data_folder(place: &Place) -> PathBuf {
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = place.path().join("data");
    if !data.exists() {
        fs::create_dir(&data).unwrap();
        chown(&data, Some(USER), Some(USER)).unwrap();
        fs::set_permissions(&data, fs::Permissions::from_mode(0o700)).unwrap();
    }
    data
}

fn check(engine: &Engine) {
    engine.sql("create extension if not exists amcheck");
    run(engine
        .client("pg_amcheck")
        .args(["--heapallindexed", "postgres"]));
    let sums = engine.sql(
        "select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)
            and (select sum(tbalance) from pgbench_tellers) = (select sum(delta) from pgbench_history)",
    );
    assert_eq!(sums, "t", "money is neither made nor lost");
}

/// Writes for a while, crashes at a random place, again and again.
fn crashes(page_bytes: usize, settings: &[&str]) {
    let seconds = number("QUORATE_VOLUME_FS_SECONDS", 2).to_string();
    let mut place = Place::new(MemoryPages::new(page_bytes, 1 << 20));
    let data = data_folder(&place);
    init(&data);
    let engine = Engine::start(&data, place.folder(), settings);
    run(engine.client("pgbench").args(["-i", "-s", "5", "-q"]));
    engine.sql("update pgbench_history set delta = delta");
    engine.stop();
    place.file_system().sync_all().unwrap();
    for round in 0..number("QUORATE_VOLUME_FS_ROUNDS", 2) {
        let data = data_folder(&place);
        let engine = Engine::start(&data, place.folder(), settings);
        let acknowledged = engine.sql("select count(*) from pgbench_history");
        // A crash at any moment from here on.
        let synced = place.pages.synced();
        let mut bench = engine.client("pgbench");
        bench.args(["-n", "-c", "8", "-j", "2", "-T", &seconds]);
        run(&mut bench);
        engine.sql("update pgbench_accounts set abalance = abalance where aid % 50 = 0");
        engine.kill();
        let points = place.pages.crash_points(synced);
        let at = points[rand::rng().random_range(0..points.len())];
        println!("round {round}: {at} of {} units", place.pages.units());
        let left = place.pages.after(at);
        place.unmount();
        place = Place::new(left);
        let data = data_folder(&place);
        // The process that it names may be any other one.
        let _ = fs::remove_file(data.join("postmaster.pid"));
        let engine = Engine::start(&data, place.folder(), settings);
        check(&engine);
        let kept = engine.sql("select count(*) from pgbench_history");
        let count = |text: &str| text.parse::<u64>().unwrap();
        assert!(
            count(&kept) >= count(&acknowledged),
            "{kept} of {acknowledged}"
        );
        engine.kill();
    }
}

#[test]
fn it_recovers_from_crashes_without_full_page_writes() {
    if can_mount() && is_installed() {
        crashes(8192, &["full_page_writes=off", "checkpoint_timeout=30s"]);
    }
}

#[test]
fn it_recovers_from_crashes_on_larger_pages() {
    if can_mount() && is_installed() {
        crashes(
            16_384,
            &["full_page_writes=off", "wal_sync_method=open_datasync"],
        );
    }
}
