"""Terraform with the AWS provider, where both are on the machine: apply, empty plan, change, empty plan, destroy."""

import pytest
from harness.database import Database
from harness.poll import until
from harness.terraform import terraform_in

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


@pytest.fixture(scope="module")
def terraform(region, tmp_path_factory):
    """Runs terraform in a folder of its own against the region."""
    return terraform_in(tmp_path_factory.mktemp("terraform"), region, APPLY_S)


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
