//! PostgreSQL in a folder, run as another user than root.
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const BIN: &str = "/usr/lib/postgresql/15/bin";
/// `nobody`: PostgreSQL will not run as root.
pub(crate) const USER: u32 = 65_534;

pub(crate) fn is_installed() -> bool {
    let found = Path::new(BIN).join("postgres").exists() && nix::unistd::geteuid().is_root();
    if !found {
        println!("left out: needs root and PostgreSQL in {BIN}");
    }
    found
}

/// A command of PostgreSQL, as the user that runs it.
pub(crate) fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
    command.args(user).arg("--clear-groups");
    command.arg(Path::new(BIN).join(program));
    command
        .env("LC_ALL", "C")
        .env("HOME", "/tmp")
        .env("PGUSER", "postgres");
    command.current_dir("/");
    command
}

pub(crate) fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    output
}

pub(crate) fn init(data: &Path) {
    let mut init = command("initdb");
    init.arg("-D")
        .arg(data)
        .args(["-U", "postgres", "-A", "trust", "--data-checksums"]);
    run(&mut init);
}

pub(crate) struct Engine {
    process: Child,
    port: u16,
    pub(crate) log: PathBuf,
}

impl Engine {
    /// Starts it and waits until it answers.
    pub(crate) fn start(data: &Path, logs: &Path, settings: &[&str]) -> Engine {
        let port = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        let log = logs.join(format!("postgres-{port}.log"));
        let mut postgres = command("postgres");
        postgres.arg("-D").arg(data).arg("-p").arg(port.to_string());
        for setting in settings.iter().chain(&["unix_socket_directories="]) {
            postgres.arg("-c").arg(setting);
        }
        let output = std::fs::File::create(&log).unwrap();
        postgres
            .stderr(output)
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        let process = postgres.spawn().unwrap();
        let mut engine = Engine { process, port, log };
        let deadline = Instant::now() + Duration::from_secs(120);
        while !engine.answers() {
            let ended = engine.process.try_wait().unwrap();
            let log = || std::fs::read_to_string(&engine.log).unwrap();
            assert!(ended.is_none(), "PostgreSQL ended: {}", log());
            assert!(
                Instant::now() < deadline,
                "PostgreSQL does not start: {}",
                log()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine
    }

    fn answers(&self) -> bool {
        TcpStream::connect(("127.0.0.1", self.port)).is_ok() && {
            let output = self.client("psql").args(["-c", "select 1"]).output();
            output.unwrap().status.success()
        }
    }

    pub(crate) fn client(&self, program: &str) -> Command {
        let mut client = command(program);
        client
            .env("PGHOST", "127.0.0.1")
            .env("PGPORT", self.port.to_string());
        client.env("PGDATABASE", "postgres");
        client
    }

    pub(crate) fn sql(&self, sql: &str) -> String {
        let mut psql = self.client("psql");
        psql.args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql]);
        String::from_utf8(run(&mut psql).stdout)
            .unwrap()
            .trim()
            .to_owned()
    }

    /// Stops it in an orderly way.
    pub(crate) fn stop(mut self) {
        self.signal(nix::sys::signal::Signal::SIGINT);
        self.process.wait().unwrap();
    }

    /// Kills it as a crash would, and waits until all its processes are gone.
    pub(crate) fn kill(mut self) {
        self.signal(nix::sys::signal::Signal::SIGQUIT);
        self.process.wait().unwrap();
    }

    fn signal(&self, signal: nix::sys::signal::Signal) {
        let pid = nix::unistd::Pid::from_raw(self.process.id().cast_signed());
        nix::sys::signal::kill(pid, signal).unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Ok(None) = self.process.try_wait() {
            self.signal(nix::sys::signal::Signal::SIGQUIT);
            // Ends with the signal; a test that failed has said what it had to say.
            let _ = self.process.wait();
        }
    }
}
