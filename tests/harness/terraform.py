"""Terraform with the AWS provider, where both are on the machine; nothing is ever downloaded.

The provider is looked for in the folder that QUORATE_TF_PLUGIN_DIR names, laid out as a file system mirror, or as
TF_CLI_CONFIG_FILE tells.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PROVIDER = "registry.terraform.io/hashicorp/aws"
USUAL_MIRRORS = ("/opt/tf-plugins", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins")


def mirror():
    """A folder with the provider, or none."""
    named = os.environ.get("QUORATE_TF_PLUGIN_DIR")
    for folder in [named] if named else USUAL_MIRRORS:
        if (Path(folder) / PROVIDER).is_dir():
            return folder
    return None


def terraform_in(folder, region, within):
    """A function that runs terraform in `folder` against the region. Skips the test where there is none."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    cli_config = os.environ.get("TF_CLI_CONFIG_FILE", "")
    if "QUORATE_TF_PLUGIN_DIR" in os.environ or not Path(cli_config).is_file():
        plugins = mirror()
        if plugins is None:
            pytest.skip("no folder with Terraform's AWS provider: name it with QUORATE_TF_PLUGIN_DIR")
        cli_config = folder / "cli.tfrc"
        cli_config.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{plugins}"\n  }}\n}}\n')
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith("AWS_")},
        **region.env(),
        "TF_CLI_CONFIG_FILE": str(cli_config),
        "TF_IN_AUTOMATION": "1",
        "CHECKPOINT_DISABLE": "1",
    }

    def run(*args, expect=0, **variables):
        options = [f"-var={name}={value}" for name, value in variables.items()]
        result = subprocess.run(
            [program, args[0], "-no-color", *args[1:], *options],
            cwd=folder,
            env=env,
            capture_output=True,
            text=True,
            timeout=within,
            check=False,
        )
        assert result.returncode == expect, f"{args}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    run.folder = folder
    return run
