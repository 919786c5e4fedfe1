//! Whatever cancels a commit that waits for the standby, the client hears of no success before the
//! standby has it.

#![allow(clippy::unwrap_used)]

mod support;

use std::process::Output;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use quorate_engines::postgres::{RunningPostgres, sync_waiters};
use support::{Bed, Member, READY, eventually, psql_command, stdout};
use tokio::task::JoinHandle;

/// How long a cancelled commit is watched; without the module it returns at once.
const WATCHED: Duration = Duration::from_millis(400);
/// The server's warning for a commit that returned without its standby.
const BETRAYAL: &str = "synchronous replication";

/// A primary whose commits wait for a standby.
struct Pair {
    bed: Bed,
    first: Member,
    primary: RunningPostgres,
    second: Member,
    _follower: RunningPostgres,
}

impl Pair {
    async fn new(bed: Bed) -> Pair {
        let (first, primary) = bed.primary("m1").await;
        let (second, follower) = bed.standby(&first, &primary, "m2").await;
        primary.establish_sync_standby("m2", READY).await.unwrap();
        let pair = Pair {
            bed,
            first,
            primary,
            second,
            _follower: follower,
        };
        pair.run(&["CREATE TABLE t (id int PRIMARY KEY)"]).await;
        pair
    }

    /// A session that runs these statements one after the other.
    fn session(&self, statements: &[&str]) -> JoinHandle<Output> {
        let mut command = psql_command(self.first.port, &self.bed.ca());
        for statement in statements {
            command.args(["-c", statement]);
        }
        tokio::task::spawn_blocking(move || command.output().unwrap())
    }

    async fn run(&self, statements: &[&str]) -> String {
        stdout(&self.session(statements).await.unwrap())
    }

