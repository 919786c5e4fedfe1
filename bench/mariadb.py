"""A cluster's MariaDB beside a stock pair with semi-synchronous replication: sysbench's oltp_read_write, in turns.

The pair is two bare `mariadbd` of this machine on plain folders, as an administrator would set them up so that no
acknowledged transaction is lost with one of them. It is reached directly on loopback: no relay, no TLS. The cluster is
reached through its endpoint, as its users reach it; TLS is left out for both, which sysbench can do without.
"""

import os
import pwd
import re
import shutil
import signal
import statistics
import subprocess
import time
from pathlib import Path

import pymysql

from region import free_port

CLIENTS = (1, 8, 32)
TABLES, ROWS = 4, 25_000
START_S = 60
NAME, USER, PASSWORD, DATABASE = "sbench", "bench", "bench-secret-1", "shop"
ACCOUNT = "mysql"
# What acknowledges nothing before it is on two disks; the rest is what the cluster's writer has.
SETTINGS = """
[mariadbd]
skip_name_resolve = ON
log_bin = binlog
binlog_format = ROW
sync_binlog = 1
innodb_flush_log_at_trx_commit = 1
innodb_buffer_pool_size = 134217728
character_set_server = utf8mb4
gtid_strict_mode = ON
rpl_semi_sync_master_wait_point = AFTER_SYNC
rpl_semi_sync_master_timeout = 3600000
rpl_semi_sync_slave_enabled = ON
"""


