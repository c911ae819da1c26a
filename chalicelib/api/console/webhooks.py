"""Settings > Webhooks: where events are sent, what became of each, and sending again. A secret is shown once."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import links
from chalicelib.api.console.frame import Gone, Shown, Visit
from chalicelib.api.fields import SomeOf, Text
from chalicelib.api.webhooks import admit_by_hand
from chalicelib.core import errors, ids, randomness
from chalicelib.events import kinds
from chalicelib.webhooks import deliver, endpoints, fan_out, message, signing, states
from chalicelib.webhooks.states import ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint

NAME = Text(most=64)
URL = Text(most=2_000)
TYPES = SomeOf(tuple(kinds.WORDS))
SHOWN = 25
"""So many deliveries stand on a page."""
HOME = "/settings/webhooks"


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as the log shows it."""

    delivery: Delivery
    what: str
    last_status: str


def show_webhooks(visit: Visit) -> Shown:
    """List the account's webhooks."""
    return Shown("webhooks", {"webhooks": list(endpoints.of_account(visit.person.account.id))})


def show_new_webhook(visit: Visit) -> Shown:
    """Show the form for a new webhook."""
    links.check_proven(visit.person.account)
    return _new_form(visit, problem=None, status=200)


def add(visit: Visit) -> Shown:
    """Add a webhook and show its secret, this once."""
    account = visit.person.account
    try:
        url, name, types = _filled_in(visit)
        endpoint = endpoints.create(account.id, url=url, name=name, types=types, form=visit.text("ticket"))
    except (errors.InvalidRequest, errors.Conflict) as error:
        return _new_form(visit, problem=error.message, status=error.status)
    return _secret(endpoint, rotated=False)


def show_webhook(visit: Visit, webhook_id: str) -> Shown:
    """Show one webhook, what can be done with it, and its log."""
    return _page(visit, _owned(visit, webhook_id), problem=None, status=200)


def change(visit: Visit, webhook_id: str) -> Shown | Gone:
    """Change where a webhook leads, its name or its types."""
    endpoint = _owned(visit, webhook_id)
    try:
        url, name, types = _filled_in(visit)
        endpoints.change(endpoint, url=url, name=name, types=types or [])
    except (errors.InvalidRequest, errors.Conflict) as error:
        typed = {name: visit.text(name) for name in ("name", "url")} | {"types": visit.form.get("types", [])}
        return _page(visit, endpoint, problem=error.message, status=error.status, typed=typed)
    return Gone(f"{HOME}/{webhook_id}", "webhook-changed")


def set_status(visit: Visit, webhook_id: str) -> Shown | Gone:
    """Disable a webhook, or enable it again."""
    endpoint = _owned(visit, webhook_id)
    if visit.text("status") == ENABLED:
        try:
            endpoints.enable(endpoint)
        except errors.Conflict as error:
            return _page(visit, endpoint, problem=error.message, status=error.status)
        return Gone(f"{HOME}/{webhook_id}", "webhook-enabled")
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    return Gone(f"{HOME}/{webhook_id}", "webhook-disabled")


def rotate_secret(visit: Visit, webhook_id: str) -> Shown:
    """Give a webhook another secret and show it, this once."""
    endpoint = _owned(visit, webhook_id)
    try:
        return _secret(endpoints.rotate_secret(endpoint), rotated=True)
    except errors.Conflict as error:
        return _page(visit, endpoint, problem=error.message, status=error.status)


def test(visit: Visit, webhook_id: str) -> Shown | Gone:
    """Send a test message and show what came of it."""
    endpoint = _owned(visit, webhook_id)
    admit_by_hand(visit.exchange, endpoint.account_id)
    try:
        return Gone(f"{HOME}/{webhook_id}/deliveries/{deliver.send_test(endpoint).id}")
    except errors.Conflict as error:
        return _page(visit, endpoint, problem=error.message, status=error.status)


