"""The keys of the account as the pages of Settings > API Keys show them."""

from collections.abc import Iterable
from dataclasses import dataclass

from chalicelib.accounts import members, roles
from chalicelib.api.console.page_request import PageRequest
from chalicelib.api.routing import scopes_by_route
from chalicelib.core import clock
from chalicelib.credentials import find, scopes
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.credentials.unused_scopes import PERIOD_S, Advice, advise
from chalicelib.limits import tiers
from chalicelib.limits.counter_items import counter_of
from chalicelib.limits.usage import last_used_hours, routes_used

OF_ACCOUNT = "the account"
"""The name of the service user, to whom the keys of departed members can belong."""


@dataclass(frozen=True, slots=True)
class Row:
    """A key as a row of the list."""

    key: Credential
    scopes: list[str]
    state: str
    last_used_ms: int | None
    user: str = ""
    """The name of the user to whom the key belongs, if it is another one than the reader; "" otherwise."""
    may_manage: bool = True
    """Whether the reader may change, rotate and revoke the key."""
    advice: Advice | None = None


def session_principal(request: PageRequest) -> Principal:
    """Return a principal with which a session can create keys. It has every scope of the user's role and doesn't
    expire.
    """
    account, user, session = request.account, request.user.user, request.user.session
    role = request.membership.role
    return Principal(
        account_id=account.id,
        user_id=user.id,
        role=role,
        credential_id=session.id,
        kind="session",
        scopes=scopes.effective(scopes.ALL, role=role, admin=user.admin),
        tier=tiers.BY_NAME[account.tier],
        client_id="",
        ends_at_ms=0,
        # Account and user were read during this request, so the principal reflects every revocation up to their
        # `credentials_since`.
        verified_at_ms=max(account.credentials_since, user.credentials_since),
        session_epoch=session.epoch,
    )


def rows_of(request: PageRequest, keys: Iterable[Credential]) -> list[Row]:
    """Return the rows of keys of the account."""
    keys = list(keys)
    used = last_used_hours(request.account.id, {counter_of(key.id) for key in keys})
    names, own = _names(request, keys), request.membership
    return [
        Row(
            key,
            scopes.in_order(key.scopes),
            key.state,
            None if (hour := used.get(counter_of(key.id))) is None else hour * 1000,
            user="" if key.user_id == own.user.id else names.get(key.user_id, "a former member"),
            may_manage=find.may_manage(own.role, own.user.id, key),
        )
        for key in keys
    ]


def find_owned(request: PageRequest, key_id: str) -> tuple[Credential, Row]:
    """Return a key of the account, and its row in the list."""
    key = find.owned_key(request.account.id, key_id)
    return key, rows_of(request, [key])[0]


def advice_of(request: PageRequest, keys: list[Credential]) -> dict[str, Advice]:
    """Return by key id which scopes each of `keys` has used within 30 days, and which it hasn't."""
    since_s = clock.now_s() - PERIOD_S
    used = routes_used(request.account.id, {counter_of(key.id) for key in keys}, since_s=since_s)
    by_route = scopes_by_route(request.exchange.routes)
    return {
        key.id: advise(
            key.scopes,
            used[counter_of(key.id)],
            by_route,
            age_s=clock.now_s() - key.created_at // 1000,
            rotated=key.predecessor_digest is not None,
        )
        for key in keys
    }


def _names(request: PageRequest, keys: list[Credential]) -> dict[str, str]:
    """Return the names of the users of the keys by id, without that of the reader."""
    names = {roles.service_user_of(request.account.id): OF_ACCOUNT}
    others = {key.user_id for key in keys} - {request.user.user.id, *names}
    return names | {user.id: user.name for user in members.users_of(request.account, others).values()}
