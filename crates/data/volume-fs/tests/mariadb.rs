//! MariaDB on a mounted file system, and after crashes of it, with pages written once: no crash may leave half of one.
//!
//! `QUORATE_VOLUME_FS_ROUNDS` says how many crashes are tried (2 when it is absent), `QUORATE_VOLUME_FS_SECONDS` for how long each of them is
//! written to (2).

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod mounting;

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mounting::{Place, can_mount};
use quorate_volume_fs::testing::MemoryPages;
use rand::Rng;

const SERVER: &str = "/usr/sbin/mariadbd";
/// `nobody`: MariaDB will not run as root.
const USER: u32 = 65_534;
/// As large as InnoDB's.
const PAGE_BYTES: usize = 16_384;
const WRITERS: usize = 6;

/// Accounts among which money moves, and a note of each move. Little memory, so that pages are written all the time.
const SCHEMA: &str = "
    create table accounts (id int primary key, balance bigint not null, pad varchar(400) not null, key (balance));
    create table moves (id bigint auto_increment primary key, amount int not null, note varchar(300) not null, key (note));
    insert into accounts select seq, 1000, repeat('x', 400) from seq_1_to_20000;
    delimiter //
    create procedure work(seconds int)
    begin
        declare ends datetime(6) default sysdate(6) + interval seconds second;
        declare what, payer, payee int;
        while sysdate(6) < ends do
            -- In a condition rand() would be another number for each row.
            set what = floor(rand() * 100), payer = 1 + floor(rand() * 10000), payee = 10001 + floor(rand() * 10000);
            start transaction;
            update accounts set balance = balance - what where id = payer;
            update accounts set balance = balance + what where id = payee;
            insert into moves (amount, note) values (what, repeat(uuid(), 5));
            commit;
        end while;
    end //
";

fn number(name: &str, otherwise: u64) -> u64 {
    let given = std::env::var(name);
    given.map_or(otherwise, |given| given.parse().expect("a number"))
}

fn is_installed() -> bool {
    let found = Path::new(SERVER).exists() && nix::unistd::geteuid().is_root();
    if !found {
        println!("left out: needs root and {SERVER}");
    }
    found
}

fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    let user = [format!("--reuid={USER}"), format!("--regid={USER}")];
    command.args(user).arg("--clear-groups").arg(program);
    command.env("LC_ALL", "C").env("HOME", "/nonexistent");
    command.current_dir("/");
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {text}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn private_folder(path: PathBuf) -> PathBuf {
    if !path.exists() {
        fs::create_dir(&path).unwrap();
        chown(&path, Some(USER), Some(USER)).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
    }
    path
}

struct Engine {
    process: Child,
    socket: PathBuf,
}

impl Engine {
    fn start(place: &Place) -> Engine {
        let own = private_folder(place.folder().join("own"));
        let socket = own.join("socket");
        let log = own.join("log");
        let mut server = command(SERVER);
        let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
        server
            .arg("--no-defaults")
            .arg(option("datadir", &place.path().join("data")))
            .arg(option("socket", &socket))
            .arg(option("tmpdir", &own))
            .args([
                "--skip-networking",
                "--log-bin=binlog",
                "--sync-binlog=1",
                "--server-id=1",
            ])
            .args([
                "--innodb-flush-log-at-trx-commit=1",
                "--innodb-doublewrite=OFF",
            ])
            .args([
                "--innodb-buffer-pool-size=6M",
                "--innodb-log-file-size=8M",
                "--innodb-max-dirty-pages-pct-lwm=1",
            ]);
        let output = fs::File::create(&log).unwrap();
        server
            .stderr(output)
            .stdout(Stdio::null())
            .stdin(Stdio::null());
        let process = server.spawn().unwrap();
        let mut engine = Engine { process, socket };
        let deadline = Instant::now() + Duration::from_secs(120);
        let told = || fs::read_to_string(&log).unwrap();
        while !engine
            .client()
            .args(["-e", "select 1"])
            .output()
            .unwrap()
            .status
            .success()
        {
            assert!(
                engine.process.try_wait().unwrap().is_none(),
                "MariaDB ended: {}",
                told()
            );
            assert!(
                Instant::now() < deadline,
                "MariaDB does not start: {}",
                told()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        engine
    }

    fn client(&self) -> Command {
        let mut client = command("mariadb");
        client.args(["--no-defaults", "-N", "-u", "root", "--database", "test"]);
        client.arg(format!("--socket={}", self.socket.display()));
        client
    }

    fn sql(&self, sql: &str) -> String {
        run(self.client().args(["-e", sql]))
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // It has ended already, unless a test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn install(place: &Place) {
    fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
    let data = private_folder(place.path().join("data"));
    run(command("mariadb-install-db")
        .arg("--no-defaults")
        .arg(format!("--datadir={}", data.display()))
        .args([
            "--auth-root-authentication-method=normal",
            "--skip-name-resolve",
        ])
        .arg("--innodb-log-file-size=8M"));
}

/// Every table is whole. Right after a crash, on any file system, `CHECK TABLE` warns of records of an index that are marked as deleted and not
/// purged yet: it is asked until there are none.
fn check(engine: &Engine) {
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let told = engine.sql(
            "check table accounts, moves extended; check table mysql.global_priv, mysql.proc extended",
        );
        if told.lines().all(|line| line.ends_with("\tstatus\tOK")) {
            break;
        }
        let unpurged = |line: &str| line.contains("\tWarning\t") && line.contains("info_bits=32");
        let sound = |line: &str| line.ends_with("\tstatus\tOK") || unpurged(line);
        assert!(
            told.lines().all(sound) && Instant::now() < deadline,
            "{told}"
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    let total = engine.sql("select sum(balance) = 20000 * 1000 from accounts");
    assert_eq!(total, "1", "money is neither made nor lost");
}

#[test]
fn it_recovers_from_crashes_without_a_second_copy_of_pages() {
    if !can_mount() || !is_installed() {
        return;
    }
    let seconds = number("QUORATE_VOLUME_FS_SECONDS", 2);
    let mut place = Place::new(MemoryPages::new(PAGE_BYTES, 1 << 20));
    install(&place);
    let engine = Engine::start(&place);
    engine.sql(SCHEMA);
    engine.kill();
    for round in 0..number("QUORATE_VOLUME_FS_ROUNDS", 2) {
        let engine = Engine::start(&place);
        let count = |engine: &Engine| {
            engine
                .sql("select count(*) from moves")
                .parse::<u64>()
                .unwrap()
        };
        let acknowledged = count(&engine);
        place.file_system().sync_all().unwrap();
        // A crash at any moment from here on.
        let synced = place.pages.synced();
        let work = format!("call work({seconds})");
        let writers: Vec<Child> = (0..WRITERS)
            .map(|_| engine.client().args(["-e", &work]).spawn().unwrap())
            .collect();
        for mut writer in writers {
            assert!(writer.wait().unwrap().success());
        }
        engine.kill();
        let points = place.pages.crash_points(synced);
        let at = points[rand::rng().random_range(0..points.len())];
        println!(
            "round {round}: {at} of {} units, {acknowledged} moves before",
            place.pages.units()
        );
        let left = place.pages.after(at);
        place.unmount();
        place = Place::new(left);
        fs::set_permissions(place.folder(), fs::Permissions::from_mode(0o755)).unwrap();
        let engine = Engine::start(&place);
        check(&engine);
        assert!(count(&engine) >= acknowledged);
        engine.kill();
    }
}
