"""Tests of the counters' table declaration."""

from chalicelib.limits.tables import Windows
from tests.support.harness import TestApp


def test_counters_table_is_keyed_by_subject_and_hour(latchkey: TestApp) -> None:
    """The table is keyed by subject and hour; its name includes the stage, and the time of deletion is optional."""
    assert Windows.Meta.table_name == "latchkey-test-windows"
    assert Windows.Meta.billing_mode == "PAY_PER_REQUEST"
    assert Windows("acc_1#free", 3_600).key() == {"subject": {"S": "acc_1#free"}, "hour": {"N": "3600"}}
    assert Windows("acc_1#free", 3_600).serialize().keys() == {"subject", "hour"}
    assert Windows.item(dies_at=5) == {"dies_at": {"N": "5"}}
    keys = {
        each["AttributeName"]: each["KeyType"] for each in Windows._get_connection().get_meta_table().data["KeySchema"]
    }
    assert keys == {"subject": "HASH", "hour": "RANGE"}
