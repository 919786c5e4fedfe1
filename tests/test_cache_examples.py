"""The examples in `examples/caches` do what they say, through failovers and the loss of a node."""

import os
import shutil
import subprocess
import sys

import pytest
from harness.caches import Caches, memcached, primary_of, reader_of
from harness.poll import until
from harness.region import ROOT

BUILD_S = 900
RUN_S = 120
PACKAGE = ROOT / "examples" / "caches"
# A target of its own: its dependencies share no features with the program's.
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "examples"
KEYS = 400


@pytest.fixture(scope="module")
def programs():
    cargo = shutil.which("cargo")
    assert cargo, "cargo builds the examples"
    command = [cargo, "build", "--quiet", "--locked", "--manifest-path", PACKAGE / "Cargo.toml", "--target-dir", TARGET]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S)
    assert built.returncode == 0, built.stderr
    return TARGET / "debug"


@pytest.fixture(scope="module")
def caches(region):
    return Caches(region)


@pytest.fixture(scope="module")
def group(caches):
    return caches.create_group("web")


def place(endpoint):
    return f"{endpoint['Address']}:{endpoint['Port']}"


def run(*command):
    ran = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=RUN_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


@pytest.mark.timeout(BUILD_S + RUN_S)
def test_the_leaderboard_is_read_from_replicas(programs, group):
    said = run(programs / "leaderboard", place(primary_of(group)), place(reader_of(group)), 200)
    assert said.splitlines()[0] == "1. player 9: 200"


def test_sessions_stay_through_a_failover(region, caches, programs, group, whole):
    zone = caches.primary_zone("web")
    command = [str(programs / "session_store"), place(primary_of(group)), "1500"]
    store = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        region.zone("kill", zone)
        until(lambda: caches.primary_zone("web") != zone, 60, "another zone leads")
        said, errors = store.communicate(timeout=RUN_S)
    finally:
        store.kill()
    assert store.returncode == 0, errors
    assert "1500 sessions are there" in said


@pytest.mark.parametrize("client", ["rust", "python"])
def test_a_lost_node_costs_its_own_keys_alone(region, caches, programs, whole, client):
    identifier = f"pages-{client}"
    until(lambda: all(n["alive"] for n in region.json("status")["regions"][0]["nodes"]), 30, "all nodes are back")
    cluster = caches.create_memcached(identifier)
    sharded = [programs / "sharded_cache"] if client == "rust" else [sys.executable, PACKAGE / "sharded_cache.py"]
    endpoint = place(cluster["ConfigurationEndpoint"])
    run(*sharded, endpoint, "fill", KEYS)
    assert run(*sharded, endpoint, "count", KEYS).strip() == f"{KEYS} of {KEYS}"
    held = {n["CustomerAvailabilityZone"]: memcached(n["Endpoint"]).stats()[b"curr_items"] for n in cluster["CacheNodes"]}
    assert sum(held.values()) == KEYS and all(count > KEYS / 10 for count in held.values()), held
    zone = cluster["CacheNodes"][0]["CustomerAvailabilityZone"]
    region.zone("kill", zone)
    assert run(*sharded, endpoint, "count", KEYS).strip() == f"{KEYS - held[zone]} of {KEYS}"
    caches.api.delete_cache_cluster(CacheClusterId=identifier)
