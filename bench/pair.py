"""A primary and a synchronous standby, set up by hand as an administrator would, with given parameters."""

import os
import pwd
import shutil
import subprocess
import time
from pathlib import Path

from region import free_port

STANDBY = "standby_by_hand"
START_S = 60
# What belongs to the instance that the parameters were taken from, and not to the parameters.
OWN = (
    "listen_addresses", "port", "unix_socket_directories", "hba_file", "ident_file", "synchronous_standby_names",
    "primary_conninfo", "primary_slot_name", "cluster_name", "data_directory", "shared_preload_libraries",
)


class HandMadePair:
    """Started on entry, stopped and removed on exit."""

    def __init__(self, conf, folder, account):
        self.folder, self.account = folder, account
        self.bin = sorted(Path("/usr/lib/postgresql").glob("*/bin"))[-1]
        lines = conf.read_text().splitlines()
        self.parameters = [l for l in lines if "=" in l and l.split("=")[0].strip() not in OWN]
        self.ports = {"primary": free_port(), "standby": free_port()}

    def __enter__(self):
        self.folder.mkdir()
        self.give(self.folder)
        primary, standby = self.folder / "primary", self.folder / "standby"
        self.run("initdb", "--data-checksums", "-U", "bench", "-D", primary, "--locale", "C.UTF-8", "-E", "UTF8")
        self.configure(primary, "primary", f"synchronous_standby_names = '{STANDBY}'")
        self.server(primary, "start")
        source = f"host=127.0.0.1 port={self.ports['primary']} user=bench application_name={STANDBY} sslmode=require"
        self.run("pg_basebackup", "-D", standby, "-d", source, "-X", "stream", "-c", "fast")
        self.configure(standby, "standby", f"primary_conninfo = '{source}'")
        (standby / "standby.signal").touch()
        self.give(standby / "standby.signal")
        self.server(standby, "start")
        self.await_sync()
        subprocess.run(["createdb", "bench"], env={**os.environ, **self.pgbench_target()}, check=True)
        return self

    def __exit__(self, *_):
        for name in ("standby", "primary"):
            if (self.folder / name / "postmaster.pid").exists():
                self.server(self.folder / name, "stop")
        shutil.rmtree(self.folder)

    def pgbench_target(self):
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.ports["primary"]),
            "PGUSER": "bench",
            "PGDATABASE": "bench",
            "PGSSLMODE": "require",
        }

    def configure(self, data, name, own):
        conf = data / "postgresql.conf"
        text = [*self.parameters, "listen_addresses = '127.0.0.1'", f"port = {self.ports[name]}",
                f"unix_socket_directories = '{self.folder}'", own]
        conf.write_text("\n".join(text) + "\n")
        hba = data / "pg_hba.conf"
        hba.write_text("host all all 127.0.0.1/32 trust\nhost replication all 127.0.0.1/32 trust\n")
        for file in (conf, hba):
            self.give(file)

    def server(self, data, action):
        self.run("pg_ctl", "-D", data, "-l", self.folder / f"{data.name}.log", "-w", "-m" if action == "stop" else "-t",
                 "fast" if action == "stop" else str(START_S), action)

    def await_sync(self):
        began = time.monotonic()
        query = ["psql", "-qtAc", "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'", "postgres"]
        while True:
            result = subprocess.run(query, env={**os.environ, **self.pgbench_target()}, capture_output=True, text=True)
            if result.stdout.strip() == "1":
                return
            if time.monotonic() - began > START_S:
                raise SystemExit(f"the standby made by hand is not in sync: {result.stderr}")
            time.sleep(0.1)

    def run(self, program, *arguments):
        """Runs one of PostgreSQL's programs as the account that engines run as."""
        command = [self.bin / program, *arguments]
        if os.getuid() == 0:
            command = ["setpriv", f"--reuid={self.account}", f"--regid={pwd.getpwnam(self.account).pw_gid}",
                       "--clear-groups", *command]
        # libpq looks for certificates in the home folder, which must be one that the account may read.
        environment = {**os.environ, "HOME": str(self.folder)}
        result = subprocess.run(command, capture_output=True, text=True, cwd=self.folder, env=environment)
        if result.returncode != 0:
            raise SystemExit(f"{program} failed:\n{result.stdout}{result.stderr}")

    def give(self, path):
        if os.getuid() == 0:
            shutil.chown(path, self.account, pwd.getpwnam(self.account).pw_gid)
