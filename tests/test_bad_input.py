"""What breaks a rule gets AWS's code and a sentence that helps, and leaves nothing half made."""

import pytest
from harness.aws import error_of


@pytest.fixture(scope="module", autouse=True)
def nothing_made(region, rds):
    """No refused request leaves a record, a parameter group or a process behind."""
    yield
    assert rds.identifiers() == []
    assert region.status()["resources"] == []
    groups = rds.api.describe_db_parameter_groups()["DBParameterGroups"]
    assert all(group["DBParameterGroupName"].startswith("default.") for group in groups)


def refusal(rds, **changes):
    """The error of a creation that would be right but for `changes`."""
    return error_of(rds.ask_create, identifier=changes.pop("DBInstanceIdentifier", "fine"), **changes)


@pytest.mark.parametrize("name", ["1st", "a--b", "ends-", "under_score", "dot.dot", "x" * 64, "ünïcode", "a b", "-a"])
def test_names_follow_awss_rules(rds, name):
    code, status, message = refusal(rds, DBInstanceIdentifier=name)
    assert (code, status) == ("InvalidParameterValue", 400), message
    assert "identifier" in message.lower()


@pytest.mark.parametrize(
    ("changes", "code", "part"),
    [
        ({"Engine": "oracle-ee"}, "InvalidParameterValue", "postgres"),
        ({"EngineVersion": "9.6"}, "InvalidParameterCombination", "9.6"),
        ({"EngineVersion": "newest"}, "InvalidParameterCombination", "newest"),
        ({"DBInstanceClass": "db.t3.huge"}, "InvalidParameterValue", "db.t3.huge"),
        ({"AllocatedStorage": 3}, "InvalidParameterValue", "20"),
        ({"AllocatedStorage": -1}, "InvalidParameterValue", ""),
        ({"StorageType": "floppy"}, "StorageTypeNotSupported", "floppy"),
        ({"StorageType": "io1", "AllocatedStorage": 100}, "InvalidParameterCombination", "Iops"),
        ({"Port": 80}, "InvalidParameterValue", "1150"),
        ({"Port": 70000}, "InvalidParameterValue", "65535"),
        ({"MasterUserPassword": "short"}, "InvalidParameterValue", "8"),
        ({"MasterUserPassword": "with/slash-in-it"}, "InvalidParameterValue", "/"),
        ({"MasterUsername": "rdsadmin"}, "InvalidParameterValue", "reserved"),
        ({"MasterUsername": "1user"}, "InvalidParameterValue", "letter"),
        ({"DBName": "select"}, "InvalidParameterValue", "reserved"),
        ({"DBName": "two words"}, "InvalidParameterValue", "letter"),
        ({"BackupRetentionPeriod": 36}, "InvalidParameterValue", "35"),
        ({"AvailabilityZone": "us-east-1z"}, "InvalidVPCNetworkStateFault", "us-east-1z"),
        ({"AvailabilityZone": "us-east-1a", "MultiAZ": True}, "InvalidParameterCombination", "availability zone"),
        ({"DBSubnetGroupName": "absent"}, "DBSubnetGroupNotFoundFault", "absent"),
        ({"DBParameterGroupName": "absent"}, "DBParameterGroupNotFound", "absent"),
        ({"OptionGroupName": "absent"}, "OptionGroupNotFoundFault", "absent"),
        ({"PreferredMaintenanceWindow": "someday"}, "InvalidParameterValue", "someday"),
        ({"PreferredBackupWindow": "99:00-99:30"}, "InvalidParameterValue", ""),
        ({"ManageMasterUserPassword": True, "MasterUserPassword": "x" * 9}, "InvalidParameterCombination", ""),
        ({"EnableIAMDatabaseAuthentication": True}, "InvalidParameterCombination", "EnableIAM"),
        ({"Tags": [{"Key": "aws:mine", "Value": "1"}]}, "InvalidParameterValue", "aws:"),
    ],
    ids=lambda value: "-".join(f"{k}={v}" for k, v in value.items())[:48] if isinstance(value, dict) else "",
)
def test_a_creation_that_cannot_be_is_refused(rds, changes, code, part):
    found, status, message = refusal(rds, **changes)
    assert (found, status) == (code, 400 if "NotFound" not in code else 404), message
    assert part in message


def test_what_does_not_exist_is_not_found(rds):
    for call, arguments, code in [
        (rds.api.describe_db_instances, {"DBInstanceIdentifier": "absent"}, "DBInstanceNotFound"),
        (rds.api.modify_db_instance, {"DBInstanceIdentifier": "absent", "MultiAZ": True}, "DBInstanceNotFound"),
        (rds.api.reboot_db_instance, {"DBInstanceIdentifier": "absent"}, "DBInstanceNotFound"),
        (rds.api.start_db_instance, {"DBInstanceIdentifier": "absent"}, "DBInstanceNotFound"),
        (rds.api.stop_db_instance, {"DBInstanceIdentifier": "absent"}, "DBInstanceNotFound"),
        (rds.api.promote_read_replica, {"DBInstanceIdentifier": "absent"}, "DBInstanceNotFound"),
        (
            rds.api.delete_db_instance,
            {"DBInstanceIdentifier": "absent", "SkipFinalSnapshot": True},
            "DBInstanceNotFound",
        ),
        (
            rds.api.create_db_instance_read_replica,
            {"DBInstanceIdentifier": "copy", "SourceDBInstanceIdentifier": "absent"},
            "DBInstanceNotFound",
        ),
        (rds.api.describe_db_parameters, {"DBParameterGroupName": "absent"}, "DBParameterGroupNotFound"),
        (rds.api.delete_db_parameter_group, {"DBParameterGroupName": "absent"}, "DBParameterGroupNotFound"),
        (rds.api.describe_db_subnet_groups, {"DBSubnetGroupName": "absent"}, "DBSubnetGroupNotFoundFault"),
        (
            rds.api.list_tags_for_resource,
            {"ResourceName": "arn:aws:rds:us-east-1:123456789012:db:absent"},
            "DBInstanceNotFound",
        ),
    ]:
        found, status, message = error_of(call, **arguments)
        assert (found, status) == (code, 404), message


def test_a_parameter_group_needs_a_family_that_exists(rds):
    code, status, _ = error_of(
        rds.api.create_db_parameter_group,
        DBParameterGroupName="odd",
        DBParameterGroupFamily="mysql8.0",
        Description="x",
    )
    assert (code, status) == ("InvalidParameterValue", 400)
