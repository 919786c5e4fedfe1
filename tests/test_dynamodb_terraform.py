"""A DynamoDB table by Terraform: apply, empty plan, change, empty plan, destroy."""

import pytest
from harness.dynamodb import dynamodb
from harness.terraform import terraform_in

APPLY_S = 150

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
variable "index" { type = string }
variable "ttl" { type = bool }

resource "aws_dynamodb_table" "orders" {
  name         = "orders"
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "customer"
  range_key    = "number"

  attribute {
    name = "customer"
    type = "S"
  }
  attribute {
    name = "number"
    type = "N"
  }
  attribute {
    name = "day"
    type = "S"
  }
  global_secondary_index {
    name               = var.index
    hash_key           = "day"
    range_key          = "number"
    projection_type    = "INCLUDE"
    non_key_attributes = ["price"]
  }
  ttl {
    attribute_name = "until"
    enabled        = var.ttl
  }
  tags = { team = var.team }
}

resource "aws_dynamodb_table_item" "first" {
  table_name = aws_dynamodb_table.orders.name
  hash_key   = "customer"
  range_key  = "number"
  item       = jsonencode({ customer = { S = "a" }, number = { N = "1" }, price = { N = "9.5" } })
}
"""


@pytest.fixture(scope="module")
def terraform(region, tmp_path_factory):
    """Runs terraform in a folder of its own against the region."""
    return terraform_in(tmp_path_factory.mktemp("terraform"), region, APPLY_S)


def test_a_table_is_made_changed_and_destroyed(region, terraform):
    """Every plan after an apply is empty: what the API answers is what was asked for."""
    api = dynamodb(region)
    (terraform.folder / "main.tf").write_text(MAIN)
    terraform("init", "-input=false")
    first = {"team": "a", "index": "by-day", "ttl": "true"}
    terraform("apply", "-auto-approve", "-input=false", **first)
    terraform("plan", "-detailed-exitcode", "-input=false", **first)
    table = api.describe_table(TableName="orders")["Table"]
    assert [found["IndexName"] for found in table["GlobalSecondaryIndexes"]] == ["by-day"]
    assert api.scan(TableName="orders", ConsistentRead=True)["Count"] == 1

    second = {"team": "b", "index": "of-day", "ttl": "true"}
    terraform("plan", "-detailed-exitcode", "-input=false", expect=2, **second)
    terraform("apply", "-auto-approve", "-input=false", **second)
    terraform("plan", "-detailed-exitcode", "-input=false", **second)
    table = api.describe_table(TableName="orders")["Table"]
    assert [found["IndexName"] for found in table["GlobalSecondaryIndexes"]] == ["of-day"]
    tags = api.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "b"}]

    terraform("destroy", "-auto-approve", "-input=false", **second)
    assert "orders" not in api.list_tables()["TableNames"]
