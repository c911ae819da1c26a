"""The routes /v1/webhooks: endpoints with a secret that is shown once, and the log of their deliveries."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from chalicelib.api import background
from chalicelib.core import settings
from chalicelib.core.process_cache import CACHES
from chalicelib.events import kinds, record
from chalicelib.webhooks import endpoints
from tests.support.harness import TestApp, error_of
from tests.support.webhook_receiver import Receiver
from tests.webhooks.told import happens, streamed

URL = "https://hooks.example.com/latchkey?tenant=7"


def create_webhook(latchkey: TestApp, secret: str, **fields: Any) -> dict[str, Any]:
    """Create a webhook and return it."""
    response = latchkey.call("POST", "/v1/webhooks", secret, json_body={"url": URL, "name": "Ledger", **fields})
    assert response.status == 201, response.body
    assert response.header("Cache-Control") == "no-store"
    made: dict[str, Any] = response.json()
    assert str(response.header("Location")).endswith(f"/v1/webhooks/{made['id']}")
    return made


def test_every_change_of_a_webhook_is_an_event(latchkey: TestApp) -> None:
    """Each change of a webhook is recorded as an event that omits the secret and the query of the URL."""
    ada = latchkey.account()
    secret = latchkey.key(ada, "webhooks").secret
    made = create_webhook(latchkey, secret)
    path = f"/v1/webhooks/{made['id']}"
    assert made["secret"].startswith("whsec_")
    shown = latchkey.call("GET", path, secret).json()
    assert shown == {name: value for name, value in made.items() if name != "secret"}
    assert (shown["types"], shown["status"], shown["url"]) == (["*"], "enabled", URL)
    latchkey.clock.forward(1)
    changed = latchkey.call("PATCH", path, secret, json_body={"types": ["key.revoked", "key.created"], "name": "Audit"})
    assert changed.json() == {**shown, "types": ["key.created", "key.revoked"], "name": "Audit"}
    assert latchkey.call("PATCH", path, secret, json_body={"types": ["*"]}).json()["types"] == ["*"]
    disabled = latchkey.call("PATCH", path, secret, json_body={"status": "disabled"}).json()
    assert (disabled["status"], disabled["disabled_because"]) == ("disabled", "account")
    enabled = latchkey.call("PATCH", path, secret, json_body={"status": "enabled"}).json()
    assert (enabled["status"], enabled["disabled_because"]) == ("enabled", None)
    rotated = latchkey.call("POST", f"{path}/rotate", secret)
    assert rotated.json()["secret"] not in (made["secret"], None)
    assert latchkey.call("GET", "/v1/webhooks", secret).json()["data"] == [enabled]
    assert latchkey.call("DELETE", path, secret).status == 204
    assert error_of(latchkey.call("GET", path, secret)) == (404, "not_found")
    happened = [event for event in record.newest_first(ada.id, 50) if event.type.startswith("webhook.")]
    assert {event.type for event in happened} == {kind for kind in kinds.LABELS if kind.startswith("webhook.")}
    recorded = str([event.changed.as_dict() for event in happened])
    assert "tenant" not in recorded
    assert not any(value in recorded for value in (made["secret"], rotated.json()["secret"]))


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/",
        "ftp://example.com/",
        "https://user:pass@example.com/",
        "https://example.com/#part",
        "https://",
        "example.com",
        "https://exa mple.com/",
        "https://example.com:99999/",
        "https://127.0.0.1/",
        "https://10.0.0.8/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[fd00::1]/",
        "http://127.0.0.1:9000/",
        "https://.example.com/",
        "https://example.com/\u00e9",
        7,
        None,
    ],
)
def test_invalid_url_is_rejected(latchkey: TestApp, url: object) -> None:
    """A malformed, plain HTTP or private URL is a 400; a name that resolves to a private address fails at delivery."""
    secret = latchkey.key(latchkey.account(), "webhooks").secret
    response = latchkey.call("POST", "/v1/webhooks", secret, json_body={"url": url, "name": "Bad"})
    assert error_of(response) == (400, "invalid_request")
    assert "url" in response.json()["message"]
    made = create_webhook(latchkey, secret)
    assert latchkey.call("PATCH", f"/v1/webhooks/{made['id']}", secret, json_body={"url": url}).status == 400


def test_eleventh_webhook_is_a_conflict(latchkey: TestApp) -> None:
    """An account can have ten webhooks, and can replace a deleted one."""
    secret = latchkey.key(latchkey.account(), "webhooks").secret
    made = [create_webhook(latchkey, secret, name=f"No. {number}")["id"] for number in range(10)]
    response = latchkey.call("POST", "/v1/webhooks", secret, json_body={"url": URL, "name": "One more"})
    assert error_of(response) == (409, "conflict")
    assert latchkey.call("DELETE", f"/v1/webhooks/{made[3]}", secret).status == 204
    assert latchkey.call("DELETE", f"/v1/webhooks/{made[3]}", secret).status == 404
    create_webhook(latchkey, secret)
    assert latchkey.call("POST", "/v1/webhooks", secret, json_body={"url": URL, "name": "One more"}).status == 409
    pages = latchkey.call("GET", "/v1/webhooks?limit=4", secret)
    assert (len(pages.json()["data"]), pages.json()["next_cursor"] is None) == (4, False)


def test_webhooks_need_the_scope_and_are_the_accounts_own(latchkey: TestApp) -> None:
    """Webhook routes require the scope `webhooks`, and a webhook of another account is a 404 for every method."""
    ada, bob = latchkey.account(), latchkey.account(name="Bob")
    made = create_webhook(latchkey, latchkey.key(ada, "webhooks").secret)
    path = f"/v1/webhooks/{made['id']}"
    assert latchkey.call("GET", path, latchkey.key(ada, "read", "keys", "events").secret).status == 403
    bobs = latchkey.key(bob, "webhooks").secret
    for method, end, body in (
        ("GET", "", None),
        ("PATCH", "", {"status": "disabled"}),
        ("DELETE", "", None),
        ("POST", "/rotate", None),
        ("POST", "/test", None),
        ("GET", "/deliveries", None),
        ("GET", "/deliveries/evt_0Ss7tMyeLGfao5CaN5Tz", None),
        ("POST", "/deliveries/evt_0Ss7tMyeLGfao5CaN5Tz/resend", None),
    ):
        assert error_of(latchkey.call(method, path + end, bobs, json_body=body)) == (404, "not_found")


def test_second_rotation_within_the_overlap_is_a_conflict(latchkey: TestApp) -> None:
    """A second rotation within 24 hours is a 409, because it would leave three valid secrets."""
    secret = latchkey.key(latchkey.account(), "webhooks").secret
    path = f"/v1/webhooks/{create_webhook(latchkey, secret)['id']}/rotate"
    assert latchkey.call("POST", path, secret).status == 200
    assert error_of(latchkey.call("POST", path, secret)) == (409, "conflict")
    latchkey.clock.forward(86_400)
    assert latchkey.call("POST", path, secret).status == 200


def test_test_message_returns_its_delivery(local: TestApp, receiver: Receiver) -> None:
    """A test message is sent before the response, and the response contains the result of the delivery."""
    secret = local.key(local.account(), "webhooks").secret
    made = create_webhook(local, secret, url=receiver.url)
    receiver.statuses, receiver.response_body = [200], b"thank you"
    response = local.call("POST", f"/v1/webhooks/{made['id']}/test", secret).json()
    assert (response["type"], response["state"]) == ("webhook.test", "delivered")
    assert [(each["status"], each["answer"]) for each in response["attempts"]] == [(200, "thank you")]
    assert receiver.ids == [response["id"]]
    receiver.statuses = [500]
    failed = local.call("POST", f"/v1/webhooks/{made['id']}/test", secret).json()
    assert (failed["state"], failed["attempts"][0]["status"]) == ("pending", 500)
    assert failed["next_attempt_at"] is not None


def test_deliveries_are_listed_and_resent(local: TestApp, receiver: Receiver) -> None:
    """Deliveries are listed newest first in pages, and a resent delivery has the same id."""
    ada = local.account()
    secret = local.key(ada, "webhooks").secret
    made = create_webhook(local, secret, url=receiver.url, types=["account.renamed"])
    receiver.statuses = [500, 204]
    happened = [happens(local, ada, f"Ada {number}") for number in range(3)]
    streamed(ada)
    background.every_minute()
    path = f"/v1/webhooks/{made['id']}/deliveries"
    page = local.call("GET", f"{path}?limit=2", secret).json()
    assert [each["id"] for each in page["data"]] == happened[:0:-1]
    rest = local.call("GET", f"{path}?cursor={page['next_cursor']}", secret).json()["data"]
    assert [each["id"] for each in rest] == happened[:1]
    first = local.call("GET", f"{path}/{happened[0]}", secret).json()
    assert first == rest[0]
    assert (first["state"], first["attempts"][0]["problem"]) == ("pending", "The endpoint responded with 500.")
    again = local.call("POST", f"{path}/{happened[0]}/resend", secret).json()
    assert (again["state"], len(again["attempts"])) == ("delivered", 2)
    assert again["body"] == receiver.received[-1].body.decode()
    assert error_of(local.call("POST", f"{path}/evt_{'0' * 20}/resend", secret)) == (404, "not_found")


def test_event_while_the_webhook_is_disabled_is_never_delivered(local: TestApp, receiver: Receiver) -> None:
    """An event that occurs while the webhook is disabled has no delivery, and is never sent."""
    ada = local.account()
    secret = local.key(ada, "webhooks", "events").secret
    path = f"/v1/webhooks/{create_webhook(local, secret, url=receiver.url, types=['account.renamed'])['id']}"
    local.call("PATCH", path, secret, json_body={"status": "disabled"})
    missed = happens(local, ada, "Ada L")
    streamed(ada)
    local.clock.forward(1)
    local.call("PATCH", path, secret, json_body={"status": "enabled"})
    background.every_minute()
    assert local.call("GET", f"{path}/deliveries", secret).json()["data"] == []
    assert error_of(local.call("POST", f"{path}/deliveries/{missed}/resend", secret)) == (404, "not_found")
    assert missed in [event["id"] for event in local.call("GET", "/v1/events", secret).json()["data"]]
    assert receiver.ids == []
    guide = (Path(__file__).parents[2] / "docs" / "webhooks.md").read_text()
    assert "Events that happen while a webhook is disabled are never sent to it" in guide


def test_disabled_webhook_sends_no_test_message(latchkey: TestApp) -> None:
    """A test message to a disabled webhook is a 409."""
    secret = latchkey.key(latchkey.account(), "webhooks").secret
    path = f"/v1/webhooks/{create_webhook(latchkey, secret)['id']}"
    latchkey.call("PATCH", path, secret, json_body={"status": "disabled"})
    assert error_of(latchkey.call("POST", f"{path}/test", secret)) == (409, "conflict")


def test_missing_root_key_creates_no_webhook(latchkey: TestApp) -> None:
    """Without the root key, from which secrets are derived, creating a webhook is a 503 and creates nothing."""
    ada = latchkey.account()
    secret = latchkey.key(ada, "webhooks").secret
    CACHES["core.root_key"].clear()
    with settings.override(replace(settings.current(), stage_key_file="/nowhere/key")):
        response = latchkey.call("POST", "/v1/webhooks", secret, json_body={"url": URL, "name": "Ledger"})
    CACHES["core.root_key"].clear()
    assert error_of(response) == (503, "unavailable")
    assert list(endpoints.of_account(ada.id)) == []
