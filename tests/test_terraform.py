"""Terraform with the AWS provider, where both are on the machine: apply, empty plan, change, empty plan, destroy.

The provider is looked for in the folder that QUORATE_TF_PLUGIN_DIR names, laid out as a file system mirror, or as
TF_CLI_CONFIG_FILE tells; nothing is ever downloaded.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from harness.database import Database
from harness.poll import until

PROVIDER = "registry.terraform.io/hashicorp/aws"
USUAL_MIRRORS = ("/opt/tf-plugins", "/usr/share/terraform/plugins", "/usr/local/share/terraform/plugins")
# The provider first looks at an instance 60 s after it asked for it, and wants to see it three times, 10 s apart.
APPLY_S = 420

MAIN = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                      = "us-east-1"
  skip_region_validation      = true
  skip_metadata_api_check     = true
}

variable "class" { type = string }
variable "work_mem" { type = string }

resource "aws_db_subnet_group" "net" {
  name       = "net"
  subnet_ids = ["subnet-us-east-1a", "subnet-us-east-1b", "subnet-us-east-1c"]
}

resource "aws_db_parameter_group" "tuned" {
  name   = "tuned"
  family = "postgres@MAJOR@"
  parameter {
    name  = "work_mem"
    value = var.work_mem
  }
  parameter {
    name         = "max_connections"
    value        = "90"
    apply_method = "pending-reboot"
  }
}

resource "aws_db_instance" "main" {
  identifier              = "main"
  engine                  = "postgres"
  engine_version          = "@MAJOR@"
  instance_class          = var.class
  allocated_storage       = 20
  db_name                 = "shop"
  username                = "app"
  password                = "correct-horse-9"
  multi_az                = true
  backup_retention_period = 1
  skip_final_snapshot     = true
  apply_immediately       = true
  db_subnet_group_name    = aws_db_subnet_group.net.name
  parameter_group_name    = aws_db_parameter_group.tuned.name
  tags                    = { team = "a" }
}

resource "aws_db_instance" "copy" {
  identifier          = "copy"
  replicate_source_db = aws_db_instance.main.identifier
  instance_class      = "db.t3.micro"
  skip_final_snapshot = true
  apply_immediately   = true
}
"""


def mirror():
    """A folder with the provider, or none."""
    named = os.environ.get("QUORATE_TF_PLUGIN_DIR")
    for folder in [named] if named else USUAL_MIRRORS:
        if (Path(folder) / PROVIDER).is_dir():
            return folder
    return None


@pytest.fixture(scope="module")
def terraform(region, tmp_path_factory):
    """Runs terraform in a folder of its own against the region."""
    program = shutil.which("terraform")
    if program is None:
        pytest.skip("terraform is not installed")
    folder = tmp_path_factory.mktemp("terraform")
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
            timeout=APPLY_S,
            check=False,
        )
        assert result.returncode == expect, f"{args}: {result.returncode}\n{result.stdout}\n{result.stderr}"
        return result.stdout

    run.folder = folder
    return run


@pytest.mark.timeout(4 * APPLY_S)
def test_an_instance_with_a_replica_is_made_changed_and_destroyed(region, rds, terraform):
    """Every plan after an apply is empty: what the API answers is what was asked for."""
    versions = rds.api.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"]
    major = versions[0]["MajorEngineVersion"]
    (terraform.folder / "main.tf").write_text(MAIN.replace("@MAJOR@", major))
    terraform("init", "-input=false")
    first = {"class": "db.t3.micro", "work_mem": "8192"}
    terraform("apply", "-auto-approve", "-input=false", **first)
    terraform("plan", "-detailed-exitcode", "-input=false", **first)
    assert rds.describe("copy")["ReadReplicaSourceDBInstanceIdentifier"] == "main"
    main = Database(region, rds.describe("main"))
    assert main.one("show work_mem") == "8MB"

    second = {"class": "db.t3.small", "work_mem": "16384"}
    terraform("plan", "-detailed-exitcode", "-input=false", expect=2, **second)
    terraform("apply", "-auto-approve", "-input=false", **second)
    terraform("plan", "-detailed-exitcode", "-input=false", **second)
    assert rds.describe("main")["DBInstanceClass"] == "db.t3.small"
    main.wait("show work_mem", "16MB")

    terraform("destroy", "-auto-approve", "-input=false", **second)
    until(lambda: rds.identifiers() == [], 20, "nothing is left")
    groups = rds.api.describe_db_parameter_groups()["DBParameterGroups"]
    assert all(group["DBParameterGroupName"].startswith("default.") for group in groups)
