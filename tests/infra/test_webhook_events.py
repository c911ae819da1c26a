"""docs/webhook-events.md shows a message of each event type exactly as it is sent.

`tests/support/stored_items.py` compares the events that other tests store with this page.
"""

import json
from pathlib import Path

import pytest

from chalicelib.events import kinds
from chalicelib.webhooks import payload
from infra import webhook_events
from tests.support import stored_items

ROOT = Path(__file__).parents[2]


def test_page_is_as_printed() -> None:
    """docs/webhook-events.md equals the output of `make reference`, which must be run after a change of an event."""
    assert webhook_events.PAGE.read_text() == webhook_events.page()


OF_ACCOUNTS = [kind for kind in kinds.LABELS if not kinds.is_of_user(kind)]


@pytest.mark.parametrize("kind", OF_ACCOUNTS)
def test_every_type_has_an_example_with_all_fields(kind: str) -> None:
    """The example of every type of an account's events has exactly the fields in the guide's table."""
    sent = json.loads(webhook_events.example(kind))
    assert (sent["type"], sent["data"]["type"]) == (kind, kind)
    assert sent["data"].keys() == {"id", "type", "created_at", "actor", "user_id", "source_ip", "changed", "reason"}
    documented, told = set(stored_items.documented()[kind]), set(sent["data"]["changed"])
    alternatives = {"token"} if {"key", "token"} <= documented else {"application"} if "key" in documented else set()
    assert documented - told - alternatives == set()
    assert told <= documented
    assert f"### `{kind}`" in webhook_events.page()


def test_every_type_is_about_one_subject() -> None:
    """Every type of an account's events has exactly one subject, so the webhook form lists the type once."""
    offered = [kind for types in kinds.by_subject().values() for kind in types]
    assert sorted(offered) == sorted(OF_ACCOUNTS)


def test_no_example_is_an_event_of_a_user() -> None:
    """A user's own events have no example, because no webhook receives them."""
    assert webhook_events.EXAMPLES.keys() == set(OF_ACCOUNTS)
    assert stored_items.OF_USERS.keys() == kinds.LABELS.keys() - set(OF_ACCOUNTS)
    for kind, fields in stored_items.OF_USERS.items():
        assert list(fields) == stored_items.documented()[kind]


@pytest.mark.parametrize(
    ("told", "is_alike"),
    [
        ({"application": "app_0V5kqWn4Zr8TfYb2LcXd"}, True),
        ({"application": "https://client.example/id"}, True),
        ({"application": "Photos"}, False),
        ({"application": "key_0V5kqWn4Zr8TfYb2LcXd"}, False),
    ],
)
def test_event_unlike_its_example_is_detected(told: dict[str, str], is_alike: bool) -> None:
    """A field whose form differs from that of the example is reported."""
    assert (list(stored_items._unlike_its_example(kinds.CONSENT_WITHDRAWN, told)) == []) is is_alike


def test_guide_shows_the_test_message_as_it_is_sent() -> None:
    """The test message in the guide has the same fields as a real one."""
    guide = (ROOT / "docs" / "webhooks.md").read_text().splitlines()
    (shown,) = [json.loads(line) for line in guide if line.startswith('{"type":"webhook.test"')]
    sent = json.loads(payload.of_test("whk_x", "evt_x"))
    assert (shown.keys(), shown["data"].keys()) == (sent.keys(), sent["data"].keys())
    assert shown["data"]["changed"].keys() == sent["data"]["changed"].keys()
