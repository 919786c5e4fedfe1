"""What a host offers: root or an ordinary user, PostgreSQL or none."""

import os
import pwd
import subprocess

import pytest
from harness import faults, processes
from harness.aws import Rds, error_of
from harness.database import Database
from harness.ledger import Ledger

ORDINARY = "nobody"

as_root = pytest.mark.skipif(not faults.is_root(), reason="needs root, to run as somebody else")


def owner(pid):
    return pwd.getpwuid(os.stat(f"/proc/{pid}").st_uid).pw_name


@as_root
def test_started_as_root_engines_run_as_an_account_of_their_own(region, rds):
    """PostgreSQL refuses to run as root; its folders belong to the account that it runs as."""
    resource = rds.create("owned")["DbiResourceId"]
    engines = processes.postgres_of(region.data)
    assert engines and {owner(pid) for pid in engines} == {"quorate"}
    data = next(region.data.glob(f"regions/*/nodes/*/members/{resource}/data"))
    assert data.owner() == "quorate" and data.stat().st_mode & 0o077 == 0


@as_root
def test_an_ordinary_user_runs_everything(make_region):
    """The same program without any right: create, fail over, stop; nothing runs as anybody else."""
    region = make_region(user=ORDINARY)
    region.start()
    rds = Rds(region)
    database = Database(region, rds.create("plain", MultiAZ=True))
    everything = processes.of_folder(region.folder)
    assert len(everything) > 10 and {owner(pid) for pid in everything} == {ORDINARY}
    primary, standby = faults.wait_in_sync(region, "plain")
    with Ledger(database) as ledger:
        faults.kill_zone(region, primary)
        ledger.wait_for_more(20)
        faults.wait_primary(region, "plain", standby)
        ledger.check()
    region.stop()


@pytest.fixture
def without_postgresql():
    """Words that run a command where Debian's PostgreSQL is out of sight."""
    script = 'mount -t tmpfs none /usr/lib/postgresql && exec "$@"'
    wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]
    hidden = subprocess.run([*wrapper, "sh", "-c", "! command -v postgres"], capture_output=True, check=False)
    if hidden.returncode != 0:
        pytest.skip("PostgreSQL cannot be hidden: no right to mount, or it is elsewhere on the PATH")
    return wrapper


def test_a_host_without_postgresql_says_which_package_to_install(make_region, without_postgresql):
    """The region starts and answers; a creation is refused with what to do, and makes nothing."""
    region = make_region(wrapper=without_postgresql)
    region.start()
    rds = Rds(region)
    code, status, message = error_of(rds.ask_create, identifier="early")
    assert (code, status) == ("InsufficientDBInstanceCapacity", 400)
    assert "apt-get install postgresql" in message
    assert rds.identifiers() == []
    assert rds.api.describe_db_engine_versions(Engine="postgres")["DBEngineVersions"] == []
