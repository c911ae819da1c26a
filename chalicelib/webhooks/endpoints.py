"""Manage the webhook endpoints of an account. There are at most ten, each with its own secret.

Each change and its event are written in one transaction. A disabled endpoint records the reason: its account disabled
it, it sent a 410 response, or it failed too often.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from pynamodb.exceptions import TransactWriteError
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from chalicelib.accounts import forms, managers, roles
from chalicelib.core import clock, errors, ids
from chalicelib.core.dynamodb import models
from chalicelib.events import kinds, record
from chalicelib.events.notable import SYSTEM
from chalicelib.webhooks import eligibility, endpoint_url, signing
from chalicelib.webhooks.states import BY_ACCOUNT, DISABLED, ENABLED
from chalicelib.webhooks.tables import Endpoint

if TYPE_CHECKING:
    from chalicelib.idempotency.record import Recording

ENDPOINTS_MAX = 10
COUNT = "count"
"""The sort key of the item that counts an account's endpoints. A condition on this item limits their number."""
FIRST, LAST = "whk_", "whk_~"


def create(
    account_id: str,
    *,
    url: str,
    name: str,
    types: list[str] | None,
    user_id: str | None = None,
    form: str | None = None,
    once: "Recording[Endpoint] | None" = None,
) -> Endpoint:
    """Add an endpoint. It receives the events of `types` (None: all) that happen from now on. `user_id` is the user who
    creates it; None means the operator.

    `form` is the one-time token of a console form. It is consumed in the same transaction, so that a reload creates no
    second endpoint. `once` records an idempotent request. Raises InvalidRequest for an unacceptable URL, Conflict when
    the account has ten endpoints or the form was already submitted.
    """
    account = eligibility.check_verified(account_id)
    endpoint_url.check(url)
    now_ms = clock.now_ms()
    endpoint = Endpoint(
        account_id,
        ids.new("whk"),
        url=url,
        name=name,
        types=set(types) if types else None,
        user_id=user_id,
        created_at=now_ms,
        enabled_at=now_ms,
    )
    # Derive the secret before anything is written, because this fails if the root key is missing.
    signing.secret_of(endpoint)
    count = Path([COUNT])
    consumed_form = None if form is None else forms.consume(form, account_id)
    try:
        with models.transaction() as write:
            write.save(endpoint, condition=Endpoint.id.does_not_exist())
            if consumed_form is not None:
                forms.add_to(write, consumed_form)
            # Of two concurrent requests, only one can create the tenth endpoint: the other fails this condition.
            write.update(
                Endpoint(account_id, COUNT),
                actions=[count.add(1)],
                condition=count.does_not_exist() | (count < ENDPOINTS_MAX),
            )
            if user_id is not None:
                managers.require_role(write, account, user_id, roles.ADMIN)
            record.add_to(write, account_id, kinds.WEBHOOK_CREATED, _event_fields(endpoint))
            if once is not None:
                once.add_to(write, endpoint)
    except TransactWriteError as error:
        if not models.is_condition_failure(error):
            raise
        if once is not None:
            once.explain(error)
        if consumed_form is not None and models.find_failed_write(error, consumed_form) is not None:
            raise forms.already_submitted("webhook") from None
        if user_id is not None:
            managers.explain_role(error, account_id, user_id)
        raise errors.Conflict(
            f"An account has at most {ENDPOINTS_MAX} webhooks. Delete one that you don't use."
        ) from None
    return endpoint


def find_owned(account_id: str, endpoint_id: str) -> Endpoint:
    """Return an account's endpoint; raise NotFound when it does not exist."""
    endpoint = Endpoint.found(account_id, endpoint_id) if ids.is_id(endpoint_id, "whk") else None
    if endpoint is None or eligibility.is_ineligible(endpoint):
        raise _not_found()
    return endpoint


def of_account(account_id: str, *, after: str = "", limit: int | None = None) -> Iterator[Endpoint]:
    """Yield an account's endpoints whose ids follow `after`, oldest first.

    Endpoints that were created before the account's address was verified are omitted.
    """
    is_eligible = Endpoint.created_at >= eligibility.eligible_since_ms(account_id)
    is_after = Endpoint.id.between(f"{after or FIRST} ", LAST)  # the space excludes `after` itself
    yield from Endpoint.query(account_id, is_after, is_eligible, limit=limit, consistent_read=True)


