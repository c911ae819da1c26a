"""The scopes and resources of tokens: those of the grant, or fewer."""

from dataclasses import replace

import pytest

from chalicelib.core import secrets, settings
from tests.oauth.flow import ISSUER, App
from tests.oauth.test_exchange import FILES, find_stored, store_approval
from tests.support.harness import TestApp


@pytest.mark.parametrize(
    ("granted", "requested", "expected"),
    [
        ({FILES, ISSUER}, [], {FILES, ISSUER}),
        ({FILES, ISSUER}, [FILES], {FILES}),
        ({FILES, ISSUER}, [ISSUER, FILES], {FILES, ISSUER}),
        ({FILES}, [ISSUER], None),
        (None, [ISSUER], {ISSUER}),
        (None, [], set()),
        (None, [FILES], None),
        (None, [ISSUER, FILES], None),
    ],
)
def test_token_has_the_granted_resources_or_fewer(
    latchkey: TestApp, app: App, granted: set[str] | None, requested: list[str], expected: set[str] | None
) -> None:
    """RFC 8707 §2.2: a request may limit the granted resources, and a consent without a resource covers this API."""
    secret = secrets.mint("rt")
    store_approval(latchkey, app, kind="rt", secret=secret, resources=granted)
    with settings.override(replace(settings.current(), resources=FILES)):
        response = app.refresh(secret, resource=requested)
    if expected is None:
        assert (response.status, response.json()["error"]) == (400, "invalid_target")
    else:
        assert (find_stored(response.json()).attribute_values.get("resources") or set()) == expected


@pytest.mark.parametrize(
    ("scope", "expected"),
    [(None, "read write"), ("read", "read"), ("write read", "read write"), ("openid", "read write"), ("keys", None)],
)
def test_token_has_the_granted_scopes_or_fewer(
    latchkey: TestApp, app: App, scope: str | None, expected: str | None
) -> None:
    """RFC 6749 §6: a refresh may request the granted scopes or fewer."""
    secret = secrets.mint("rt")
    store_approval(latchkey, app, kind="rt", secret=secret)
    response = app.refresh(secret, scope=scope)
    if expected is None:
        assert (response.status, response.json()["error"]) == (400, "invalid_scope")
    else:
        assert response.json()["scope"] == expected
