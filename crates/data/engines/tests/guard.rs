//! No engine outlives the right to run: its node, its lease, its first process.

#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use support::{Bed, Member, READY, eventually, harness, processes_in};

use quorate_engines::Deadline;
use quorate_engines::postgres::ExitKind;

/// A backend that does not look up for a long time.
const BUSY: &str = "SELECT count(*) FROM pg_proc a, pg_proc b, pg_proc c";
const GONE_WITHIN: Duration = Duration::from_secs(5);

/// A node in a process of its own that serves a member; killed at the end of the test in any case.
struct Node(Child);

impl Node {
    async fn start(member: &Member, lease_ms: u64) -> Node {
        let _ = fs::remove_file(member.paths.root().join("ready"));
        let child = Command::new(harness())
            .arg("node")
            .arg(member.paths.root())
            .arg(member.port.to_string())
            .arg(lease_ms.to_string())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let ready = member.paths.root().join("ready");
        eventually("the node serves", READY, || ready.exists()).await;
        Node(child)
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.0.id()).unwrap()), signal).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A client whose backend is busy; ends with its server.
async fn busy_client(bed: &Bed, member: &Member) -> Child {
    let child = Command::new(bed.host.install.program("psql"))
        .args(["-X", "-h"])
        .arg(member.paths.socket())
        .args([
            "-p",
            &member.port.to_string(),
            "-U",
            "rdsadmin",
            "-d",
            "postgres",
            "-c",
            BUSY,
        ])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let data = member.paths.data();
    let works = |pid: i32| {
        let title = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&title).contains("[local] SELECT")
    };
    eventually("the busy backend runs", READY, || {
        processes_in(&data).into_iter().any(works)
    })
    .await;
    child
}

async fn all_gone(member: &Member, what: &str) -> Duration {
    let data = member.paths.data();
    eventually(what, GONE_WITHIN, || processes_in(&data).is_empty()).await
}

async fn made(bed: &Bed) -> Member {
    let member = bed.member("m1");
    member.tools.initdb().await.unwrap();
    member
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_dies_with_a_node_that_is_killed_and_a_new_node_starts_at_once() {
    let bed = Bed::new();
    let member = made(&bed).await;
    let node = Node::start(&member, 60_000).await;
    let mut client = busy_client(&bed, &member).await;
    node.signal(Signal::SIGKILL);
    let took = all_gone(&member, "the engine dies with its node").await;
    println!("gone after {took:?}");
    client.wait().unwrap();
    drop(node);
    let node = Node::start(&member, 60_000).await;
    drop(node);
    all_gone(&member, "the second engine dies with its node").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_cannot_leave_its_engine_serving_past_the_lease() {
    const LEASE: Duration = Duration::from_millis(1500);
    let bed = Bed::new();
    let member = made(&bed).await;
    let node = Node::start(&member, 1500).await;
    let mut client = busy_client(&bed, &member).await;
    // Renewals keep it alive for longer than one lease.
    tokio::time::sleep(LEASE * 2).await;
    assert!(!processes_in(&member.paths.data()).is_empty());
    node.signal(Signal::SIGSTOP);
    let took = all_gone(&member, "the engine dies at the lease's end").await;
    assert!(took <= LEASE + Duration::from_millis(500), "{took:?}");
    client.wait().unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_postmaster_takes_its_busy_backends_along_and_can_be_started_again() {
    let bed = Bed::new();
    let member = made(&bed).await;
    let running = member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
    let mut client = busy_client(&bed, &member).await;
    let postmaster = i32::try_from(running.pid().unwrap()).unwrap();
    kill(Pid::from_raw(postmaster), Signal::SIGKILL).unwrap();
    match running.exited().await {
        ExitKind::Crashed(detail) => assert!(detail.starts_with("signal 9"), "{detail}"),
        other => panic!("expected a crash, got {other:?}"),
    }
    assert!(processes_in(&member.paths.data()).is_empty());
    client.wait().unwrap();
    drop(running);
    member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_the_pipe_or_letting_the_lease_lapse_kills_the_engine() {
    let bed = Bed::new();
    let member = made(&bed).await;
    let running = member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
    let mut client = busy_client(&bed, &member).await;
    drop(running);
    all_gone(&member, "the engine dies with its pipe").await;
    client.wait().unwrap();

    let running = member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
    assert!(running.set_lease(Some(Deadline::after(Duration::from_millis(300)))));
    assert!(running.set_lease(None));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(running.exit(), None);
    assert!(running.set_lease(Some(Deadline::after(Duration::from_millis(200)))));
    assert_eq!(running.exited().await, ExitKind::LeaseLapsed);
    assert!(processes_in(&member.paths.data()).is_empty());
    assert!(!running.set_lease(None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_guard_leaves_is_swept_away() {
    let bed = Bed::new();
    let member = made(&bed).await;
    let running = member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
    let mut client = busy_client(&bed, &member).await;
    let postmaster = running.pid().unwrap();
    let stat = fs::read_to_string(format!("/proc/{postmaster}/stat")).unwrap();
    let guard = stat
        .rsplit(") ")
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    kill(Pid::from_raw(guard), Signal::SIGKILL).unwrap();
    assert!(matches!(running.exited().await, ExitKind::Crashed(_)));
    assert!(processes_in(&member.paths.data()).is_empty());
    client.wait().unwrap();
    member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminals_signals_do_not_reach_the_engine() {
    let bed = Bed::new();
    let member = made(&bed).await;
    let running = member
        .server
        .start(member.config(), None, READY)
        .await
        .unwrap();
    let postmaster = running.pid().unwrap();
    let stat = fs::read_to_string(format!("/proc/{postmaster}/stat")).unwrap();
    let mut fields = stat.rsplit(") ").next().unwrap().split(' ').skip(1);
    let guard: i32 = fields.next().unwrap().parse().unwrap();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        kill(Pid::from_raw(guard), signal).unwrap();
    }
    // In a session of its own, so Ctrl-C is not even sent.
    let session: i32 = nix::unistd::getsid(Some(Pid::from_raw(guard)))
        .unwrap()
        .as_raw();
    assert_eq!(session, guard);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(running.exit(), None);
    running.kill().await;
}
