"""Fixtures: regions that end with the tests that use them, and their logs when a test fails."""

import os
import signal

import pytest

from harness import processes
from harness.aws import Rds
from harness.region import BINARY, Region

KEEP = bool(os.environ.get("QUORATE_KEEP"))
_open = []


def pytest_configure(config):
    if not BINARY.exists():
        pytest.exit(f"there is no program at {BINARY}: run `make build`, or set QUORATE_BIN", returncode=2)
    signal.signal(signal.SIGTERM, lambda *_: pytest.exit("told to end", returncode=3))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """A failed test shows the last lines of all logs."""
    outcome = yield
    report = outcome.get_result()
    if report.failed:
        for region in _open:
            report.sections.append((f"logs of {region.folder}", region.log_tail()))


def pytest_sessionfinish(session):
    for region in list(_open):
        region.close(keep=KEEP)


@pytest.fixture(scope="module")
def make_region():
    """Makes regions that are ended, and asserted to leave nothing behind, when the module ends."""
    made = []

    def make(*args, **settings):
        region = Region(*args, **settings)
        made.append(region)
        _open.append(region)
        return region

    yield make
    for region in made:
        region.close(keep=KEEP)
        _open.remove(region)
        assert not processes.of_folder(region.folder)


@pytest.fixture(scope="module")
def region(make_region):
    """One running region for all tests of a module."""
    region = make_region()
    region.start()
    return region


@pytest.fixture(scope="module")
def rds(region):
    return Rds(region)


@pytest.fixture
def whole(region):
    """The same region with every zone running before and after the test."""
    yield region
    for row in region.zones():
        if row["state"] == "paused":
            region.zone("resume", row["zone"])
        elif row["state"] == "down":
            region.zone("start", row["zone"])
