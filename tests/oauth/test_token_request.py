"""Token requests without HTTP: whether a presented code or token is accepted, and the grant types."""

import pytest

from chalicelib.oauth import clients, parameters, token_endpoint
from chalicelib.oauth.tables import Client, OneTimeToken
from chalicelib.oauth.token_request import TokenRequest
from tests.oauth.flow import ISSUER

CLIENT = Client("app_1")


@pytest.mark.parametrize(
    ("one_time_token", "is_own"),
    [
        (OneTimeToken("d", kind="ac", client_id="app_1"), True),
        (OneTimeToken("d", kind="rt", client_id="app_1"), False),
        (OneTimeToken("d", kind="ac", client_id="app_2"), False),
        (None, False),
    ],
)
def test_presented_token_must_have_its_kind_and_client(one_time_token: OneTimeToken | None, is_own: bool) -> None:
    """RFC 6749 §5.2: a presented token of another type or of another client counts as unknown."""
    request = TokenRequest(parameters.parse_query({}), CLIENT, one_time_token, ISSUER)
    assert request.get_own("ac") is (one_time_token if is_own else None)


def test_every_registrable_grant_type_is_supported() -> None:
    """The token endpoint supports exactly the grant types that a client can register."""
    assert set(token_endpoint.GRANTS) == set(clients.GRANT_TYPES)
