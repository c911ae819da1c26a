"""Making an API key: how many an account may have, what it may carry, and that it outlives nothing that made it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition

from chalicelib.accounts import email_sender, forms, unverified
from chalicelib.accounts.tables import Account, OneTimeToken
from chalicelib.core import clock, errors, ids, secrets, settings
from chalicelib.core.dynamodb import models
from chalicelib.credentials import key_limit, scopes
from chalicelib.credentials.principal import Principal
from chalicelib.credentials.tables import Credential
from chalicelib.events import kinds, record

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording

KEPT_PAST_END_S = 30 * clock.DAY_S
"""An expired key is kept so long, so that the answer stays `token_expired`."""


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and, this once, its secret."""

    key: Credential
    secret: str
    told: bool = True
    """Whether every function heard that the key before it is rotated out; if not, it may work for 5 minutes more."""

    def __repr__(self) -> str:
        """Leave the secret out of logs and tracebacks."""
        return f"Issued({self.key.id})"


def issue_key(
    maker: Principal,
    *,
    name: str,
    wanted: list[str],
    expires_in_s: int | None,
    form: str | None = None,
    once: "Recording[Issued] | None" = None,
) -> Issued:
    """Make a key for the maker's account with the scopes `wanted`, ending after `expires_in_s` (None: when it must).

    `form` is the ticket of the form it was asked for with: it is spent with the key, so a reload makes no second one.
    `once` records the request that it was asked for with. Raises InvalidRequest when a scope is not the maker's own or
    the key would outlive the maker, Conflict when the account has as many live keys as it may, its address isn't proven
    where mail is sent, the maker's own end has moved since it was verified, or the form was used already.
    """
    for scope in wanted:
        if scope not in maker.scopes:
            raise errors.InvalidRequest(
                f"scopes may contain only scopes of your own credential; it doesn't have {scope}."
            )
    now_ms = clock.now_ms()
    expires_at = now_ms + expires_in_s * 1000 if expires_in_s is not None else maker.ends_at_ms or None
    if maker.ends_at_ms and expires_at is not None and expires_at > maker.ends_at_ms:
        left_s = (maker.ends_at_ms - now_ms) // 1000
        raise errors.InvalidRequest(
            f"expires_in_s may be at most {left_s}: a key can't outlive the credential that creates it."
        )
    issued = new_key(maker.account_id, name=name, wanted=wanted, expires_at=expires_at, made_by=maker.credential_id)
    put_beside_the_others(issued, None if form is None else forms.spent(form, maker.account_id), maker, once)
    return issued


def new_key(
    account_id: str, *, name: str, wanted: list[str] | set[str], expires_at: int | None, made_by: str | None
) -> Issued:
    """Return a key that is not stored yet."""
    secret = secrets.mint(settings.current().key_kind)
    key = Credential(
        digest=secrets.digest(secret),
        id=ids.new("key"),
        account_id=account_id,
        kind="key",
        name=name,
        hint=secrets.hint(secret),
        scopes=set(scopes.in_order(wanted)),
        created_at=clock.now_ms(),
        made_by=made_by,
        expires_at=expires_at,
        dies_at=None if expires_at is None else expires_at // 1000 + KEPT_PAST_END_S,
    )
    return Issued(key, secret)


def put_beside_the_others(
    issued: Issued,
    spent: OneTimeToken | None = None,
    maker: Principal | None = None,
    once: "Recording[Issued] | None" = None,
) -> None:
    """Store a key and count it, in one transaction that two makers of a last allowed key can't both win.

    `maker` is who asks for it; None for the operator. Raises Conflict when the account has as many live keys as it may,
    the maker may not have one, or the ticket `spent` was spent before.
    """
    account = Account(issued.key.account_id)
    only_if = None if maker is None else _may_make_one(maker)
    ended: dict[str, int] = {}
    for _ in range(key_limit.ROUNDS_MAX):
        try:
            with models.transaction() as write:
                write.save(issued.key, condition=Credential.digest.does_not_exist())
                if spent is not None:
                    forms.add_to(write, spent)
                key_limit.count_in(write, account, issued.key, ended, only_if=only_if)
                record.add_to(write, issued.key.account_id, kinds.KEY_CREATED, _told(issued.key))
                if once is not None:
                    once.add_to(write, issued)
        except TransactWriteError as error:
            if not models.refused(error):
                raise
            if once is not None:
                once.explain(error)
            if spent is not None and models.refused_write(error, spent) is not None:
                raise forms.used_already("key") from None
            stood = key_limit.account_in(error, account)
            if maker is not None and email_sender.is_configured() and "email_verified_at" not in stood:
                raise unverified.unproven() from None
            # Keys that ended by themselves still stand in the count: take them out with the next try. A refusal that
            # leaves room means that another maker got ahead.
            ended = key_limit.ended_among(stood, maker)
        else:
            return
    raise errors.Unavailable("Too many keys are being created for this account right now. Try again in a moment.")


def _may_make_one(maker: Principal) -> Condition:
    condition = key_limit.ends_as_verified(maker)
    if email_sender.is_configured():
        condition &= Account.email_verified_at.exists()
    return condition


def _told(key: Credential) -> dict[str, str]:
    return {"key": key.id, "name": key.name, "scopes": scopes.joined(key.scopes)}
