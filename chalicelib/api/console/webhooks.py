"""Settings > Webhooks: endpoints, their deliveries, and resending. A secret is shown once."""

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
from chalicelib.webhooks import deliver, endpoints, fan_out, payload, send_delivery, signing, states
from chalicelib.webhooks.states import DISABLED, ENABLED
from chalicelib.webhooks.tables import Delivery, Endpoint

NAME = Text(max_length=64)
URL = Text(max_length=2_000)
TYPES = EnumList(tuple(kinds.OF_ACCOUNT))
PAGE_SIZE = 25
"""Number of deliveries on a page."""
HOME = "/settings/webhooks"


@dataclass(frozen=True, slots=True)
class Row:
    """A delivery as a row of the log."""

    delivery: Delivery
    event: str
    last_status: str


def show_webhooks(request: PageRequest) -> Render:
    """List the account's webhooks."""
    return Render("webhooks", {"webhooks": list(endpoints.of_account(request.account.id))})


def show_new_webhook(request: PageRequest) -> Render:
    """Show the form for a new webhook."""
    unverified.require_verified_email(request.user.user)
    values = {"subjects": kinds.by_subject(), "ticket": randomness.base62(30), "is_local": send_delivery.is_local()}
    return Render("webhook_new", values)


def add(request: PageRequest) -> Render:
    """Add a webhook and show its secret once."""
    account, user_id = request.account, request.user.user.id
    url, name, types = _form_values(request)
    endpoint = endpoints.create(
        account.id, url=url, name=name, types=types, user_id=user_id, form=request.text("ticket")
    )
    return _secret(endpoint, rotated=False)


def show_webhook(request: PageRequest, webhook_id: str) -> Render:
    """Show one webhook with its forms and deliveries."""
    endpoint = _find_owned(request, webhook_id)
    before = request.query.get("before", "")
    # A malformed id, such as that of a truncated link, shows the first page instead of an error.
    before = before if ids.is_id(before, "evt") else ""
    found = list(fan_out.of_endpoint(endpoint.id, PAGE_SIZE + 1, before=before))
    values = {
        "webhook": endpoint,
        "rows": [Row(each, _event_label(each.type), _last_status(each)) for each in found[:PAGE_SIZE]],
        "older": found[PAGE_SIZE - 1].id if len(found) > PAGE_SIZE else None,
        "before": before,
        "kinds": kinds.OF_ACCOUNT,
        "subjects": kinds.by_subject(),
    }
    return Render("webhook", values)


def change(request: PageRequest, webhook_id: str) -> Redirect:
    """Change the URL, the name and the event types of a webhook."""
    endpoint = _find_owned(request, webhook_id)
    url, name, types = _form_values(request)
    endpoints.change(endpoint, url=url, name=name, types=types or [])
    return Redirect(f"{HOME}/{webhook_id}", "webhook-changed")


def confirm_disable(request: PageRequest, webhook_id: str) -> Render:
    """Ask for confirmation before a webhook is disabled: events that happen until it is enabled again are never sent to
    it.
    """
    return _ask(
        _find_owned(request, webhook_id),
        heading="Disable “{name}”?",
        consequence="No events are sent until you enable it again. Events that happen until then are never sent.",
        step="status",
        button="Disable webhook",
        hidden={"status": [DISABLED]},
    )


def set_status(request: PageRequest, webhook_id: str) -> Redirect:
    """Disable a webhook, or enable it again."""
    endpoint = _find_owned(request, webhook_id)
    if request.text("status") == ENABLED:
        endpoints.enable(endpoint)
        return Redirect(f"{HOME}/{webhook_id}", "webhook-enabled")
    endpoints.disable(endpoint, states.BY_ACCOUNT)
    return Redirect(f"{HOME}/{webhook_id}", "webhook-disabled")


def confirm_rotate_secret(request: PageRequest, webhook_id: str) -> Render:
    """Ask for confirmation before the secret is rotated."""
    return _ask(
        _find_owned(request, webhook_id),
        heading="Rotate the secret of “{name}”?",
        consequence="The new secret is shown once. Both secrets sign messages for 24 hours; then the old one stops.",
        step="secret",
        button="Rotate secret",
        is_danger=False,
    )


def rotate_secret(request: PageRequest, webhook_id: str) -> Render:
    """Rotate the secret of a webhook and show the new one once."""
    return _secret(endpoints.rotate_secret(_find_owned(request, webhook_id)), rotated=True)


def test(request: PageRequest, webhook_id: str) -> Redirect:
    """Send a test message and show its delivery."""
    endpoint = _find_owned(request, webhook_id)
    admit_by_hand(request.exchange, endpoint.account_id)
    return Redirect(f"{HOME}/{webhook_id}/deliveries/{deliver.send_test(endpoint).id}")


def confirm_delete(request: PageRequest, webhook_id: str) -> Render:
    """Ask for confirmation before a webhook is deleted."""
    return _ask(
        _find_owned(request, webhook_id),
        heading="Delete “{name}”?",
        consequence="Pending deliveries are dropped, and the secret becomes invalid. This can't be undone.",
        step="delete",
        button="Delete webhook",
    )


def delete(request: PageRequest, webhook_id: str) -> Redirect:
    """Delete a webhook."""
    endpoints.delete(_find_owned(request, webhook_id))
    return Redirect(HOME, "webhook-deleted")


def show_delivery(request: PageRequest, webhook_id: str, message_id: str) -> Render:
    """Show one delivery: its request and the response of each attempt."""
    endpoint = _find_owned(request, webhook_id)
    delivery = deliver.find_delivery(endpoint, message_id)
    values = {
        "webhook": endpoint,
        "delivery": delivery,
        "event": _event_label(delivery.type),
        "body": json.dumps(json.loads(payload.body_of(delivery)), indent=2, ensure_ascii=False),
    }
    return Render("webhook_delivery", values)


def resend(request: PageRequest, webhook_id: str, message_id: str) -> Redirect:
    """Send a delivery again."""
    endpoint = _find_owned(request, webhook_id)
    admit_by_hand(request.exchange, endpoint.account_id)
    deliver.resend(endpoint, message_id)
    return Redirect(f"{HOME}/{webhook_id}/deliveries/{message_id}", "webhook-resent")


def _ask(endpoint: Endpoint, *, heading: str, consequence: str, step: str, button: str, **more: Any) -> Render:
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
    return Render("webhook_created", {"webhook": endpoint, "secret": signing.secret_of(endpoint), "rotated": rotated})


def _event_label(kind: str) -> str:
    return "Test message" if kind == states.TEST else kinds.OF_ACCOUNT.get(kind, kind)


def _last_status(delivery: Delivery) -> str:
    if not delivery.attempts:
        return "–"
    last = delivery.attempts[-1]
    return str(last.status) if last.status is not None else str(last.problem)


def _form_values(request: PageRequest) -> tuple[str, str, list[str] | None]:
    """Return URL, name and event types of a form; raise InvalidRequest with the label of an invalid field."""
    return request.check("url", URL), request.check("name", NAME), _types(request)


def _types(request: PageRequest) -> list[str] | None:
    """Return the selected event types; None, which means all types, if none is selected."""
    chosen = request.form.get("types", [])
    return request.check("types", TYPES, chosen) if chosen else None


def _find_owned(request: PageRequest, webhook_id: str) -> Endpoint:
    return endpoints.find_owned(request.account.id, webhook_id)
