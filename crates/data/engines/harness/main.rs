//! The program that this crate's tests run as guard, and as a node that can be killed.

use std::collections::BTreeMap;
use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use quorate_engines::guard::GuardProgram;
use quorate_engines::postgres::{MemberPaths, PostgresConfig, PostgresHost, PostgresServer};
use quorate_engines::{Deadline, EngineAccount, Limits, find_postgres};

/// The pause between two renewals of a node's lease.
const RENEWAL: Duration = Duration::from_millis(100);
const READY_WITHIN: Duration = Duration::from_secs(30);

fn main() -> ExitCode {
    let mut args = env::args_os().skip(1);
    match args.next().as_deref().and_then(|mode| mode.to_str()) {
        Some("guard") => quorate_engines::guard::main(args),
        Some("node") => match node(args.collect()) {
            Ok(()) => ExitCode::SUCCESS,
            Err(why) => {
                eprintln!("harness node: {why}");
                ExitCode::FAILURE
            }
        },
        _ => ExitCode::FAILURE,
    }
}

/// `node ROOT PORT LEASE_MS`: serves the member at ROOT with a lease that it renews for as long as
/// it runs; says `ready` when the server is.
#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn node(args: Vec<OsString>) -> Result<(), Box<dyn std::error::Error>> {
    let text = |at: usize| {
        args.get(at)
            .and_then(|arg| arg.to_str())
            .unwrap_or_default()
    };
    let root = PathBuf::from(text(0));
    let port: u16 = text(1).parse()?;
    let lease = Duration::from_millis(text(2).parse()?);
    let account = EngineAccount::resolve(None)?;
    let paths = MemberPaths::new(Path::new(&root), &account)?;
    let host = PostgresHost {
        install: find_postgres(&[])?.remove(0),
        account,
        guard: GuardProgram::own(),
        modules: root.with_file_name("modules"),
    };
    let config = PostgresConfig {
        listen: ([127, 0, 0, 1], port).into(),
        cluster_name: String::from("harness"),
        parameters: BTreeMap::new(),
        tls: paths.server_tls(),
        force_ssl: false,
        upstream: None,
        synchronous_standby: None,
        full_page_writes: true,
        waits_for_upstream: false,
    };
    let server = PostgresServer::new(host, paths, Limits::default());
    let first = Deadline::after(lease + READY_WITHIN);
    let running = server.start(config, Some(first), READY_WITHIN).await?;
    running.set_lease(Some(Deadline::after(lease)));
    tokio::fs::write(root.join("ready"), "").await?;
    loop {
        tokio::time::sleep(RENEWAL).await;
        running.set_lease(Some(Deadline::after(lease)));
    }
}
