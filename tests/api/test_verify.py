"""The route POST /v1/verify, by which other services verify secrets."""

from dataclasses import replace

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.limits import tiers
from tests.oauth.flow import new_user, register_client
from tests.support.harness import TestApp

SHOP, OTHER = "https://shop.example.com", "https://other.example.com"


def _ask(latchkey: TestApp, service: str, secret: str, **more: object) -> dict[str, object]:
    response = latchkey.call("POST", "/v1/verify", service, json_body={"secret": secret, **more})
    assert response.status == 200, response.body
    body: dict[str, object] = response.json()
    return body


def _service(latchkey: TestApp) -> str:
    return latchkey.key(latchkey.account(tiers.ENTERPRISE, name="Service", admin=True), "verify").secret


def test_valid_secret_returns_account_scopes_and_limits(latchkey: TestApp) -> None:
    """For a valid secret, the response contains the secret's account, scopes and remaining limits."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    assert _ask(latchkey, _service(latchkey), issued.secret) == {
        "valid": True,
        "admitted": True,
        "account_id": account.id,
        "user_id": account.user_id,
        "credential_id": issued.key.id,
        "kind": "key",
        "scopes": ["read"],
        "tier": "free",
        "client_id": None,
        "expires_at": None,
        "limits": {"limit": 1000, "remaining": 999, "reset": 1639998000},
    }


@pytest.mark.parametrize(
    "shown",
    [
        *("{}\n", " {}", "{} ", "\t{}\r\n", "Bearer {}", "bearer {}", "  BEARER \t {}  ", "Bearer {}\n"),
        "Bearer " + " " * 500 + "{}",
    ],
)
def test_secret_may_have_whitespace_or_a_bearer_scheme(latchkey: TestApp, shown: str) -> None:
    """A secret may have surrounding whitespace or be the whole value of an Authorization header."""
    secret = latchkey.key(latchkey.account()).secret
    assert _ask(latchkey, _service(latchkey), shown.format(secret))["admitted"]


@pytest.mark.parametrize(
    "shown",
    ["Basic {}", "{} {}", "Bearer", " ", "\n", "\xa0{}", "Bearer\xa0{}", "Bearer Bearer {}", "x{}", "{}x", "\0"],
)
def test_malformed_secret_is_invalid(latchkey: TestApp, shown: str) -> None:
    """Only whitespace and the scheme `Bearer` are removed from a secret before it is checked."""
    secret = latchkey.key(latchkey.account()).secret
    response = _ask(latchkey, _service(latchkey), shown.format(secret, secret))
    assert (response["valid"], response["error"]) == (False, "invalid_api_key")


def test_invalid_secret_returns_the_documented_error(latchkey: TestApp) -> None:
    """For an invalid secret, the response contains the error and message that the API itself would return."""
    response = _ask(latchkey, _service(latchkey), "nonsense")
    assert response == {
        "valid": False,
        "admitted": False,
        "error": "invalid_api_key",
        "message": "The API key provided is invalid.",
    }


def test_exhausted_burst_returns_retry_after(latchkey: TestApp) -> None:
    """A valid secret whose burst is exhausted isn't admitted, and the response says when to retry."""
    account = latchkey.account()
    secret, service = latchkey.key(account).secret, _service(latchkey)
    for _ in range(50):
        assert _ask(latchkey, service, secret)["admitted"]
    refused = _ask(latchkey, service, secret)
    assert (refused["valid"], refused["admitted"], refused["retry_after_s"]) == (True, False, 1)
    assert refused["message"] == "Rate limit exceeded. Try again in 1 seconds."


def test_verification_costs_four_calls_cold_and_two_warm(latchkey: TestApp) -> None:
    """A verification makes four database calls, or two while the principal is cached."""
    secret, service = latchkey.key(latchkey.account()).secret, _service(latchkey)
    latchkey.call("POST", "/v1/verify", service, json_body={"secret": "nonsense"})
    calls = []
    for _ in range(2):
        with telemetry.record_calls() as watched:
            _ask(latchkey, service, secret)
        calls.append([operation for operation, _ in watched.made])
    assert calls == [["UpdateItem", "GetItem", "BatchGetItem", "UpdateItem"], ["UpdateItem", "UpdateItem"]]
    latchkey.clock.forward(61)
    with telemetry.record_calls() as watched:
        _ask(latchkey, service, secret)
    assert len(watched.made) == 4


def test_revoked_secret_is_invalid_at_the_next_request(latchkey: TestApp) -> None:
    """A revoked secret is invalid at the next request, although its principal is cached."""
    account = latchkey.account()
    issued, other, service = latchkey.key(account), latchkey.key(account), _service(latchkey)
    assert _ask(latchkey, service, issued.secret)["admitted"]
    assert latchkey.call("DELETE", f"/v1/keys/{issued.key.id}", other.secret).status == 204
    assert _ask(latchkey, service, issued.secret)["error"] == "invalid_api_key"


def test_verification_needs_the_scope_verify(latchkey: TestApp) -> None:
    """A key without the scope `verify` can't verify secrets."""
    secret = latchkey.key(latchkey.account()).secret
    response = latchkey.call("POST", "/v1/verify", secret, json_body={"secret": secret})
    assert (response.status, response.json()["error"]) == (403, "insufficient_scope")


def test_unknown_field_is_rejected_by_name(latchkey: TestApp) -> None:
    """An unknown field is a 400 that names it."""
    response = latchkey.call("POST", "/v1/verify", _service(latchkey), json_body={"secrets": "x"})
    assert (response.status, response.json()["error"]) == (400, "invalid_request")
    assert "'secrets'" in response.json()["message"]


def test_token_is_valid_only_for_its_resource(latchkey: TestApp) -> None:
    """A token is valid only for the resource that it was issued for (RFC 8707)."""
    service = _service(latchkey)
    with settings.override(replace(settings.current(), resources=f"{SHOP} {OTHER}")):
        ada, app = new_user(latchkey), register_client(latchkey)
        for_shop, _ = ada.grant(app, resource=SHOP)
        for_api, _ = ada.grant(app)
        result = _ask(latchkey, service, for_shop, resource=SHOP)
        assert (result["valid"], result["admitted"], result["kind"]) == (True, True, "token")
        assert (result["account_id"], result["client_id"]) == (ada.account.id, app.id)
        for secret, named in ((for_shop, OTHER), (for_shop, None), (for_api, SHOP)):
            refused = _ask(latchkey, service, secret, **({"resource": named} if named else {}))
            assert (refused["valid"], refused["error"]) == (False, "invalid_api_key")
        # The cached principal is only used for the same resource.
        assert _ask(latchkey, service, for_shop, resource=SHOP)["valid"] is True
        assert latchkey.call("GET", "/v1/limits", for_shop).status == 401


def test_key_is_valid_for_every_resource(latchkey: TestApp) -> None:
    """A key is valid for every resource."""
    secret, service = latchkey.key(latchkey.account()).secret, _service(latchkey)
    assert _ask(latchkey, service, secret, resource=SHOP)["valid"] is True
