"""/v1/keys: an account's own API keys. A secret is in the 201 that made it and nowhere else."""

from functools import partial
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib.api import client_address, pagination, responses
from chalicelib.api.declared import RECORDED, Answer, Body
from chalicelib.api.fields import Enum, EnumList, Id, Integer, Text
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route
from chalicelib.api.shapes import DateTime, Nullable, Shape, String, StringList
from chalicelib.core import clock, errors
from chalicelib.credentials import on_anomaly, rotation_grace, scopes
from chalicelib.credentials.scopes import KEYS
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.usage import last_used_hours

if TYPE_CHECKING:
    from chalicelib.credentials.issue import Issued
    from chalicelib.credentials.tables import Credential

NAME = Text(most=64, about="What it is called, for people to tell keys apart.", example="CI pipeline")
SCOPES = EnumList(scopes.ALL, about="What the key may do; never more than the credential that asks.", example=("read",))
LIFE_S = Integer(
    60,
    10 * 365 * 86_400,
    about="After how many seconds it expires. Without it, it expires when the credential that asks does.",
    example=7_776_000,
)
GRACE_S = Integer(
    0, rotation_grace.MAX_S, about="How many seconds the old key works on.", default=rotation_grace.DEFAULT_S
)

ON_ANOMALY = Enum(
    on_anomaly.ALL,
    about="What is done when the key behaves strangely or leaked where not everybody can read: `tell` its account,"
    " `narrow` it to `read`, or `revoke` it. A key that leaked in public is always revoked.",
)

KEY_ID = {"key_id": Id("key", about="The key's id.")}
KEY = Shape(
    "Key",
    "An API key, without its secret.",
    {
        "id": Id("key", about="The key's id."),
        "name": String("What it is called.", "CI pipeline"),
        "hint": String("What may be seen of its secret: how it starts and ends.", "lk_live_…X7fQ"),
        "scopes": StringList("What it may do.", scopes.ALL, ("read",)),
        "state": Enum(
            ("live", "retiring", "expired", "revoked"),
            about="Whether it works: `retiring` is rotated and in its grace, so it still does.",
        ),
        "created_at": DateTime("When it was made."),
        "expires_at": Nullable(DateTime(), "When it ends by itself; null: never."),
        "last_used_at": Nullable(DateTime(), "The hour in which it was last used; null: not in 31 days."),
        "replaced_by": Nullable(Id("key"), "The key that a rotation put in its place."),
        "on_anomaly": ON_ANOMALY,
    },
)
KEY_MADE = Shape(
    "KeyMade",
    "A new API key with its secret, which is in this answer and nowhere else.",
    {
        **KEY.fields,
        "secret": String("What to send as `Authorization: Bearer …`. Store it now: it is shown once."),
        "warning": String("What could not be done at once, and will be within minutes."),
    },
    optional=("warning",),
)
MADE = Answer(KEY_MADE, "The key is made. Its secret is shown this once.", ("Location", "Cache-Control"))

blueprint = Blueprint(__name__)


@route(
    blueprint,
    "/v1/keys",
    methods=["GET"],
    scopes=[KEYS],
    query=pagination.pages("key"),
    gives={200: pagination.page_of(KEY, "the account's keys, oldest first")},
)
def list_keys(exchange: Exchange) -> Response:
    """List the account's keys, oldest first; ended ones until 30 days past their end."""
    from chalicelib.credentials import find

    page = pagination.asked_for(exchange)
    account_id = exchange.principal.account_id
    found = list(find.keys_of(account_id, after=page.after or find.FIRST_KEY_ID, limit=page.size + 1))
    used = last_used_hours(account_id, {counter_of(key.id) for key in found})
    return pagination.answer(exchange, page, found, lambda key: record(key, used))


@route(blueprint, "/v1/keys/{key_id}", methods=["GET"], scopes=[KEYS], ids=KEY_ID, gives={200: KEY})
def show_key(exchange: Exchange, key_id: str) -> dict[str, Any]:
    """Show one key."""
    from chalicelib.credentials import find

    key = find.owned_key(exchange.principal.account_id, key_id)
    return _with_last_use(key)


@route(
    blueprint,
    "/v1/keys",
    methods=["POST"],
    scopes=[KEYS],
    body=Body({"name": NAME, "scopes": SCOPES}, {"expires_in_s": LIFE_S}),
    gives={201: MADE},
    refuses=[errors.Conflict, errors.NotFound],
    idempotency=RECORDED,
)
def create_key(exchange: Exchange) -> Response:
    """Make a key with at most the caller's own scopes."""
    from chalicelib.credentials import issue

    body = exchange.body
    issued = issue.issue_key(
        exchange.principal,
        name=body["name"],
        wanted=body["scopes"],
        expires_in_s=body["expires_in_s"],
        once=exchange.recorded(partial(_shown_once, exchange)),
    )
    return _shown_once(exchange, issued)


@route(
    blueprint,
    "/v1/keys/{key_id}/rotate",
    methods=["POST"],
    scopes=[KEYS],
    ids=KEY_ID,
    body=Body(optional={"grace_s": GRACE_S}, may_be_empty=True),
    gives={201: MADE},
    refuses=[errors.Conflict],
    idempotency=RECORDED,
)
def rotate_key(exchange: Exchange, key_id: str) -> Response:
    """Replace a key; the old one works on for `grace_s` seconds."""
    from chalicelib.credentials import rotate

    once = exchange.recorded(partial(_shown_once, exchange))
    return _shown_once(exchange, rotate.rotate(exchange.principal, key_id, exchange.body["grace_s"], once))


@route(
    blueprint,
    "/v1/keys/{key_id}",
    methods=["PATCH"],
    scopes=[KEYS],
    ids=KEY_ID,
    body=Body(optional={"name": NAME, "scopes": SCOPES, "on_anomaly": ON_ANOMALY}, least=1),
    gives={200: KEY},
    refuses=[errors.Conflict],
)
def change_key(exchange: Exchange, key_id: str) -> dict[str, Any]:
    """Rename a key, narrow its scopes, or choose what is done when it behaves strangely."""
    from chalicelib.credentials import change

    body = exchange.body
    key = change.change_key(
        exchange.principal.account_id, key_id, name=body["name"], wanted=body["scopes"], on_anomaly=body["on_anomaly"]
    )
    return _with_last_use(key)


@route(
    blueprint,
    "/v1/keys/{key_id}",
    methods=["DELETE"],
    scopes=[KEYS],
    ids=KEY_ID,
    gives={204: Answer(about="The key is revoked.")},
)
def revoke_key(exchange: Exchange, key_id: str) -> Response:
    """Revoke a key, for good and from the next request on."""
    from chalicelib.credentials import revoke

    revoke.revoke(exchange.principal.account_id, key_id)
    return responses.nothing()


def record(key: "Credential", used: dict[str, int]) -> dict[str, Any]:
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
        "on_anomaly": key.on_anomaly or on_anomaly.TELL,
    }


def _with_last_use(key: "Credential") -> dict[str, Any]:
    return record(key, last_used_hours(key.account_id, {counter_of(key.id)}))


def _shown_once(exchange: Exchange, issued: "Issued") -> Response:
    location = f"{client_address.base_url(exchange.request)}/v1/keys/{issued.key.id}"
    warning = {} if issued.told else {"warning": "The old key may be accepted for up to 5 minutes more."}
    return responses.created(record(issued.key, {}) | {"secret": issued.secret} | warning, location)
