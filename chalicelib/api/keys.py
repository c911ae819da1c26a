"""/v1/keys: an account's own API keys. A secret is in the 201 that made it and nowhere else."""

from typing import Any

from chalice.app import Blueprint, Response

from chalicelib.api import answers, listing, visitor
from chalicelib.api.edge import Exchange, route
from chalicelib.api.fields import SomeOf, Text, Whole, read_body
from chalicelib.core import clock, errors
from chalicelib.credentials import change, find, issue, revoke, rotate, scopes
from chalicelib.credentials.scopes import KEYS
from chalicelib.credentials.tables import Credential
from chalicelib.limits.usage import last_used_hours
from chalicelib.limits.windows import counter_of

NAME = Text(most=64)
SCOPES = SomeOf(scopes.ALL)
LIFE_S = Whole(60, 10 * 365 * 86_400)
GRACE_S = Whole(0, rotate.GRACE_MAX_S)

blueprint = Blueprint(__name__)


@route(blueprint, "/v1/keys", methods=["GET"], scopes=[KEYS])
def list_keys(exchange: Exchange) -> Response:
    """List the account's keys, oldest first; ended ones until 30 days past their end."""
    page = listing.asked_for(exchange, "key")
    account_id = exchange.verdict.account_id
    found = list(find.keys_of(account_id, after=page.after or find.FIRST_KEY_ID, limit=page.size + 1))
    used = last_used_hours(account_id, {counter_of(key.id) for key in found})
    return listing.answer(exchange, page, found, lambda key: record(key, used))


@route(blueprint, "/v1/keys/{key_id}", methods=["GET"], scopes=[KEYS])
def show_key(exchange: Exchange, key_id: str) -> dict[str, Any]:
    """Show one key."""
    key = find.owned_key(exchange.verdict.account_id, key_id)
    return _with_last_use(key)


@route(blueprint, "/v1/keys", methods=["POST"], scopes=[KEYS])
def create_key(exchange: Exchange) -> Response:
    """Make a key with at most the caller's own scopes."""
    body = read_body(exchange.request.raw_body, {"name": NAME, "scopes": SCOPES}, {"expires_in_s": LIFE_S})
    issued = issue.issue_key(
        exchange.verdict, name=body["name"], wanted=body["scopes"], expires_in_s=body["expires_in_s"]
    )
    return _shown_once(exchange, issued)


@route(blueprint, "/v1/keys/{key_id}/rotate", methods=["POST"], scopes=[KEYS])
def rotate_key(exchange: Exchange, key_id: str) -> Response:
    """Replace a key; the old one works on for `grace_s` seconds."""
    body = read_body(exchange.request.raw_body or b"{}", {}, {"grace_s": GRACE_S})
    grace_s = rotate.GRACE_DEFAULT_S if body["grace_s"] is None else body["grace_s"]
    return _shown_once(exchange, rotate.rotate(exchange.verdict, key_id, grace_s))


@route(blueprint, "/v1/keys/{key_id}", methods=["PATCH"], scopes=[KEYS])
def change_key(exchange: Exchange, key_id: str) -> dict[str, Any]:
    """Rename a key or narrow its scopes."""
    body = read_body(exchange.request.raw_body, {}, {"name": NAME, "scopes": SCOPES})
    if not any(body.values()):
        raise errors.InvalidRequest("Give name, scopes or both.")
    key = change.change_key(exchange.verdict.account_id, key_id, name=body["name"], wanted=body["scopes"])
    return _with_last_use(key)


@route(blueprint, "/v1/keys/{key_id}", methods=["DELETE"], scopes=[KEYS])
def revoke_key(exchange: Exchange, key_id: str) -> Response:
    """Revoke a key, for good and from the next request on."""
    revoke.revoke(exchange.verdict.account_id, key_id)
    return answers.nothing()


def record(key: Credential, used: dict[str, int]) -> dict[str, Any]:
    """Return what is shown of a key; `used` is the hour in which each counter was last counted."""
    hour = used.get(counter_of(key.id))
    return {
        "id": key.id,
        "name": key.name,
        "hint": key.hint,
        "scopes": scopes.in_order(key.scopes),
        "state": key.state,
        "created_at": clock.iso(key.created_at),
        "expires_at": None if key.ends_at is None else clock.iso(key.ends_at),
        "last_used_at": None if hour is None else clock.iso(hour * 1000),
        "replaced_by": key.successor_id,
    }


def _with_last_use(key: Credential) -> dict[str, Any]:
    return record(key, last_used_hours(key.account_id, {counter_of(key.id)}))


def _shown_once(exchange: Exchange, issued: issue.Issued) -> Response:
    location = f"{visitor.base_url(exchange.request)}/v1/keys/{issued.key.id}"
    warning = {} if issued.told else {"warning": "The old key may be accepted for up to 5 minutes more."}
    return answers.created(record(issued.key, {}) | {"secret": issued.secret} | warning, location)