def delete(visit: Visit, webhook_id: str) -> Gone:
    """Delete a webhook."""
    endpoints.delete(_owned(visit, webhook_id))
    return Gone(HOME, "webhook-deleted")


def show_delivery(visit: Visit, webhook_id: str, message_id: str) -> Shown:
    """Show one delivery: what is sent, and what each attempt was answered."""
    endpoint = _owned(visit, webhook_id)
    return _delivery(endpoint, deliver.delivery_of(endpoint, message_id), problem=None, status=200)


def resend(visit: Visit, webhook_id: str, message_id: str) -> Shown | Gone:
    """Send a delivery again."""
    endpoint = _owned(visit, webhook_id)
    admit_by_hand(visit.exchange, endpoint.account_id)
    try:
        deliver.resend(endpoint, message_id)
    except errors.Conflict as error:
        found = deliver.delivery_of(endpoint, message_id)
        return _delivery(endpoint, found, problem=error.message, status=error.status)
    return Gone(f"{HOME}/{webhook_id}/deliveries/{message_id}", "webhook-resent")


def _page(
    visit: Visit, endpoint: Endpoint, *, problem: str | None, status: int, typed: dict[str, Any] | None = None
) -> Shown:
    before = visit.query.get("before", "")
    # What is no id is the first page: a link that was cut needs no error.
    before = before if ids.is_id(before, "evt") else ""
    found = list(fan_out.of_endpoint(endpoint.id, SHOWN + 1, before=before))
    matter = {
        "webhook": endpoint,
        "rows": [Row(each, _what(each.type), _last_status(each)) for each in found[:SHOWN]],
        "older": found[SHOWN - 1].id if len(found) > SHOWN else None,
        "before": before,
        "kinds": kinds.WORDS,
        "typed": typed or {"name": endpoint.name, "url": endpoint.url, "types": endpoint.types or []},
        "problem": problem,
    }
    return Shown("webhook", matter, status)


def _new_form(visit: Visit, *, problem: str | None, status: int) -> Shown:
    matter = {
        "name": visit.text("name"),
        "target": visit.text("url"),
        "chosen": visit.form.get("types", []),
        "kinds": kinds.WORDS,
        "problem": problem,
        "ticket": randomness.base62(30),
    }
    return Shown("webhook_new", matter, status)


def _secret(endpoint: Endpoint, *, rotated: bool) -> Shown:
    return Shown("webhook_made", {"webhook": endpoint, "secret": signing.secret_of(endpoint), "rotated": rotated})


def _delivery(endpoint: Endpoint, delivery: Delivery, *, problem: str | None, status: int) -> Shown:
    matter = {
        "webhook": endpoint,
        "delivery": delivery,
        "what": _what(delivery.type),
        "body": json.dumps(json.loads(message.body_of(delivery)), indent=2, ensure_ascii=False),
        "problem": problem,
    }
    return Shown("webhook_delivery", matter, status)


def _what(kind: str) -> str:
    return "Test message" if kind == states.TEST else kinds.WORDS.get(kind, kind)


def _last_status(delivery: Delivery) -> str:
    if not delivery.attempts:
        return "–"
    last = delivery.attempts[-1]
    return str(last.status) if last.status is not None else str(last.problem)


def _filled_in(visit: Visit) -> tuple[str, str, list[str] | None]:
    """Return URL, name and types as a form has them; raise InvalidRequest naming what is wrong."""
    return URL.check("The URL", visit.text("url")), NAME.check("The name", visit.text("name")), _types(visit)


def _types(visit: Visit) -> list[str] | None:
    """Return the types that were chosen, None for all: a form with nothing chosen means everything."""
    chosen = visit.form.get("types", [])
    return TYPES.check("The types", chosen) if chosen else None


def _owned(visit: Visit, webhook_id: str) -> Endpoint:
    return endpoints.owned(visit.person.account.id, webhook_id)