    async fn waiter(&self) -> Pid {
        let admin = self.primary.admin().await.unwrap();
        let since = Instant::now();
        loop {
            if let Some(pid) = sync_waiters(&admin).await.unwrap().first() {
                return Pid::from_raw(*pid);
            }
            assert!(since.elapsed() < READY, "nobody waits for the standby");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// The backend that sleeps in a statement.
    async fn sleeper(&self) -> Pid {
        let admin = self.primary.admin().await.unwrap();
        let since = Instant::now();
        loop {
            let query = "SELECT pid FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
            if let Some(row) = admin.query(query, &[]).await.unwrap().first() {
                return Pid::from_raw(row.get(0));
            }
            assert!(since.elapsed() < READY, "nobody sleeps");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn cancel_as_administrator(&self, pid: Pid) {
        let admin = self.primary.admin().await.unwrap();
        let query = "SELECT pg_cancel_backend($1)";
        let row = admin.query_one(query, &[&pid.as_raw()]).await.unwrap();
        assert!(row.get::<_, bool>(0));
    }

    /// Runs the statements on a frozen standby, cancels them when they wait in every way there is,
    /// sees them wait on, and thaws the standby. Returns what the client heard.
    async fn cancelled_while_waiting(&self, statements: &[&str]) -> Output {
        self.second.signal_all(Signal::SIGSTOP);
        let session = self.session(statements);
        let pid = self.waiter().await;
        for _ in 0..3 {
            kill(pid, Signal::SIGINT).unwrap();
            self.cancel_as_administrator(pid).await;
        }
        tokio::time::sleep(WATCHED).await;
        assert!(!session.is_finished(), "{statements:?} returned too early");
        assert_eq!(self.waiter().await, pid);
        self.second.signal_all(Signal::SIGCONT);
        let output = session.await.unwrap();
        assert!(!heard(&output).contains(BETRAYAL), "{output:?}");
        output
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        self.second.signal_all(Signal::SIGCONT);
    }
}

fn heard(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_commit_is_acknowledged_when_the_standby_has_it() {
    let pair = Pair::new(Bed::new()).await;
    assert!(pair.primary.guards_commits());

    let plain = ["INSERT INTO t VALUES (1)", "SELECT 'the next statement'"];
    let output = pair.cancelled_while_waiting(&plain).await;
    // The cancel came too late for its statement, and is not kept for the next one.
    assert_eq!(stdout(&output), "INSERT 0 1\nthe next statement");

    let block = ["BEGIN", "SAVEPOINT s", "INSERT INTO t VALUES (2)", "COMMIT"];
    let output = pair.cancelled_while_waiting(&block).await;
    assert!(stdout(&output).ends_with("COMMIT"));

    let prepare = [
        "BEGIN",
        "INSERT INTO t VALUES (3)",
        "PREPARE TRANSACTION 'p'",
    ];
    let output = pair.cancelled_while_waiting(&prepare).await;
    assert!(stdout(&output).ends_with("PREPARE TRANSACTION"));
    let finish = ["/* why /* not */ */ -- so\n ;Commit  /**/ prepared 'p'"];
    let output = pair.cancelled_while_waiting(&finish).await;
    assert_eq!(stdout(&output), "COMMIT PREPARED");

    // One that timed out in the wait goes on to tell so, after the standby has the commit.
    pair.run(&["CREATE PROCEDURE twice() LANGUAGE plpgsql AS
        $$ BEGIN INSERT INTO t VALUES (4); COMMIT; INSERT INTO t VALUES (5); END $$"])
        .await;
    let timed_out = ["SET statement_timeout = '100ms'", "CALL twice()"];
    let output = pair.cancelled_while_waiting(&timed_out).await;
    assert!(heard(&output).contains("canceling statement"), "{output:?}");
    let rows = "SELECT string_agg(id::text, ',' ORDER BY id) FROM t";
    assert_eq!(pair.run(&[rows]).await, "1,2,3,4");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_in_a_commit_is_cancelled_and_terminated_as_ever() {
    let pair = Pair::new(Bed::new()).await;
    let asleep = "INSERT INTO t VALUES (1); SELECT pg_sleep(60)";
    let session = pair.session(&[asleep]);
    kill(pair.sleeper().await, Signal::SIGINT).unwrap();
    let output = session.await.unwrap();
    assert!(heard(&output).contains("due to user request"), "{output:?}");

    // A failed commit lets go of the signal: the same session can be cancelled afterwards.
    pair.run(&["CREATE TABLE c (id int UNIQUE DEFERRABLE INITIALLY DEFERRED)"])
        .await;
    let mut command = psql_command(pair.first.port, &pair.bed.ca());
    command.args([
        "-v",
        "ON_ERROR_STOP=0",
        "-c",
        "INSERT INTO c VALUES (1), (1)",
    ]);
    command.args([
        "-c",
        "INSERT INTO t VALUES (2)",
        "-c",
        "SELECT pg_sleep(60)",
    ]);
    let session = tokio::task::spawn_blocking(move || command.output().unwrap());
    pair.cancel_as_administrator(pair.sleeper().await).await;
    let output = session.await.unwrap();
    assert!(heard(&output).contains("due to user request"), "{output:?}");

    pair.second.signal_all(Signal::SIGSTOP);
    // What writes nothing waits for nobody.
    assert_eq!(
        pair.run(&["BEGIN", "SELECT 7", "COMMIT"]).await,
        "BEGIN\n7\nCOMMIT"
    );
    let session = pair.session(&["INSERT INTO t VALUES (3)"]);
    kill(pair.waiter().await, Signal::SIGTERM).unwrap();
    let output = session.await.unwrap();
    assert!(
        !output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_cancel_of_a_storm_meets_a_commit() {
    const INSERTS: &str = "SELECT format('INSERT INTO t VALUES (%s)', i) \
                           FROM generate_series(1, 1500) i \\gexec\n";
    let pair = Pair::new(Bed::new()).await;
    let mut command = psql_command(pair.first.port, &pair.bed.ca());
    let script = pair.first.paths.root().join("storm.sql");
    std::fs::write(&script, INSERTS).unwrap();
    command
        .args(["-v", "ON_ERROR_STOP=0"])
        .arg("-f")
        .arg(script);
    let session = tokio::task::spawn_blocking(move || command.output().unwrap());
    let pid = pair.waiter().await;
    eventually("the storm passes", READY, || {
        // The last one may find the backend gone.
        let _ = kill(pid, Signal::SIGINT);
        session.is_finished()
    })
    .await;
    let output = session.await.unwrap();
    assert!(!heard(&output).contains(BETRAYAL), "{output:?}");
    let acknowledged = stdout(&output).matches("INSERT 0 1").count();
    let met = heard(&output).matches("due to user request").count();
    println!("{acknowledged} commits, {met} cancelled");
    let there = pair.run(&["SELECT count(*) FROM t"]).await;
    assert_eq!(there, acknowledged.to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_cannot_build_the_module_serves_without_it() {
    let mut bed = Bed::new();
    bed.host.modules = bed.ca().join("not-a-folder");
    let pair = Pair::new(bed).await;
    assert!(!pair.primary.guards_commits());
    pair.second.signal_all(Signal::SIGSTOP);
    let session = pair.session(&["INSERT INTO t VALUES (1)"]);
    pair.cancel_as_administrator(pair.waiter().await).await;
    // This is what the module is for.
    assert!(heard(&session.await.unwrap()).contains(BETRAYAL));
}
