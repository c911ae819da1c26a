"""/v1/keys: an account's own API keys. A secret is shown once, in the 201 response that creates it."""

from functools import partial
from typing import TYPE_CHECKING, Any

from chalice.app import Response

from chalicelib.api import client_address, pagination, responses
from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.body import Body, optional, required
from chalicelib.api.schema.description import ResponseSpec, described
from chalicelib.api.schema.fields import Enum, EnumList, Id, Integer, Text
from chalicelib.api.schema.shapes import DateTime, Nullable, Shape, String, StringList
from chalicelib.core import clock, errors
from chalicelib.credentials import change, find, issue, on_anomaly, revoke, rotate, rotation_grace, scopes
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.usage import last_used_hours

if TYPE_CHECKING:
    from chalicelib.credentials.issue import Issued
NAME = Text(max_length=64, description="A name to recognise the key by.", example="CI pipeline")
SCOPES = EnumList(
    scopes.ALL, description="The key's scopes; at most those of the calling credential.", example=("read",)
)
LIFE_S = Integer(
    60,
    10 * 365 * 86_400,
    description="Lifetime in seconds; by default it expires with the calling credential.",
    example=7_776_000,
)
GRACE_S = Integer(
    0, rotation_grace.MAX_S, description="Seconds that the old key stays valid.", default=rotation_grace.DEFAULT_S
)

ON_ANOMALY = Enum(
    on_anomaly.ALL,
    description="What happens on unusual use, or a leak that isn't public: `tell` the account, `narrow` the key to"
    " `read`, or `revoke` it. A key that leaked in public is always revoked.",
)

KEY_ID = {"key_id": Id("key", description="The key's id.")}
KEY = Shape(
    "Key",
    "An API key, without its secret.",
    {
        "id": Id("key", description="The key's id."),
        "name": String("The key's name.", "CI pipeline"),
        "user_id": Id("usr", description="The user to whom it belongs, or the account's service user."),
        "hint": String("The start and the end of its secret.", "lk_live_…X7fQ"),
        "scopes": StringList("Its scopes.", scopes.ALL, ("read",)),
        "state": Enum(
            ("live", "retiring", "expired", "revoked"),
            description="`retiring`: rotated, and valid until its grace period ends.",
        ),
        "created_at": DateTime("When it was created."),
        "expires_at": Nullable(DateTime(), "When it expires; null: never."),
        "last_used_at": Nullable(DateTime(), "The hour of its last use; null: not within 31 days."),
        "replaced_by": Nullable(Id("key"), "The key that replaced it."),
        "on_anomaly": ON_ANOMALY,
    },
)
KEY_MADE = Shape(
    "KeyMade",
    "A new API key with its secret, which is shown once.",
    {
        **KEY.fields,
        "secret": String("Send it as `Authorization: Bearer …`. Store it now: it is shown once."),
        "warning": String("A part of the change that takes effect only within minutes."),
    },
    optional=("warning",),
)
MADE = ResponseSpec(KEY_MADE, "The key is created. Its secret is shown once.", ("Location", "Cache-Control"))


class KeysQuery(pagination.PageQuery, ids="key"):
    """The parameters of a list of keys."""


class NewKey(Body):
    """The fields of a new key."""

    name: str = required(NAME)
    scopes: list[str] = required(SCOPES)
    expires_in_s: int | None = optional(LIFE_S)


class Rotation(Body, may_be_empty=True):
    """The options of a rotation."""

    grace_s: int = optional(GRACE_S)


class KeyChange(Body, least=1):
    """The fields of a key that can be changed."""

    name: str | None = optional(NAME)
    scopes: list[str] | None = optional(SCOPES)
    on_anomaly: str | None = optional(ON_ANOMALY)


@described({200: pagination.page_of(KEY, "the account's keys, oldest first")})
def list_keys(context: RequestContext, query: KeysQuery) -> Response:
    """List the account's keys, oldest first. Revoked and expired keys are listed for 30 more days."""
    page = pagination.page(context, query)
    account_id = context.principal.account_id
    found = list(find.keys_of(account_id, after=page.after or find.FIRST_KEY_ID, limit=page.size + 1))
    used = last_used_hours(account_id, {counter_of(key.id) for key in found})
    return pagination.respond(context, page, found, lambda key: record(key, used))


@described({200: KEY}, path=KEY_ID)
def show_key(context: RequestContext, key_id: str) -> dict[str, Any]:
    """Show one key."""
    key = find.owned_key(context.principal.account_id, key_id)
    return _with_last_use(key)


@described({201: MADE}, errors=[errors.Conflict, errors.NotFound])
def create_key(context: RequestContext, body: NewKey) -> Response:
    """Create a key. It can't have scopes that the caller's credential lacks."""
    issued = issue.issue_key(
        context.principal,
        name=body.name,
        wanted=body.scopes,
        expires_in_s=body.expires_in_s,
        once=context.recorded(partial(_show_once, context)),
    )
    return _show_once(context, issued)


@described({201: MADE}, errors=[errors.Conflict], path=KEY_ID)
def rotate_key(context: RequestContext, key_id: str, body: Rotation) -> Response:
    """Replace a key with a new one. The old key stays valid for `grace_s` seconds."""
    once = context.recorded(partial(_show_once, context))
    return _show_once(context, rotate.rotate(context.principal, key_id, body.grace_s, once))


@described({200: KEY}, errors=[errors.Conflict], path=KEY_ID)
def change_key(context: RequestContext, key_id: str, body: KeyChange) -> dict[str, Any]:
    """Rename a key, remove scopes, or set the response to unusual activity."""
    key = change.change_key(
        context.principal.account_id,
        key_id,
        name=body.name,
        wanted=body.scopes,
        on_anomaly=body.on_anomaly,
        manager=context.principal,
    )
    return _with_last_use(key)


@described({204: ResponseSpec(description="The key is revoked.")}, path=KEY_ID)
def revoke_key(context: RequestContext, key_id: str) -> Response:
    """Revoke a key permanently. It is rejected from the next request on."""
    revoke.revoke(context.principal.account_id, key_id, context.principal)
    return responses.no_content()


def record(key: "Credential", used: dict[str, int]) -> dict[str, Any]:
    """Return a key as JSON. `used` maps the name of a key's counter to the hour in which the key was last used."""
    hour = used.get(counter_of(key.id))
    return {
        "id": key.id,
        "name": key.name,
        "user_id": key.user_id,
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


def _show_once(context: RequestContext, issued: "Issued") -> Response:
    location = f"{client_address.base_url(context.request)}/v1/keys/{issued.key.id}"
    warning = {} if issued.is_marked else {"warning": "The old key may be accepted for up to 5 minutes more."}
    return responses.created(record(issued.key, {}) | {"secret": issued.secret} | warning, location)