class SemiSynchronousPair:
    """Started on entry, stopped and removed on exit."""

    def __init__(self, folder):
        self.folder = folder
        self.ports = {"primary": free_port(), "replica": free_port()}
        self.servers = {}

    def __enter__(self):
        self.folder.mkdir()
        self.give(self.folder)
        try:
            for number, name in enumerate(("primary", "replica"), start=1):
                self.start(name, number)
            self.ask("primary", f"create user {USER}@'127.0.0.1' identified by '{PASSWORD}'")
            self.ask("primary", f"grant all on *.* to {USER}@'127.0.0.1'")
            source = f"master_host='127.0.0.1', master_port={self.ports['primary']}, master_user='{USER}'"
            self.ask("replica", f"change master to {source}, master_password='{PASSWORD}', master_use_gtid=slave_pos")
            self.ask("replica", "start slave")
            # From the beginning the primary would wait for a replica that does not know it yet.
            self.ask("primary", "set global rpl_semi_sync_master_enabled = ON")
            self.await_sync()
            self.ask("primary", f"create database {DATABASE}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for server in self.servers.values():
            server.send_signal(signal.SIGTERM)
        for server in self.servers.values():
            server.wait(START_S)
        shutil.rmtree(self.folder)

    def start(self, name, number):
        data, conf = self.folder / name, self.folder / f"{name}.cnf"
        own = f"datadir = {data}\nsocket = {self.folder}/{name}.sock\nport = {self.ports[name]}\nserver_id = {number}\n"
        conf.write_text(f"{SETTINGS}bind_address = 127.0.0.1\npid_file = {data}/pid\n{own}")
        options = [f"--defaults-file={conf}", *([f"--user={ACCOUNT}"] if os.getuid() == 0 else [])]
        install = ["mariadb-install-db", *options, "--skip-test-db", "--auth-root-authentication-method=normal"]
        made = subprocess.run(install, capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise SystemExit(f"mariadb-install-db failed:\n{made.stdout}{made.stderr}")
        with (self.folder / f"{name}.log").open("w") as log:
            program = shutil.which("mariadbd") or "/usr/sbin/mariadbd"
            self.servers[name] = subprocess.Popen([program, *options], stdout=log, stderr=subprocess.STDOUT)
        self.until(lambda: self.ask(name, "select 1"), f"the {name} answers")

    def ask(self, name, query):
        socket = f"{self.folder}/{name}.sock"
        with pymysql.connect(unix_socket=socket, user="root", autocommit=True) as connection:
            with connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()

    def status(self, name):
        rows = self.ask("primary", f"show global status like '{name}'")
        return rows[0][1] if rows else None

    def await_sync(self):
        """Until the primary waits for its replica."""
        is_in_sync = lambda: self.status("Rpl_semi_sync_master_clients") == "1"  # noqa: E731
        self.until(is_in_sync, "the replica follows")

    def check(self):
        """Nothing was acknowledged that one of them alone had."""
        assert self.status("Rpl_semi_sync_master_status") == "ON", "the pair has ceased to wait"
        assert self.status("Rpl_semi_sync_master_no_tx") == self.before, "the pair did not always wait"

    def measured_from_here(self):
        self.before = self.status("Rpl_semi_sync_master_no_tx")

    def until(self, holds, what):
        began = time.monotonic()
        while True:
            try:
                if holds():
                    return
            except pymysql.Error as error:
                last = error
            else:
                last = None
            if time.monotonic() - began > START_S:
                raise SystemExit(f"not in time: {what} ({last})")
            time.sleep(0.1)

    def target(self):
        return {"host": "127.0.0.1", "port": self.ports["primary"], "user": USER, "password": PASSWORD}

    def give(self, path):
        if os.getuid() == 0:
            path.chmod(0o755)
            shutil.chown(path, ACCOUNT, pwd.getpwnam(ACCOUNT).pw_gid)


def mariadb(args, region, folder):
    """The table for docs/benchmarks.md."""
    from harness.mysql import MysqlClusters

    if shutil.which("sysbench") is None:
        print("\nMariaDB is left out: `sysbench` is missing (Debian: apt-get install sysbench).")
        return
    clusters = MysqlClusters(region)
    clusters.create(NAME)
    reached = clusters.database(NAME).parameters
    cluster = {key: reached[key] for key in ("host", "port", "user", "password")}
    with SemiSynchronousPair(Path(folder) / "semi-synchronous") as pair:
        for target in (cluster, pair.target()):
            sysbench(target, "prepare")
        pair.measured_from_here()
        print("\n| oltp_read_write, clients | cluster, tps | pair, tps | ratio | p95 of cluster, ms | p95 of pair, ms |")
        print("|---|---|---|---|---|---|")
        for clients in CLIENTS:
            compare(args, clients, cluster, pair.target())
        pair.check()
    clusters.api.delete_db_instance(DBInstanceIdentifier=f"{NAME}-1", SkipFinalSnapshot=True)
    clusters.api.delete_db_cluster(DBClusterIdentifier=NAME, SkipFinalSnapshot=True)


def compare(args, clients, of_cluster, of_pair):
    ours, theirs = [], []
    for _ in range(args.rounds):
        theirs.append(figures(sysbench(of_pair, "run", clients, args.seconds)))
        ours.append(figures(sysbench(of_cluster, "run", clients, args.seconds)))
    (a, late_a), (b, late_b) = ([statistics.median(of) for of in zip(*runs)] for runs in (ours, theirs))
    print(f"| {clients} | {a:.0f} | {b:.0f} | {a / b:.2f} | {late_a:.1f} | {late_b:.1f} |", flush=True)


def sysbench(target, what, clients=1, seconds=0):
    """sysbench's output. Transactions that a deadlock ended are begun again and counted by themselves."""
    options = {
        "db-driver": "mysql",
        "mysql-host": target["host"],
        "mysql-port": target["port"],
        "mysql-user": target["user"],
        "mysql-password": target["password"],
        "mysql-db": DATABASE,
        "tables": TABLES,
        "table-size": ROWS,
        "threads": clients,
        "time": seconds,
    }
    command = ["sysbench", *(f"--{name}={value}" for name, value in options.items()), "oltp_read_write", what]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"sysbench {what} failed:\n{result.stdout}{result.stderr}")
    return result.stdout


def figures(output):
    """Transactions a second, and milliseconds within which 95 of 100 were done."""
    tps = re.search(r"transactions:\s+\d+\s+\(([\d.]+) per sec", output)
    late = re.search(r"95th percentile:\s+([\d.]+)", output)
    return float(tps[1]), float(late[1])
