"""POST /v1/verify, as a service meets it that is shown somebody's secret."""

from dataclasses import replace

import pytest

from chalicelib.core import settings, telemetry
from chalicelib.limits import tiers
from tests.oauth.flow import new_user, register_client
from tests.support.harness import TestApp

SHOP, OTHER = "https://shop.example.com", "https://other.example.com"


def _ask(latchkey: TestApp, service: str, secret: str, **more: object) -> dict[str, object]:
    answer = latchkey.call("POST", "/v1/verify", service, json_body={"secret": secret, **more})
    assert answer.status == 200, answer.body
    body: dict[str, object] = answer.json()
    return body


def _service(latchkey: TestApp) -> str:
    return latchkey.key(latchkey.account(tiers.ENTERPRISE, name="Service", admin=True), "verify").secret


def test_good_secret_is_told_with_account_scopes_and_limits(latchkey: TestApp) -> None:
    """A service learns whom a secret speaks for, what it may do and what is left of its allowance."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    assert _ask(latchkey, _service(latchkey), issued.secret) == {
        "valid": True,
        "admitted": True,
        "account_id": account.id,
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
def test_secret_is_found_in_what_the_caller_sent(latchkey: TestApp, shown: str) -> None:
    """With the end of the line it was read from, or as the whole value of the header."""
    secret = latchkey.key(latchkey.account()).secret
    assert _ask(latchkey, _service(latchkey), shown.format(secret))["admitted"]


@pytest.mark.parametrize(
    "shown",
    ["Basic {}", "{} {}", "Bearer", " ", "\n", "\xa0{}", "Bearer\xa0{}", "Bearer Bearer {}", "x{}", "{}x", "\0"],
)
def test_text_that_is_no_secret_is_told_as_a_bad_one(latchkey: TestApp, shown: str) -> None:
    """Nothing is cut off it to make it fit but whitespace and the scheme."""
    secret = latchkey.key(latchkey.account()).secret
    answer = _ask(latchkey, _service(latchkey), shown.format(secret, secret))
    assert (answer["valid"], answer["error"]) == (False, "invalid_api_key")


def test_bad_secret_is_told_as_the_api_itself_would(latchkey: TestApp) -> None:
    """A service can pass on the documented error."""
    answer = _ask(latchkey, _service(latchkey), "nonsense")
    assert answer == {
        "valid": False,
        "admitted": False,
        "error": "invalid_api_key",
        "message": "The API key provided is invalid.",
    }


def test_spent_burst_is_told_with_when_to_come_back(latchkey: TestApp) -> None:
    """A request beyond the limit isn't admitted, though its secret is good."""
    account = latchkey.account()
    secret, service = latchkey.key(account).secret, _service(latchkey)
    for _ in range(50):
        assert _ask(latchkey, service, secret)["admitted"]
    refused = _ask(latchkey, service, secret)
    assert (refused["valid"], refused["admitted"], refused["retry_after_s"]) == (True, False, 1)
    assert refused["message"] == "Rate limit exceeded. Try again in 1 seconds."


def test_calls_are_four_cold_and_two_warm(latchkey: TestApp) -> None:
    """Both admissions are counted; within 60 s the principal is not read again."""
    secret, service = latchkey.key(latchkey.account()).secret, _service(latchkey)
    latchkey.call("POST", "/v1/verify", service, json_body={"secret": "nonsense"})
    calls = []
    for _ in range(2):
        with telemetry.record_calls() as watched:
            _ask(latchkey, service, secret)
        calls.append([operation for operation, _ in watched.made])
    assert calls == [["UpdateItem", "GetItem", "GetItem", "UpdateItem"], ["UpdateItem", "UpdateItem"]]
    latchkey.clock.forward(61)
    with telemetry.record_calls() as watched:
        _ask(latchkey, service, secret)
    assert len(watched.made) == 4


def test_revoked_secret_is_refused_at_the_next_question(latchkey: TestApp) -> None:
    """A cached principal never outlives a change."""
    account = latchkey.account()
    issued, other, service = latchkey.key(account), latchkey.key(account), _service(latchkey)
    assert _ask(latchkey, service, issued.secret)["admitted"]
    assert latchkey.call("DELETE", f"/v1/keys/{issued.key.id}", other.secret).status == 204
    assert _ask(latchkey, service, issued.secret)["error"] == "invalid_api_key"


def test_asking_needs_the_scope_verify(latchkey: TestApp) -> None:
    """An ordinary key can't try other people's secrets."""
    secret = latchkey.key(latchkey.account()).secret
    answer = latchkey.call("POST", "/v1/verify", secret, json_body={"secret": secret})
    assert (answer.status, answer.json()["error"]) == (403, "insufficient_scope")


def test_unknown_field_is_refused_by_name(latchkey: TestApp) -> None:
    """A misspelt field doesn't pass in silence."""
    answer = latchkey.call("POST", "/v1/verify", _service(latchkey), json_body={"secrets": "x"})
    assert (answer.status, answer.json()["error"]) == (400, "invalid_request")
    assert "'secrets'" in answer.json()["message"]


def test_token_is_good_for_the_resource_it_was_issued_for_alone(latchkey: TestApp) -> None:
    """A service that names itself isn't taken in by a token for another one, nor by one for this API (RFC 8707)."""
    service = _service(latchkey)
    with settings.override(replace(settings.current(), resources=f"{SHOP} {OTHER}")):
        ada, app = new_user(latchkey), register_client(latchkey)
        for_shop, _ = ada.grant(app, resource=SHOP)
        for_api, _ = ada.grant(app)
        told = _ask(latchkey, service, for_shop, resource=SHOP)
        assert (told["valid"], told["admitted"], told["kind"]) == (True, True, "token")
        assert (told["account_id"], told["client_id"]) == (ada.account.id, app.id)
        for secret, named in ((for_shop, OTHER), (for_shop, None), (for_api, SHOP)):
            refused = _ask(latchkey, service, secret, **({"resource": named} if named else {}))
            assert (refused["valid"], refused["error"]) == (False, "invalid_api_key")
        # What was remembered of one resource says nothing of another.
        assert _ask(latchkey, service, for_shop, resource=SHOP)["valid"] is True
        assert latchkey.call("GET", "/v1/limits", for_shop).status == 401


def test_key_is_good_for_every_resource(latchkey: TestApp) -> None:
    """A key speaks for its account wherever the owner's services are."""
    secret, service = latchkey.key(latchkey.account()).secret, _service(latchkey)
    assert _ask(latchkey, service, secret, resource=SHOP)["valid"] is True
