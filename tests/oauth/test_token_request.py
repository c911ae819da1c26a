"""A token request by itself: whose ticket it presents, and which function answers it."""

import pytest

from chalicelib.oauth import clients, parameters, token_endpoint
from chalicelib.oauth.tables import Client, OneTimeToken
from chalicelib.oauth.token_request import TokenRequest
from tests.oauth.flow import ISSUER

CLIENT = Client("app_1")


@pytest.mark.parametrize(
    ("ticket", "is_own"),
    [
        (OneTimeToken("d", kind="ac", client_id="app_1"), True),
        (OneTimeToken("d", kind="rt", client_id="app_1"), False),
        (OneTimeToken("d", kind="ac", client_id="app_2"), False),
        (None, False),
    ],
)
def test_ticket_counts_if_it_is_of_its_kind_and_its_clients(ticket: OneTimeToken | None, is_own: bool) -> None:
    """RFC 6749 §5.2: any other is as good as none."""
    request = TokenRequest(parameters.parse_query({}), CLIENT, ticket, ISSUER)
    assert request.get_own("ac") is (ticket if is_own else None)


def test_every_grant_type_that_can_be_registered_is_answered() -> None:
    """And no other."""
    assert set(token_endpoint.GRANTS) == set(clients.GRANT_TYPES)
