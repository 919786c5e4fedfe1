"""Caches by Terraform: apply, empty plan, change, empty plan, destroy."""

import pytest
from harness import ports
from harness.caches import Caches
from harness.terraform import terraform_in

APPLY_S = 300

MAIN = """
terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

provider "aws" {
  region                  = "us-east-1"
  skip_region_validation  = true
  skip_metadata_api_check = true
}

variable "team" { type = string }
variable "replicas" { type = number }
variable "nodes" { type = number }
variable "events" { type = string }
variable "port" { type = number }

resource "aws_elasticache_parameter_group" "tuned" {
  name   = "tuned"
  family = "redis7"
  parameter {
    name  = "notify-keyspace-events"
    value = var.events
  }
}

resource "aws_elasticache_replication_group" "orders" {
  replication_group_id       = "orders"
  description                = "orders of ${var.team}"
  engine                     = "redis"
  node_type                  = "cache.t3.micro"
  num_cache_clusters         = var.replicas + 1
  port                       = var.port
  automatic_failover_enabled = true
  multi_az_enabled           = true
  parameter_group_name       = aws_elasticache_parameter_group.tuned.name
  apply_immediately          = true
  tags                       = { team = var.team }
}

resource "aws_elasticache_cluster" "pages" {
  cluster_id        = "pages"
  engine            = "memcached"
  node_type         = "cache.t3.micro"
  num_cache_nodes   = var.nodes
  az_mode           = "cross-az"
  apply_immediately = true
}
"""


@pytest.fixture(scope="module")
def terraform(region, tmp_path_factory):
    """Runs terraform in a folder of its own against the region."""
    return terraform_in(tmp_path_factory.mktemp("terraform"), region, APPLY_S)


@pytest.mark.timeout(900)
def test_caches_are_made_changed_and_destroyed(region, terraform):
    """Every plan after an apply is empty: what the API answers is what was asked for."""
    caches = Caches(region)
    (terraform.folder / "main.tf").write_text(MAIN)
    terraform("init", "-input=false")
    # Not the usual one, which other tests that run at the same time ask for, too.
    port = str(ports.free_port())
    first = {"team": "a", "replicas": "1", "nodes": "2", "events": "Ex", "port": port}
    terraform("apply", "-auto-approve", "-input=false", **first)
    terraform("plan", "-detailed-exitcode", "-input=false", **first)
    assert len(caches.group("orders")["MemberClusters"]) == 2

    second = {"team": "b", "replicas": "2", "nodes": "3", "events": "KEA", "port": port}
    terraform("plan", "-detailed-exitcode", "-input=false", expect=2, **second)
    terraform("apply", "-auto-approve", "-input=false", **second)
    terraform("plan", "-detailed-exitcode", "-input=false", **second)
    assert len(caches.group("orders")["MemberClusters"]) == 3
    assert caches.cluster("pages")["NumCacheNodes"] == 3

    terraform("destroy", "-auto-approve", "-input=false", **second)
    assert not caches.exists("orders")
