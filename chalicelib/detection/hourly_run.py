"""The hourly look at every account: what was unusual in the last hour and in this one, each told once.

It walks the directory of accounts and reads the counters of two hours, a hundred items a call; only accounts that were
busy cost more (see `profiles`). One account that can't be judged keeps no other from it. The next look begins where
time didn't suffice for more, goes once round, and goes back to the hours that weren't judged of every account.
"""

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

from chalicelib.accounts import find
from chalicelib.accounts.tables import Account
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.credentials.find import keys_of
from chalicelib.credentials.on_anomaly import TELL
from chalicelib.credentials.tables import Credential
from chalicelib.detection import anomalies, applications, baselines, leak_policy, usage_history
from chalicelib.events import actors, kinds, notable, quota
from chalicelib.limits.counter_items import TABLE, counter_of, item_key
from chalicelib.limits.tiers import BY_NAME, OF_ACCOUNTS, Tier
from chalicelib.limits.usage import items_newest_first

PAGE = 50
"""So many accounts, with two hours each, are one batch of reads."""
HOURS_MAX = 6
"""How far back a look goes for what others before it have missed, this hour included."""
KEPT_S = 31 * clock.DAY_S
KINDS = {
    anomalies.NEW_NETWORK: kinds.NEW_NETWORK,
    anomalies.TRAFFIC: kinds.UNUSUAL_TRAFFIC,
    anomalies.DENIALS: kinds.MANY_DENIALS,
    anomalies.REFUSALS: kinds.MANY_REFUSALS,
}
WHY = {
    anomalies.NEW_NETWORK: "requests from a network not seen in 30 days",
    anomalies.TRAFFIC: "far more requests than it ever sends",
    anomalies.DENIALS: "many requests that it may not make",
    anomalies.REFUSALS: "many requests beyond the limits",
}
ACTED_ON = (anomalies.NEW_NETWORK, anomalies.TRAFFIC, anomalies.DENIALS)
"""What a policy other than `tell` acts on. Who meets the limits is held by the limits."""

Items = list[dict[str, Any]]
PerAccount = Callable[[Account, Items], None]
"""What else is done with an account and its counters of the hours that are looked at."""


def sweep(until_ms: int, also: Iterable[PerAccount] = ()) -> int:
    """Look at every account, beginning with no other after `until_ms`; return how many were busy."""
    cursor, this_hour = baselines.cursor(), clock.hour_of(clock.now_s())
    hours = _hours_to_judge(cursor.since, this_hour)
    after, busy, all_judged = "", 0, True
    for page in _once_round(cursor.after):
        for account, items in _with_counters(page, hours):
            if items:
                busy += 1
                all_judged &= _each(account, items, also)
        if clock.now_ms() >= until_ms:
            after = page[-1].id
            telemetry.warning("watch_cut_short", after=after)
            break
    # This hour isn't over: the next look begins with it.
    since = this_hour if all_judged and not after else hours[0]
    baselines.keep_cursor(baselines.Cursor(after, since))
    return busy


def look_at(account: Account, items: Items) -> None:
    """Judge an account from the first hour of `items` on, do what each key's policy says, and tell what is unusual.

    Raises ExceptionGroup when some of it couldn't be done or told; the rest is.
    """
    now_s = clock.now_s()
    recent, today = usage_history.of_account(items), baselines.day_of(account.id, now_s)
    if not baselines.needs_a_whole_look(baselines.of_account(account.id), recent, today):
        return
    whole = usage_history.of_account(
        item for tier in OF_ACCOUNTS for item in items_newest_first(account.id, tier, now_s - KEPT_S)
    )
    named = {counter_of(key.id): key for key in keys_of(account.id)}
    failed = []
    for counter, finding in _findings(whole, min(int(item["hour"]["N"]) for item in items)):
        try:
            _follow_up(account, counter, named.get(counter), finding)
        except Exception as error:  # One key mustn't keep the others from being looked at.
            failed.append(error)
    if failed:
        # No profile is kept: what couldn't be done or told is looked at whole again.
        raise ExceptionGroup("not all that was unusual could be followed up", failed)
    baselines.keep(account.id, whole, now_s)


def tell_of_quotas(account: Account, items: Items) -> None:
    """Tell of a quota that is nearly spent, or spent, and that no admission could tell of."""
    for item in items:
        quota.sweep_account(account.id, _tier_of(item), int(item["hour"]["N"]), item)


