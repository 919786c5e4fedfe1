"""The official Rust SDK works with a region as an application uses it: `tests/rust-sdk` says what is asked."""

import os
import shutil
import subprocess

import pytest
from harness.region import ROOT

BUILD_S = 900
RUN_S = 120
PACKAGE = ROOT / "tests" / "rust-sdk"
# A target of its own: its dependencies share no features with the program's.
TARGET = ROOT / os.environ.get("CARGO_TARGET_DIR", "target") / "rust-sdk"


@pytest.mark.timeout(BUILD_S + RUN_S)
def test_an_application_of_the_rust_sdk_gets_what_it_expects(region):
    cargo = shutil.which("cargo")
    assert cargo, "cargo builds the application"
    command = [cargo, "build", "--quiet", "--locked", "--manifest-path", PACKAGE / "Cargo.toml", "--target-dir", TARGET]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_S)
    assert built.returncode == 0, built.stderr
    settings = {
        **os.environ,
        **region.env(),
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{region.api_port}",
        "AWS_REGION": region.names[0],
    }
    program = TARGET / "debug" / "quorate-rust-sdk-test"
    ran = subprocess.run([program], env=settings, capture_output=True, text=True, timeout=RUN_S)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "all answers were as expected" in ran.stdout
