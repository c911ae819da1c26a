"""/v1/users: public profiles, one's own record, and what an admin may do to accounts."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from chalice.app import Blueprint, Response

from chalicelib.accounts import states
from chalicelib.api import client_address, pagination, responses
from chalicelib.api.declared import RECORDED, Answer, Body
from chalicelib.api.fields import Enum, Id, Text
from chalicelib.api.request_context import Exchange
from chalicelib.api.routing import route
from chalicelib.api.shapes import AnyOf, DateTime, Shape, String
from chalicelib.core import clock, errors
from chalicelib.credentials.scopes import ADMIN, READ, WRITE
from chalicelib.limits import tiers

if TYPE_CHECKING:
    from chalicelib.accounts.tables import Account

NAME = Text(most=100, about="What the person is called.", example="Ada Lovelace")
EMAIL = Text(most=254, about="The person's address, like name@example.com.", example="ada@example.com")
TIER = Enum(tuple(tier.name for tier in tiers.OF_ACCOUNTS), about="The tier, which decides the limits.")
STATUS = Enum((states.ACTIVE, states.SUSPENDED), about="A suspended account's keys and tokens are refused.")

USER_ID = {"user_id": Id("acc", about="The account's id.")}
PROFILE = Shape(
    "Profile",
    "What anyone may see of an account.",
    {
        "id": Id("acc", about="The account's id."),
        "name": String("What the person is called.", "Ada Lovelace"),
        "created_at": DateTime("When the account was made."),
    },
)
USER = Shape(
    "User",
    "An account, as its owner and admins see it.",
    {
        **PROFILE.fields,
        "email": String("The person's address.", "ada@example.com"),
        "tier": TIER,
        "status": STATUS,
    },
)
USER_MADE = Shape(
    "UserMade",
    "A new account, and a link for its person.",
    {
        **USER.fields,
        "set_password_url": String("Where its person sets a password, once and within an hour.", format="uri"),
    },
)

blueprint = Blueprint(__name__)


@route(
    blueprint,
    "/v1/users",
    methods=["GET"],
    scopes=[READ],
    query=pagination.pages("acc"),
    gives={200: pagination.page_of(PROFILE, "public profiles, oldest first")},
)
def list_users(exchange: Exchange) -> Response:
    """List public profiles, oldest first."""
    from chalicelib.accounts import find

    page = pagination.asked_for(exchange)
    found = list(find.accounts_after(page.after, page.size + 1))
    return pagination.answer(exchange, page, found, public_profile)


@route(blueprint, "/v1/users/me", methods=["GET"], scopes=[READ], gives={200: USER}, refuses=[errors.NotFound])
def show_me(exchange: Exchange) -> dict[str, Any]:
    """Show the caller's own record."""
    from chalicelib.accounts import find

    return whole_record(find.account_by_id(exchange.principal.account_id))


@route(
    blueprint,
    "/v1/users/me",
    methods=["PATCH"],
    scopes=[WRITE],
    body=Body({"name": NAME}),
    gives={200: USER},
    refuses=[errors.NotFound],
)
def rename_me(exchange: Exchange) -> dict[str, Any]:
    """Change the caller's own name."""
    from chalicelib.accounts import change

    return whole_record(change.rename(exchange.principal.account_id, exchange.body["name"]))


@route(
    blueprint,
    "/v1/users/{user_id}",
    methods=["GET"],
    scopes=[READ],
    ids=USER_ID,
    gives={200: Answer(AnyOf((USER, PROFILE)), "The profile, or the whole record.")},
)
def show_user(exchange: Exchange, user_id: str) -> dict[str, Any]:
    """Show a public profile; to its owner and to admins the whole record."""
    from chalicelib.accounts import find

    account = find.account_by_id(user_id)
    may_see_all = account.id == exchange.principal.account_id or ADMIN in exchange.principal.scopes
    return whole_record(account) if may_see_all else public_profile(account)


@route(
    blueprint,
    "/v1/users",
    methods=["POST"],
    scopes=[ADMIN],
    body=Body({"email": EMAIL, "name": NAME}, {"tier": replace(TIER, default=tiers.FREE.name)}),
    gives={201: Answer(USER_MADE, "The account is made.", ("Location", "Cache-Control"))},
    refuses=[errors.Conflict],
    idempotency=RECORDED,
)
def create_user(exchange: Exchange) -> Response:
    """Create an account; answer with a one-time link at which its person sets a password."""
    from chalicelib.accounts import invite

    def shown(made: invite.Invited) -> Response:
        base_url = client_address.base_url(exchange.request)
        link = {"set_password_url": f"{base_url}/password?ticket={made.link}"}
        return responses.created(whole_record(made.account) | link, f"{base_url}/v1/users/{made.account.id}")

    body = exchange.body
    tier, once = tiers.BY_NAME[body["tier"]], exchange.recorded(shown)
    return shown(invite.invite(email=body["email"], name=body["name"], tier=tier, once=once))


@route(
    blueprint,
    "/v1/users/{user_id}",
    methods=["PATCH"],
    scopes=[ADMIN],
    ids=USER_ID,
    body=Body(optional={"tier": TIER, "status": STATUS}, least=1),
    gives={200: USER},
    refuses=[errors.Conflict],
)
def change_user(exchange: Exchange, user_id: str) -> dict[str, Any]:
    """Set an account's tier, suspend it or reinstate it. Nobody suspends their own account."""
    from chalicelib.accounts import change, find

    body = exchange.body
    account = find.account_by_id(user_id)
    tier = tiers.BY_NAME[body["tier"]] if body["tier"] else None
    change.set_standing(account.id, tier=tier, status=body["status"], actor=exchange.principal.credential_id)
    return whole_record(find.account_by_id(account.id))


def public_profile(account: "Account") -> dict[str, Any]:
    """Return what anyone may see of an account."""
    return {"id": account.id, "name": account.name, "created_at": clock.iso(account.created_at)}


def whole_record(account: "Account") -> dict[str, Any]:
    """Return what its owner and admins see of an account."""
    return {
        **public_profile(account),
        "email": account.email,
        "tier": account.tier,
        "status": account.status,
    }