def _hours_to_judge(since: int | None, this_hour: int) -> range:
    """Return the hours from `since` to this one, or as many as are looked back to."""
    first = this_hour - clock.HOUR_S if since is None else min(since, this_hour)
    return range(max(first, this_hour - (HOURS_MAX - 1) * clock.HOUR_S), this_hour + 1, clock.HOUR_S)


def _once_round(after: str) -> Iterator[list[Account]]:
    """Yield all accounts in pages: from beyond the id `after` to the last, then from the first to that one."""
    yield from _pages(after)
    for page in _pages("") if after else ():
        rest = [account for account in page if account.id <= after]
        if rest:
            yield rest
        if len(rest) < len(page):
            return


def _pages(after: str) -> Iterator[list[Account]]:
    while page := list(islice(find.accounts_after(after, PAGE), PAGE)):
        yield page
        after = page[-1].id


def _each(account: Account, items: Items, also: Iterable[PerAccount]) -> bool:
    """Do all that is done with an account; return whether nothing of it failed."""
    is_done = True
    for work in (look_at, *also):
        try:
            work(account, items)
        except Exception:
            telemetry.error("watch_failed", account_id=account.id)
            telemetry.count("BackgroundFaults", task="watch")
            is_done = False
    return is_done


def _findings(whole: dict[str, dict[int, usage_history.Hour]], first: int) -> Iterator[tuple[str, anomalies.Finding]]:
    """Yield what is unusual since the hour `first`, and whose counter it is: of all that the profile will know."""
    for counter, past in whole.items():
        for hour in sorted(past):
            if hour >= first:
                for finding in anomalies.look(past, hour):
                    yield counter, finding


def _follow_up(account: Account, counter: str, key: Credential | None, finding: anomalies.Finding) -> None:
    """Do what the key's policy says and tell of it, once.

    What was told is done: whoever chooses another policy then, or says that it was them, isn't overruled. So telling
    comes last. What was done and couldn't be told is done again, which is harmless.
    """
    kind, once = KINDS[finding.kind], f"{counter}#{finding.hour}"
    if notable.is_recorded(account.id, kind, once):
        return
    if key is not None and key.is_live() and (key.usual_until or 0) < finding.hour * 1000:
        chosen = None if finding.kind in ACTED_ON else TELL
        done = leak_policy.act(account.id, key.id, policy=chosen, why=WHY[finding.kind])
        telemetry.info("unusual", account_id=account.id, credential_id=key.id, kind=finding.kind, done=done)
    numbers = {name: str(count) for name, count in finding.numbers.items()}
    told = {**_who(account.id, counter, key, finding.hour), **numbers, "hour": clock.iso(finding.hour * 1000)}
    notable.record_once(account.id, kind, once, told, actor=actors.WATCH)


def _who(account_id: str, counter: str, key: Credential | None, hour: int) -> dict[str, str]:
    return applications.named(account_id, counter, hour) if key is None else {"key": key.id, "name": key.name}


def _with_counters(accounts: list[Account], hours: range) -> Iterator[tuple[Account, Items]]:
    """Yield each account with its counters of those hours, under every tier it had in them."""
    found = {account.id: Items() for account in accounts}
    for item in _read((account.id, BY_NAME[account.tier], hour) for account in accounts for hour in hours):
        found[_subject_of(item)].append(item)
    # A change of tier marks the counters of its hour and of the next one (see `stale`): only then are there others.
    changed = [account for account in accounts if any("stale_at" in item for item in found[account.id])]
    others = [(account.id, tier) for account in changed for tier in OF_ACCOUNTS if tier.name != account.tier]
    for item in _read((account_id, tier, hour) for account_id, tier in others for hour in hours):
        found[_subject_of(item)].append(item)
    for account in accounts:
        yield account, found[account.id]


def _read(wanted: Iterable[tuple[str, Tier, int]]) -> Items:
    keys = [item_key(*each) for each in wanted]
    return dynamodb.batch_get_of(settings.current().table(TABLE), keys, consistent=False)


def _subject_of(item: dict[str, Any]) -> str:
    return str(item["subject"]["S"].rpartition("#")[0])


def _tier_of(item: dict[str, Any]) -> Tier:
    return BY_NAME[item["subject"]["S"].rpartition("#")[2]]
