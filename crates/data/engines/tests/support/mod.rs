//! What the tests on real servers share: folders, certificates, ports, processes.
#![allow(dead_code, unreachable_pub)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use quorate_engines::guard::GuardProgram;
use quorate_engines::postgres::{
    Bootstrap, MemberPaths, PostgresConfig, PostgresHost, PostgresServer, PostgresTools,
    RunningPostgres, TlsPem, Upstream, bootstrap, create_slot,
};
use quorate_engines::{EngineAccount, Limits, PostgresInstall, find_postgres};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
};
use tempfile::TempDir;

pub const READY: Duration = Duration::from_secs(60);
pub const MASTER: &str = "app";
pub const PASSWORD: &str = "secret";
/// The verifier of [`PASSWORD`].
pub const VERIFIER: &str = "SCRAM-SHA-256$4096:MDEyMzQ1Njc4OWFiY2RlZg==$bpSY5Ze9NUH+I35LC3gVq+DpBfK46iXBxvhAKqVu9pE=:VpYlBuxyzeCI1KnctrefdljpB1mk3Gp7sBI/t11+NkQ=";
pub const DATABASE: &str = "orders";

/// A folder for members that the engine account can reach, and an authority.
pub struct Bed {
    folder: TempDir,
    pub host: PostgresHost,
    authority: CertifiedIssuer<'static, KeyPair>,
}

/// One member in a bed.
pub struct Member {
    pub paths: MemberPaths,
    pub port: u16,
    pub server: PostgresServer,
    pub tools: PostgresTools,
    name: String,
}

pub fn harness() -> &'static str {
    env!("CARGO_BIN_EXE_quorate-engines-harness")
}

pub fn install() -> PostgresInstall {
    match find_postgres(&[]) {
        Ok(mut found) => found.remove(0),
        Err(error) => panic!("these tests need a real PostgreSQL: {error}"),
    }
}

impl Bed {
    pub fn new() -> Bed {
        let folder = tempfile::Builder::new()
            .prefix("quorate-engines-")
            .tempdir_in("/tmp")
            .unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params
            .distinguished_name
            .push(DnType::CommonName, "test authority");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        Bed {
            host: PostgresHost {
                install: install(),
                account: EngineAccount::resolve(None).unwrap(),
                guard: GuardProgram::new(harness(), ["guard".into()]),
                modules: folder.path().join("modules"),
            },
            folder,
            authority,
        }
    }

    pub fn root(&self) -> &Path {
        self.folder.path()
    }

    pub fn ca(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    pub fn certificate(&self, common_name: &str) -> TlsPem {
        let names = vec![String::from("127.0.0.1"), String::from("localhost")];
        let mut params = CertificateParams::new(names).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        TlsPem {
            cert: params.signed_by(&key, &self.authority).unwrap().pem(),
            key: key.serialize_pem(),
            ca: self.authority.pem(),
        }
    }

    /// A member's folder with certificates and no data.
    pub fn member(&self, name: &str) -> Member {
        let account = &self.host.account;
        let paths = MemberPaths::new(&self.folder.path().join(name), account).unwrap();
        paths.prepare(account).unwrap();
        paths
            .write_server_tls(account, &self.certificate("orders"))
            .unwrap();
        paths
            .write_client_tls(account, &self.certificate("rdsrepladmin"))
            .unwrap();
        Member {
            port: free_port(),
            server: PostgresServer::new(self.host.clone(), paths.clone(), Limits::default()),
            tools: PostgresTools::new(self.host.clone(), paths.clone()),
            paths,
            name: name.to_owned(),
        }
    }

    /// A running primary with the master user and its database.
    pub async fn primary(&self, name: &str) -> (Member, RunningPostgres) {
        let member = self.member(name);
        member.tools.initdb().await.unwrap();
        let running = member
            .server
            .start(member.config(), None, READY)
            .await
            .unwrap();
        bootstrap(&running, &self.wanted()).await.unwrap();
        (member, running)
    }

    /// A running copy of `of` that follows it through a slot; nobody waits for it yet.
    pub async fn standby(
        &self,
        of: &Member,
        primary: &RunningPostgres,
        name: &str,
    ) -> (Member, RunningPostgres) {
        let member = self.member(name);
        create_slot(&primary.admin().await.unwrap(), name)
            .await
            .unwrap();
        member
            .tools
            .base_backup(&member.upstream(of))
            .await
            .unwrap();
        let running = member
            .server
            .start(member.following(of), None, READY)
            .await
            .unwrap();
        (member, running)
    }

    pub fn wanted(&self) -> Bootstrap {
        Bootstrap {
            version: self.host.install.version(),
            master_user: MASTER.to_owned(),
            master_verifier: VERIFIER.to_owned(),
            database: Some(DATABASE.to_owned()),
            in_each_database: "",
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.paths.socket());
    }
}

impl Member {
    pub fn config(&self) -> PostgresConfig {
        PostgresConfig {
            listen: ([127, 0, 0, 1], self.port).into(),
            cluster_name: self.name.clone(),
            parameters: [
                ("max_connections", "40"),
                ("max_prepared_transactions", "5"),
            ]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
            tls: self.paths.server_tls(),
            force_ssl: true,
            upstream: None,
            synchronous_standby: None,
            full_page_writes: true,
            waits_for_upstream: false,
        }
    }

    /// Sends a signal to every process of the server, to freeze and thaw it.
    pub fn signal_all(&self, signal: nix::sys::signal::Signal) {
        for pid in processes_in(&self.paths.data()) {
            let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), signal);
        }
    }

    /// How this member reaches `source`.
    pub fn upstream(&self, source: &Member) -> Upstream {
        Upstream {
            host: String::from("127.0.0.1"),
            port: source.port,
            server_name: Some(String::from("localhost")),
            slot: Some(self.name.clone()),
            application_name: self.name.clone(),
            tls: self.paths.client_tls(),
            connect_timeout: Duration::from_secs(3),
        }
    }

    pub fn following(&self, source: &Member) -> PostgresConfig {
        PostgresConfig {
            upstream: Some(self.upstream(source)),
            ..self.config()
        }
    }

    /// psql as the master user, over TLS.
    pub fn psql(&self, ca: &Path, sql: &str) -> Output {
        psql(self.port, ca, sql)
    }
}

/// psql as the master user, over TLS.
pub fn psql(port: u16, ca: &Path, sql: &str) -> Output {
    psql_command(port, ca).args(["-c", sql]).output().unwrap()
}

/// psql as the master user, over TLS, with nothing to do yet.
pub fn psql_command(port: u16, ca: &Path) -> Command {
    let url = format!(
        "host=localhost hostaddr=127.0.0.1 port={port} user={MASTER} dbname={DATABASE} \
         sslmode=verify-full sslrootcert={}",
        ca.display()
    );
    let mut command = Command::new(install().program("psql"));
    command
        .args(["-X", "-At", "-v", "ON_ERROR_STOP=1", "-d", &url])
        .env("PGPASSWORD", PASSWORD);
    command
}

pub fn stdout(output: &Output) -> String {
    assert!(
        output.status.success(),
        "psql failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Every process whose working folder is `data`.
pub fn processes_in(data: &Path) -> Vec<i32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let workdir = fs::read_link(entry.path().join("cwd")).ok()?;
            (workdir == data).then_some(pid)
        })
        .collect()
}

/// Waits until the condition holds; fails the test after `within`. Returns how long it took.
pub async fn eventually(what: &str, within: Duration, mut holds: impl FnMut() -> bool) -> Duration {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < within, "{what}: not within {within:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    since.elapsed()
}
