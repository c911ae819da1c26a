"""An account's endpoints: at most ten, each with a secret of its own, and what may become of each.

Every change is one transaction with the event that tells of it. What an endpoint is disabled for stands on it: by its
account, because it answered 410, or because it failed for too long.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.accounts import forms
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.events.notable import LATCHKEY
from chalicelib.webhooks import eligibility, endpoint_url, signing
from chalicelib.webhooks.states import BY_ACCOUNT, DISABLED, ENABLED
from chalicelib.webhooks.tables import Endpoint

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording

ENDPOINTS_MAX = 10
COUNT = "count"
"""The range key of the item that counts an account's endpoints, so that a condition can hold them down."""
FIRST, LAST = "whk_", "whk_~"


def create(
    account_id: str,
    *,
    url: str,
    name: str,
    types: list[str] | None,
    form: str | None = None,
    once: "Recording[Endpoint] | None" = None,
) -> Endpoint:
    """Add an endpoint that is told of events of `types` (None: all) from now on.

    `form` is the ticket of the form it was asked for with: it is spent with it, so a reload makes no second one; `once`
    records the request that it was asked for with. Raises InvalidRequest when the URL can't be sent to, Conflict when
    there are ten already, or the form was used already.
    """
    eligibility.check_verified(account_id)
    endpoint_url.check(url)
    now_ms = clock.now_ms()
    endpoint = Endpoint(
        account_id,
        ids.new("whk"),
        url=url,
        name=name,
        types=set(types) if types else None,
        created_at=now_ms,
        enabled_at=now_ms,
    )
    # First of all: without a key there is no secret to give.
    signing.secret_of(endpoint)
    count = Path([COUNT])
    spent = None if form is None else forms.spent(form, account_id)
    try:
        with models.transaction() as write:
            write.save(endpoint, condition=Endpoint.id.does_not_exist())
            if spent is not None:
                forms.add_to(write, spent)
            # Wins the race of two for the last place.
            write.update(
                Endpoint(account_id, COUNT),
                actions=[count.add(1)],
                condition=count.does_not_exist() | (count < ENDPOINTS_MAX),
            )
            record.add_to(write, account_id, kinds.WEBHOOK_CREATED, _told(endpoint))
            if once is not None:
                once.add_to(write, endpoint)
    except TransactWriteError as error:
        if not models.refused(error):
            raise
        if once is not None:
            once.explain(error)
        if spent is not None and models.refused_write(error, spent) is not None:
            raise forms.used_already("webhook") from None
        raise errors.Conflict(
            f"An account has at most {ENDPOINTS_MAX} webhooks. Delete one that you don't use."
        ) from None
    return endpoint


def owned(account_id: str, endpoint_id: str) -> Endpoint:
    """Return an account's endpoint; raise NotFound when it has none of this id."""
    endpoint = Endpoint.found(account_id, endpoint_id) if ids.is_id(endpoint_id, "whk") else None
    if endpoint is None or eligibility.is_over(endpoint):
        raise _none()
    return endpoint


def of_account(account_id: str, *, after: str = "", limit: int | None = None) -> Iterator[Endpoint]:
    """Return an account's endpoints, oldest first, from beyond the id `after`; none from before it was verified."""
    own = Endpoint.created_at >= eligibility.since_ms(account_id)
    beyond = Endpoint.id.between(f"{after or FIRST} ", LAST)  # no id holds a space
    yield from Endpoint.query(account_id, beyond, own, limit=limit, consistent_read=True)


def delete_unverified(account_id: str) -> None:
    """Delete the endpoints from before an account was verified. They get nothing already; at most ten are there."""
    before = Endpoint.created_at < eligibility.since_ms(account_id)
    for endpoint in list(Endpoint.query(account_id, Endpoint.id.between(FIRST, LAST), before, consistent_read=True)):
        delete(endpoint)


def change(endpoint: Endpoint, *, url: str | None, name: str | None, types: list[str] | None) -> None:
    """Give an endpoint another URL, name or choice of types; what is None stays, and no types at all means every type.

    Raises InvalidRequest when the URL can't be sent to, NotFound when the endpoint was deleted meanwhile.
    """
    eligibility.check_verified(endpoint.account_id)
    actions: list[Action] = []
    if url is not None:
        endpoint_url.check(url)
        actions.append(Endpoint.url.set(url))
        if url != endpoint.url:
            # What the old one answered says nothing of the new; what waits for it is still sent first.
            actions += [
                Endpoint.failures.set(0),
                Endpoint.failing_since.remove(),
                Endpoint.quiet_until.remove(),
                Endpoint.behind_since.set(clock.now_ms()),
            ]
        endpoint.url = url
    if name is not None:
        actions.append(Endpoint.name.set(name))
        endpoint.name = name
    if types is not None:
        actions.append(Endpoint.types.set(set(types)) if types else Endpoint.types.remove())
        actions.append(Endpoint.types_since.set(clock.now_ms()))
        endpoint.types = set(types) or None
    _update(endpoint, actions, kinds.WEBHOOK_CHANGED, _told(endpoint))


