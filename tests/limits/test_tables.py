"""The counters' table as those who create and check tables see it."""

from chalicelib.limits.tables import Windows
from tests.support.harness import TestApp


def test_table_of_counters_is_keyed_by_subject_and_hour(latchkey: TestApp) -> None:
    """Named by its stage; an item may live without an end, and die at one."""
    assert Windows.Meta.table_name == "latchkey-test-windows"
    assert Windows.Meta.billing_mode == "PAY_PER_REQUEST"
    assert Windows("acc_1#free", 3_600).key() == {"subject": {"S": "acc_1#free"}, "hour": {"N": "3600"}}
    assert Windows("acc_1#free", 3_600).serialize().keys() == {"subject", "hour"}
    assert Windows.item(dies_at=5) == {"dies_at": {"N": "5"}}
    keys = {
        each["AttributeName"]: each["KeyType"] for each in Windows._get_connection().get_meta_table().data["KeySchema"]
    }
    assert keys == {"subject": "HASH", "hour": "RANGE"}
