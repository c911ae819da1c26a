"""The hourly look at every account: what was unusual in the last hour and in this one, each told once.

It walks the directory of accounts and reads the counters of two hours, a hundred items a call; only accounts that were
busy cost more (see `profiles`). One account that can't be judged keeps no other from it. What time doesn't suffice for
is gone on with by the next look, from where this one ended.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, settings, telemetry, wire
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.on_anomaly import TELL
from chalicelib.credentials.tables import Credential
from chalicelib.events import actors, kinds, notable, quota
from chalicelib.limits.tiers import BY_NAME, Tier
from chalicelib.limits.usage import items_newest_first
from chalicelib.limits.windows import TABLE, counter_of, item_key, partition
from chalicelib.watch import history, policy, profiles, unusual

PAGE = 50
"""So many accounts, with two hours each, are one batch of reads."""
KEPT_S = 31 * clock.DAY_S
KINDS = {
    unusual.NEW_NETWORK: kinds.NEW_NETWORK,
    unusual.TRAFFIC: kinds.UNUSUAL_TRAFFIC,
    unusual.DENIALS: kinds.MANY_DENIALS,
    unusual.REFUSALS: kinds.MANY_REFUSALS,
}
WHY = {
    unusual.NEW_NETWORK: "requests from a network not seen in 30 days",
    unusual.TRAFFIC: "far more requests than it ever sends",
    unusual.DENIALS: "many requests that it may not make",
    unusual.REFUSALS: "many requests beyond the limits",
}
ACTED_ON = (unusual.NEW_NETWORK, unusual.TRAFFIC, unusual.DENIALS)
"""What a policy other than `tell` acts on. Who meets the limits is held by the limits."""

Items = list[dict[str, Any]]
PerAccount = Callable[[Account, Tier, Items], None]
"""What else is done with an account and its counters of the last hour and this one."""


def sweep(until_ms: int, also: Iterable[PerAccount] = ()) -> int:
    """Look at every account, beginning with no other after `until_ms`; return how many were busy."""
    after, busy = profiles.cursor(), 0
    while page := list(islice(find.accounts_after(after, PAGE), PAGE)):
        for account, items in _with_counters(page):
            if items:
                busy += 1
                _each(account, items, also)
        after = page[-1].id
        if clock.now_ms() >= until_ms:
            telemetry.warning("watch_cut_short", after=after)
            break
    else:
        after = ""
    profiles.keep_cursor(after)
    return busy


def look_at(account: Account, tier: Tier, items: Items) -> None:
    """Judge an account's last hour and this one, do what each key's policy says, and tell what is unusual.

    Raises ExceptionGroup when some of it couldn't be done or told; the rest is.
    """
    now_s = clock.now_s()
    if not profiles.needs_a_whole_look(profiles.of_account(account.id), history.of_account(items), now_s):
        return
    whole = history.of_account(items_newest_first(account.id, tier, now_s - KEPT_S))
    named = {counter_of(key.id): key for key in keys_of(account.id)}
    this_hour = clock.hour_of(now_s)
    failed = []
    for counter, past in whole.items():
        for hour in (this_hour - clock.HOUR_S, this_hour):
            for finding in unusual.look(past, hour):
                try:
                    _follow_up(account, counter, named.get(counter), finding)
                except Exception as error:  # One key mustn't keep the others from being looked at.
                    failed.append(error)
    if failed:
        # No profile is kept: what couldn't be done or told is looked at whole again.
        raise ExceptionGroup("not all that was unusual could be followed up", failed)
    profiles.keep(account.id, whole, now_s)


def tell_of_quotas(account: Account, tier: Tier, items: Items) -> None:
    """Tell of a quota that is nearly spent, or spent, and that no admission could tell of."""
    for item in items:
        quota.sweep_account(account.id, tier, int(item["hour"]["N"]), item)


def _each(account: Account, items: Items, also: Iterable[PerAccount]) -> None:
    tier = BY_NAME[account.tier]
    for work in (look_at, *also):
        try:
            work(account, tier, items)
        except Exception:
            telemetry.error("watch_failed", account_id=account.id)
            telemetry.count("BackgroundFaults", task="watch")


def _follow_up(account: Account, counter: str, key: Credential | None, finding: unusual.Finding) -> None:
    """Do what the key's policy says and tell of it, once.

    What was told is done: whoever chooses another policy then, or says that it was them, isn't overruled. So telling
    comes last. What was done and couldn't be told is done again, which is harmless.
    """
    kind, once = KINDS[finding.kind], f"{counter}#{finding.hour}"
    if notable.was_told(account.id, kind, once):
        return
    if key is not None and key.is_live():
        chosen = None if finding.kind in ACTED_ON else TELL
        done = policy.act(account.id, key.id, policy=chosen, why=WHY[finding.kind])
        telemetry.info("unusual", account_id=account.id, credential_id=key.id, kind=finding.kind, done=done)
    who = {"key": key.id, "name": key.name} if key is not None else {"application": counter}
    numbers = {name: str(count) for name, count in finding.numbers.items()}
    told = {**who, **numbers, "hour": clock.iso(finding.hour * 1000)}
    notable.tell_once(account.id, kind, once, told, actor=actors.WATCH)


def _with_counters(accounts: list[Account]) -> Iterator[tuple[Account, Items]]:
    this_hour = clock.hour_of(clock.now_s())
    keys = [
        item_key(account.id, BY_NAME[account.tier], hour)
        for account in accounts
        for hour in (this_hour - clock.HOUR_S, this_hour)
    ]
    found: dict[str, Items] = {}
    for item in wire.batch_get_of(settings.current().table(TABLE), keys, consistent=False):
        found.setdefault(item["subject"]["S"], []).append(item)
    for account in accounts:
        yield account, found.get(partition(account.id, BY_NAME[account.tier]), [])
