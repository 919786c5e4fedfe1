"""Parameter groups and subnet groups, and parameters that really apply."""

import psycopg
import pytest
from harness.aws import error_of
from harness.database import Database
from harness.poll import until

NAME = "tuned"
GROUP = "tuning"


def parameter(name, value, method="immediate"):
    return {"ParameterName": name, "ParameterValue": str(value), "ApplyMethod": method}


@pytest.fixture(scope="module")
def family(rds):
    return rds.api.describe_db_engine_versions(Engine="postgres", DefaultOnly=True)["DBEngineVersions"][0][
        "DBParameterGroupFamily"
    ]


@pytest.fixture(scope="module")
def tuned(region, rds, family):
    """A Multi-AZ instance with a parameter group of its own."""
    rds.api.create_db_parameter_group(DBParameterGroupName=GROUP, DBParameterGroupFamily=family, Description="own")
    return Database(region, rds.create(NAME, MultiAZ=True, DBParameterGroupName=GROUP))


def apply_status(rds):
    return rds.describe(NAME)["DBParameterGroups"][0]["ParameterApplyStatus"]


def value_of(rds, name):
    pages = rds.api.get_paginator("describe_db_parameters").paginate(DBParameterGroupName=GROUP)
    found = [p for page in pages for p in page["Parameters"] if p["ParameterName"] == name]
    return found[0]


def test_a_dynamic_parameter_applies_without_a_reboot(rds, tuned):
    rds.api.modify_db_parameter_group(
        DBParameterGroupName=GROUP, Parameters=[parameter("log_min_duration_statement", 250)]
    )
    tuned.wait("show log_min_duration_statement", "250ms")
    until(lambda: apply_status(rds) == "in-sync", 20, "the group is in sync")
    shown = value_of(rds, "log_min_duration_statement")
    assert (shown["ParameterValue"], shown["Source"], shown["ApplyMethod"]) == ("250", "user", "immediate")


def test_a_static_parameter_waits_for_a_reboot(rds, tuned):
    code, _, _ = error_of(
        rds.api.modify_db_parameter_group,
        DBParameterGroupName=GROUP,
        Parameters=[parameter("max_connections", 77, "immediate")],
    )
    assert code == "InvalidParameterCombination"
    before = tuned.one("show max_connections")
    rds.api.modify_db_parameter_group(
        DBParameterGroupName=GROUP, Parameters=[parameter("max_connections", 77, "pending-reboot")]
    )
    until(lambda: apply_status(rds) == "pending-reboot", 20, "the group waits for a reboot")
    assert tuned.one("show max_connections") == before
    rds.api.reboot_db_instance(DBInstanceIdentifier=NAME)
    rds.wait_available(NAME)
    tuned.wait("show max_connections", "77")
    until(lambda: apply_status(rds) == "in-sync", 20, "the group is in sync")


def test_a_formula_follows_the_class(rds, tuned):
    rds.api.modify_db_parameter_group(
        DBParameterGroupName=GROUP,
        Parameters=[parameter("max_connections", "{DBInstanceClassMemory/9531392}", "pending-reboot")],
    )
    until(lambda: apply_status(rds) == "pending-reboot", 20, "the group waits for a reboot")
    rds.api.reboot_db_instance(DBInstanceIdentifier=NAME)
    rds.wait_available(NAME)
    until(lambda: 50 < int(tuned.one("show max_connections")) < 130, 30, "a share of 1 GiB", quiet=(psycopg.Error,))
    assert value_of(rds, "max_connections")["ParameterValue"] == "{DBInstanceClassMemory/9531392}"


def test_force_ssl_can_be_turned_off_and_on(rds, tuned):
    with pytest.raises(psycopg.OperationalError):
        tuned.ask("select 1", sslmode="disable")
    rds.api.modify_db_parameter_group(DBParameterGroupName=GROUP, Parameters=[parameter("rds.force_ssl", 0)])
    until(lambda: _answers_in_clear(tuned), 20, "connections without TLS are let in")
    rds.api.modify_db_parameter_group(DBParameterGroupName=GROUP, Parameters=[parameter("rds.force_ssl", 1)])
    until(lambda: not _answers_in_clear(tuned), 20, "connections without TLS are refused again")


