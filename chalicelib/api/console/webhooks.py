"""Settings > Webhooks: where events are sent, what became of each, and sending again. A secret is shown once."""

import json
from dataclasses import dataclass
from typing import Any

from chalicelib.accounts import unverified
from chalicelib.api.console import confirm
from chalicelib.api.console.outcomes import Redirect, Render
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.schema.fields import EnumList, Text
from chalicelib.api.webhook_deliveries import admit_by_hand
from chalicelib.core import ids, randomness
from chalicelib.events import kinds
from chalicelib.webhooks import deliver, endpoints, fan_out, payload, signing, states
from chalicelib.webhooks.states import DISABLED, ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint

NAME = Text(max_length=64)
URL = Text(max_length=2_000)
TYPES = EnumList(tuple(kinds.WORDS))
SHOWN = 25
"""So many deliveries stand on a page."""
HOME = "/settings/webhooks"


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as the log shows it."""

    delivery: Delivery
    what: str
    last_status: str


def show_webhooks(request: PageRequest) -> Render:
    """List the account's webhooks."""
    return Render("webhooks", {"webhooks": list(endpoints.of_account(request.person.account.id))})


def show_new_webhook(request: PageRequest) -> Render:
    """Show the form for a new webhook."""
    unverified.check_proven(request.person.account)
    return Render("webhook_new", {"subjects": kinds.by_subject(), "ticket": randomness.base62(30)})


def add(request: PageRequest) -> Render:
    """Add a webhook and show its secret, this once."""
    account = request.person.account
    url, name, types = _filled_in(request)
    endpoint = endpoints.create(account.id, url=url, name=name, types=types, form=request.text("ticket"))
    return _secret(endpoint, rotated=False)


def show_webhook(request: PageRequest, webhook_id: str) -> Render:
    """Show one webhook, what can be done with it, and its log."""
    endpoint = _owned(request, webhook_id)
    before = request.query.get("before", "")
    # What is no id is the first page: a link that was cut needs no error.
    before = before if ids.is_id(before, "evt") else ""
    found = list(fan_out.of_endpoint(endpoint.id, SHOWN + 1, before=before))
    matter = {
        "webhook": endpoint,
        "rows": [Row(each, _what(each.type), _last_status(each)) for each in found[:SHOWN]],
        "older": found[SHOWN - 1].id if len(found) > SHOWN else None,
        "before": before,
        "kinds": kinds.WORDS,
        "subjects": kinds.by_subject(),
    }
    return Render("webhook", matter)


def change(request: PageRequest, webhook_id: str) -> Redirect:
    """Change where a webhook leads, its name or its types."""
    endpoint = _owned(request, webhook_id)
    url, name, types = _filled_in(request)
    endpoints.change(endpoint, url=url, name=name, types=types or [])
    return Redirect(f"{HOME}/{webhook_id}", "webhook-changed")


def confirm_disable(request: PageRequest, webhook_id: str) -> Render:
    """Ask before a webhook is disabled: what happens until it is enabled again is never sent to it."""
    return _asked(
        _owned(request, webhook_id),
        heading="Disable “{name}”?",
        consequence="Nothing more is sent to it until you enable it again, and what happens until then never is.",
        step="status",
        button="Disable webhook",
        hidden={"status": [DISABLED]},
    )


def set_status(request: PageRequest, webhook_id: str) -> Redirect:
    """Disable a webhook, or enable it again."""
    endpoint = _owned(request, webhook_id)
    if request.text("status") == ENABLED:
        endpoints.enable(endpoint)
        return Redirect(f"{HOME}/{webhook_id}", "webhook-enabled")
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    return Redirect(f"{HOME}/{webhook_id}", "webhook-disabled")


def confirm_rotate_secret(request: PageRequest, webhook_id: str) -> Render:
    """Ask before a webhook gets another secret."""
    return _asked(
        _owned(request, webhook_id),
        heading="Rotate the secret of “{name}”?",
        consequence="A new secret is shown once. For 24 hours both secrets sign every message; then the old one stops.",
        step="secret",
        button="Rotate secret",
        is_danger=False,
    )


def rotate_secret(request: PageRequest, webhook_id: str) -> Render:
    """Give a webhook another secret and show it, this once."""
    return _secret(endpoints.rotate_secret(_owned(request, webhook_id)), rotated=True)


def test(request: PageRequest, webhook_id: str) -> Redirect:
    """Send a test message and show what came of it."""
    endpoint = _owned(request, webhook_id)
    admit_by_hand(request.exchange, endpoint.account_id)
    return Redirect(f"{HOME}/{webhook_id}/deliveries/{deliver.send_test(endpoint).id}")


def confirm_delete(request: PageRequest, webhook_id: str) -> Render:
    """Ask before a webhook is deleted: it is for good."""
    return _asked(
        _owned(request, webhook_id),
        heading="Delete “{name}”?",
        consequence="What waits for it is dropped, and its secret is of no use any more. This can't be undone.",
        step="delete",
        button="Delete webhook",
    )


def delete(request: PageRequest, webhook_id: str) -> Redirect:
    """Delete a webhook."""
    endpoints.delete(_owned(request, webhook_id))
    return Redirect(HOME, "webhook-deleted")


def show_delivery(request: PageRequest, webhook_id: str, message_id: str) -> Render:
    """Show one delivery: what is sent, and what each attempt was answered."""
    endpoint = _owned(request, webhook_id)
    delivery = deliver.delivery_of(endpoint, message_id)
    matter = {
        "webhook": endpoint,
        "delivery": delivery,
        "what": _what(delivery.type),
        "body": json.dumps(json.loads(payload.body_of(delivery)), indent=2, ensure_ascii=False),
    }
    return Render("webhook_delivery", matter)


def resend(request: PageRequest, webhook_id: str, message_id: str) -> Redirect:
    """Send a delivery again."""
    endpoint = _owned(request, webhook_id)
    admit_by_hand(request.exchange, endpoint.account_id)
    deliver.resend(endpoint, message_id)
    return Redirect(f"{HOME}/{webhook_id}/deliveries/{message_id}", "webhook-resent")


def _asked(endpoint: Endpoint, *, heading: str, consequence: str, step: str, button: str, **more: Any) -> Render:
    path = f"{HOME}/{endpoint.id}"
    return confirm.ask(
        confirm.Question(
            heading=heading.format(name=endpoint.name),
            consequence=consequence,
            about=endpoint.url,
            action=f"{path}/{step}",
            button=button,
            back=path,
            back_label=endpoint.name,
            **more,
        )
    )


def _secret(endpoint: Endpoint, *, rotated: bool) -> Render:
    return Render("webhook_made", {"webhook": endpoint, "secret": signing.secret_of(endpoint), "rotated": rotated})


def _what(kind: str) -> str:
    return "Test message" if kind == states.TEST else kinds.WORDS.get(kind, kind)


def _last_status(delivery: Delivery) -> str:
    if not delivery.attempts:
        return "–"
    last = delivery.attempts[-1]
    return str(last.status) if last.status is not None else str(last.problem)


def _filled_in(request: PageRequest) -> tuple[str, str, list[str] | None]:
    """Return URL, name and types as a form has them; raise InvalidRequest naming what is wrong."""
    return request.check("url", URL), request.check("name", NAME), _types(request)


def _types(request: PageRequest) -> list[str] | None:
    """Return the types that were chosen, None for all: a form with nothing chosen means everything."""
    chosen = request.form.get("types", [])
    return request.check("types", TYPES, chosen) if chosen else None


def _owned(request: PageRequest, webhook_id: str) -> Endpoint:
    return endpoints.owned(request.person.account.id, webhook_id)