def rotate_secret(endpoint: Endpoint, once: "Recording[Endpoint] | None" = None) -> Endpoint:
    """Give an endpoint another secret; the old one signs beside it for a day. `once` records the request for it.

    Raises Conflict when another rotation came first, or the last one's overlap isn't over: three secrets would be one
    too many.
    """
    eligibility.check_verified(endpoint.account_id)
    now_ms, version, overlap = clock.now_ms(), endpoint.version + 1, Endpoint.overlap_ends_at
    ends_at = now_ms + signing.OVERLAP_MS
    alone = overlap.does_not_exist() | (overlap <= now_ms)
    outrun = errors.Conflict("This secret was rotated within the last 24 hours. Both still sign; wait until one ends.")
    actions: list[Action] = [Endpoint.version.set(version), overlap.set(ends_at)]
    only_if = (Endpoint.version == endpoint.version) & alone
    endpoint.version, endpoint.overlap_ends_at = version, ends_at
    with models.refused_as(outrun):
        _update(endpoint, actions, kinds.WEBHOOK_SECRET_ROTATED, _told(endpoint), only_if=only_if, once=once)
    return endpoint


def enable(endpoint: Endpoint) -> None:
    """Send to an endpoint again, of what happens from now on. Harmless to repeat.

    Raises Conflict while the account has yet to verify its address.
    """
    eligibility.check_verified(endpoint.account_id)
    actions: list[Action] = [
        Endpoint.status.set(ENABLED),
        Endpoint.enabled_at.set(clock.now_ms()),
        Endpoint.failures.set(0),
        Endpoint.failing_since.remove(),
        Endpoint.disabled_because.remove(),
        Endpoint.quiet_until.remove(),
        Endpoint.behind_since.remove(),
    ]
    with models.may_be_refused():
        _update(endpoint, actions, kinds.WEBHOOK_ENABLED, _told(endpoint), only_if=Endpoint.status == DISABLED)


def disable(endpoint: Endpoint, because: str) -> None:
    """Send no more to an endpoint. Harmless to repeat; the reason that came first stays.

    For what its URL answered, only while it has that URL.
    """
    actions: list[Action] = [Endpoint.status.set(DISABLED), Endpoint.disabled_because.set(because)]
    told = _told(endpoint) | {"because": because}
    only_if, actor = Endpoint.status == ENABLED, ""
    if because != BY_ACCOUNT:
        only_if, actor = only_if & (Endpoint.url == endpoint.url), LATCHKEY
    with models.may_be_refused():
        _update(endpoint, actions, kinds.WEBHOOK_DISABLED, told, only_if=only_if, actor=actor)


def delete(endpoint: Endpoint, *, actor: str = "") -> None:
    """Forget an endpoint; what waits for it is dropped. Harmless to repeat. `actor` does it, or else who acts now."""
    count = Path([COUNT])
    with models.may_be_refused(), models.transaction() as write:
        write.delete(Endpoint(endpoint.account_id, endpoint.id), condition=Endpoint.created_at.exists())
        write.update(Endpoint(endpoint.account_id, COUNT), actions=[count.add(-1)])
        record.add_to(write, endpoint.account_id, kinds.WEBHOOK_DELETED, _told(endpoint), actor=actor)


def _update(
    endpoint: Endpoint,
    actions: list[Action],
    kind: str,
    told: dict[str, str],
    *,
    only_if: Condition | None = None,
    actor: str = "",
    once: "Recording[Endpoint] | None" = None,
) -> None:
    exists = Endpoint.created_at.exists()
    try:
        with models.transaction() as write:
            write.update(
                Endpoint(endpoint.account_id, endpoint.id),
                actions=actions,
                condition=exists if only_if is None else exists & only_if,
            )
            record.add_to(write, endpoint.account_id, kind, told, actor=actor)
            if once is not None:
                once.add_to(write, endpoint)
    except TransactWriteError as error:
        if once is not None and models.refused(error):
            once.explain(error)
        if not models.refused(error) or only_if is not None:
            raise
        raise _none() from None


def _told(endpoint: Endpoint) -> dict[str, str]:
    # Of the URL only where it leads: paths and queries of such URLs often hold a secret.
    parts = urlsplit(endpoint.url)
    return {"webhook": endpoint.id, "name": endpoint.name, "host": parts.netloc}


def _none() -> errors.NotFound:
    return errors.NotFound("There is no such webhook.")