def _answers_in_clear(database):
    try:
        return database.one("select 1", sslmode="disable") == 1
    except psycopg.OperationalError:
        return False


def test_parameters_out_of_range_change_nothing(rds, tuned):
    for bad, code in [
        (parameter("work_mem", 1), "InvalidParameterValue"),
        (parameter("work_mem", "lots"), "InvalidParameterValue"),
        (parameter("no_such_parameter", 1), "InvalidParameterValue"),
        (parameter("fsync", "off", "immediate"), "InvalidParameterValue"),
        (parameter("synchronous_standby_names", "''"), "InvalidParameterValue"),
        (parameter("log_statement", "everything"), "InvalidParameterValue"),
        (parameter("work_mem", 8192, "whenever"), "InvalidParameterValue"),
    ]:
        good = parameter("work_mem", 8192)
        found, status, message = error_of(
            rds.api.modify_db_parameter_group, DBParameterGroupName=GROUP, Parameters=[good, bad]
        )
        assert (found, status) == (code, 400), message
    assert value_of(rds, "work_mem").get("Source") != "user"


def test_a_reset_brings_the_defaults_back(rds, tuned):
    rds.api.reset_db_parameter_group(
        DBParameterGroupName=GROUP, Parameters=[parameter("log_min_duration_statement", 0)]
    )
    tuned.wait("show log_min_duration_statement", "-1")
    rds.api.reset_db_parameter_group(DBParameterGroupName=GROUP, ResetAllParameters=True)
    user = rds.api.describe_db_parameters(DBParameterGroupName=GROUP, Source="user")["Parameters"]
    assert user == []


def test_a_group_in_use_is_not_deleted(rds, tuned, family):
    assert error_of(rds.api.delete_db_parameter_group, DBParameterGroupName=GROUP)[0] == "InvalidDBParameterGroupState"
    default = f"default.{family}"
    assert error_of(rds.api.delete_db_parameter_group, DBParameterGroupName=default)[1] == 400
    code, _, _ = error_of(
        rds.api.create_db_parameter_group,
        DBParameterGroupName=GROUP,
        DBParameterGroupFamily=family,
        Description="again",
    )
    assert code == "DBParameterGroupAlreadyExists"


def test_an_instance_can_change_its_group(rds, tuned, family):
    rds.api.reboot_db_instance(DBInstanceIdentifier=NAME)
    rds.wait_available(NAME)
    rds.modify(NAME, DBParameterGroupName=f"default.{family}")
    assert rds.describe(NAME)["DBParameterGroups"][0]["DBParameterGroupName"] == f"default.{family}"
    rds.api.delete_db_parameter_group(DBParameterGroupName=GROUP)
    tuned.serves()


def test_subnet_groups_live_and_hold_instances(rds):
    subnets = ["subnet-us-east-1a", "subnet-us-east-1b"]
    made = rds.api.create_db_subnet_group(
        DBSubnetGroupName="Two", DBSubnetGroupDescription="two zones", SubnetIds=subnets
    )["DBSubnetGroup"]
    assert made["DBSubnetGroupName"] == "two"
    assert {subnet["SubnetIdentifier"] for subnet in made["Subnets"]} == set(subnets)
    code, _, _ = error_of(
        rds.api.create_db_subnet_group,
        DBSubnetGroupName="one",
        DBSubnetGroupDescription="one zone",
        SubnetIds=subnets[:1],
    )
    assert code == "DBSubnetGroupDoesNotCoverEnoughAZs"
    rds.api.modify_db_subnet_group(DBSubnetGroupName="two", SubnetIds=[*subnets, "subnet-us-east-1c"])
    found = rds.api.describe_db_subnet_groups(DBSubnetGroupName="two")["DBSubnetGroups"][0]
    assert len(found["Subnets"]) == 3
    rds.ask_create("housed", DBSubnetGroupName="two")
    code, _, _ = error_of(rds.api.delete_db_subnet_group, DBSubnetGroupName="two")
    assert code == "InvalidDBSubnetGroupStateFault"
    rds.wait_available("housed")
    rds.delete("housed")
    rds.api.delete_db_subnet_group(DBSubnetGroupName="two")
    assert error_of(rds.api.describe_db_subnet_groups, DBSubnetGroupName="two")[0] == "DBSubnetGroupNotFoundFault"
