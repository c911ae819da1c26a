"""A stored delivery must have a time of deletion."""

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.webhooks.tables import Delivery


def test_delivery_without_deletion_time_cannot_be_stored() -> None:
    """A delivery without a time of deletion can't be stored, because DynamoDB would never delete it."""
    delivery = Delivery("whk_x", "evt_x", account_id="acc_x", type="account.renamed", body="{}", created_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        delivery.serialize()
