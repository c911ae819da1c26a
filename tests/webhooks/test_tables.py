"""What is stored of a delivery."""

import pytest
from pynamodb.exceptions import AttributeNullError

from chalicelib.webhooks.tables import Delivery


def test_delivery_without_a_time_of_deletion_cannot_be_stored() -> None:
    """DynamoDB would keep it forever."""
    delivery = Delivery("whk_x", "evt_x", account_id="acc_x", type="account.renamed", body="{}", created_at=0)
    with pytest.raises(AttributeNullError, match="dies_at"):
        delivery.serialize()