def change(endpoint: Endpoint, *, url: str | None, name: str | None, types: list[str] | None) -> None:
    """Change the URL, name or types of an endpoint.

    None leaves a value unchanged; an empty list of types means all types. Raises InvalidRequest for an unacceptable
    URL, NotFound when the endpoint was deleted concurrently.
    """
    eligibility.check_verified(endpoint.account_id)
    actions: list[Action] = []
    if url is not None:
        endpoint_url.check(url)
        actions.append(Endpoint.url.set(url))
        if url != endpoint.url:
            # Failures at the old URL do not count for the new one. Mark a backlog, so that pending deliveries are sent
            # before new ones.
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
    _update(endpoint, actions, kinds.WEBHOOK_CHANGED, _event_fields(endpoint))


def rotate_secret(endpoint: Endpoint, once: "Recording[Endpoint] | None" = None) -> Endpoint:
    """Replace the secret of an endpoint. For a day, messages are also signed with the old secret.

    `once` records an idempotent request. Raises Conflict when a concurrent rotation succeeded first, or while messages
    are still signed with an earlier secret: there may be at most two secrets.
    """
    eligibility.check_verified(endpoint.account_id)
    now_ms, version, overlap = clock.now_ms(), endpoint.version + 1, Endpoint.overlap_ends_at
    ends_at = now_ms + signing.OVERLAP_MS
    has_no_overlap = overlap.does_not_exist() | (overlap <= now_ms)
    conflict = errors.Conflict(
        "This secret was rotated within the last 24 hours. Try again when the previous secret has expired."
    )
    actions: list[Action] = [Endpoint.version.set(version), overlap.set(ends_at)]
    only_if = (Endpoint.version == endpoint.version) & has_no_overlap
    endpoint.version, endpoint.overlap_ends_at = version, ends_at
    with models.raise_on_condition_failure(conflict):
        _update(endpoint, actions, kinds.WEBHOOK_SECRET_ROTATED, _event_fields(endpoint), only_if=only_if, once=once)
    return endpoint


def enable(endpoint: Endpoint) -> None:
    """Enable a disabled endpoint. It receives the events that happen from now on. Idempotent.

    Raises Conflict while the address of the account is unverified.
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
    with models.ignore_condition_failure():
        _update(endpoint, actions, kinds.WEBHOOK_ENABLED, _event_fields(endpoint), only_if=Endpoint.status == DISABLED)


def disable(endpoint: Endpoint, because: str) -> None:
    """Disable an endpoint: nothing more is sent to it. Idempotent; the first reason is kept.

    If the reason isn't BY_ACCOUNT, the call has no effect once the endpoint's URL differs from that of `endpoint`.
    """
    actions: list[Action] = [Endpoint.status.set(DISABLED), Endpoint.disabled_because.set(because)]
    changed = _event_fields(endpoint) | {"because": because}
    only_if, actor = Endpoint.status == ENABLED, ""
    if because != BY_ACCOUNT:
        only_if, actor = only_if & (Endpoint.url == endpoint.url), SYSTEM
    with models.ignore_condition_failure():
        _update(endpoint, actions, kinds.WEBHOOK_DISABLED, changed, only_if=only_if, actor=actor)


def delete(endpoint: Endpoint, *, actor: str = "") -> None:
    """Delete an endpoint. Its pending deliveries aren't sent. Idempotent. `actor` defaults to the current actor."""
    count = Path([COUNT])
    with models.ignore_condition_failure(), models.transaction() as write:
        write.delete(Endpoint(endpoint.account_id, endpoint.id), condition=Endpoint.created_at.exists())
        write.update(Endpoint(endpoint.account_id, COUNT), actions=[count.add(-1)])
        record.add_to(write, endpoint.account_id, kinds.WEBHOOK_DELETED, _event_fields(endpoint), actor=actor)


def _update(
    endpoint: Endpoint,
    actions: list[Action],
    kind: str,
    changed: dict[str, str],
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
            record.add_to(write, endpoint.account_id, kind, changed, actor=actor)
            if once is not None:
                once.add_to(write, endpoint)
    except TransactWriteError as error:
        if once is not None and models.is_condition_failure(error):
            once.explain(error)
        if not models.is_condition_failure(error) or only_if is not None:
            raise
        raise _not_found() from None


def _event_fields(endpoint: Endpoint) -> dict[str, str]:
    # Record only the host, because the path and query of a webhook URL often contain a secret.
    parts = urlsplit(endpoint.url)
    return {"webhook": endpoint.id, "name": endpoint.name, "host": parts.netloc}


def _not_found() -> errors.NotFound:
    return errors.NotFound("There is no such webhook.")
