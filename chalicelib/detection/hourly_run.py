"""Check every account each hour, and report each finding about the previous and the current hour once.

A run pages through all accounts and reads the counters of two hours in batches of a hundred items. Only accounts with
requests cost more than that (see `baselines`). If an account can't be checked, the run continues with the others. If a
run is interrupted, the next one starts with the remaining accounts. It also repeats the hours in which not every
account was checked.
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
"""The number of accounts whose counters are read in one batch. For two hours, the batch contains a hundred items, one
for each account and hour.
"""
HOURS_MAX = 6
"""The maximum number of hours that one run checks, including the current one, if earlier runs were interrupted."""
KEPT_S = 31 * clock.DAY_S
KINDS = {
    anomalies.NEW_NETWORK: kinds.NEW_NETWORK,
    anomalies.TRAFFIC: kinds.UNUSUAL_TRAFFIC,
    anomalies.DENIALS: kinds.MANY_DENIALS,
    anomalies.REJECTIONS: kinds.MANY_REFUSALS,
}
REASONS = {
    anomalies.NEW_NETWORK: "requests from a network not seen in 30 days",
    anomalies.TRAFFIC: "far more requests than in the last 30 days",
    anomalies.DENIALS: "many denied requests (401 and 403)",
    anomalies.REJECTIONS: "many requests over the limits",
}
SUBJECT_TO_POLICY = (anomalies.NEW_NETWORK, anomalies.TRAFFIC, anomalies.DENIALS)
"""Findings to which the key's policy applies. Rejected requests aren't included, because the limits already restrict
them.
"""

Items = list[dict[str, Any]]
PerAccount = Callable[[Account, Items], None]
"""A function that does further work for an account. It gets the account and its counters of the checked hours."""


def sweep(until_ms: int, also: Iterable[PerAccount] = ()) -> int:
    """Check every account, page by page. If a page is finished after `until_ms`, stop; the next run checks the others.

    Returns the number of active accounts.
    """
    cursor, this_hour = baselines.read_cursor(), clock.hour_of(clock.now_s())
    hours = _hours_to_check(cursor.since, this_hour)
    after, busy, is_complete = "", 0, True
    for page in _all_accounts(cursor.after):
        for account, items in _with_counters(page, hours):
            if items:
                busy += 1
                is_complete &= _process_account(account, items, also)
        if clock.now_ms() >= until_ms:
            after = page[-1].id
            telemetry.warning("watch_cut_short", after=after)
            break
    # The current hour isn't over yet, so the next run checks it again.
    since = this_hour if is_complete and not after else hours[0]
    baselines.save_cursor(baselines.Cursor(after, since))
    return busy


def check_account(account: Account, items: Items) -> None:
    """Detect anomalies from the first hour of `items` on, apply the policies of the keys, and record events.

    If a finding can't be processed, the remaining findings are still processed, and then ExceptionGroup is raised.
    """
    now_s = clock.now_s()
    recent, today = usage_history.of_account(items), baselines.day_of(account.id, now_s)
    if not baselines.needs_full_check(baselines.read_profile(account.id), recent, today):
        return
    history = usage_history.of_account(
        item for tier in OF_ACCOUNTS for item in items_newest_first(account.id, tier, now_s - KEPT_S)
    )
    keys = {counter_of(key.id): key for key in keys_of(account.id)}
    failures = []
    for counter, finding in _iter_findings(history, min(int(item["hour"]["N"]) for item in items)):
        try:
            _process_finding(account, counter, keys.get(counter), finding)
        except Exception as error:  # A failure with one key must not stop the others.
            failures.append(error)
    if failures:
        # No profile is stored, so the next run makes a full check again.
        raise ExceptionGroup("some findings could not be processed", failures)
    baselines.save(account.id, history, now_s)


def record_quotas(account: Account, items: Items) -> None:
    """Record an event for each quota threshold that was reached in these hours and that no request has recorded."""
    for item in items:
        quota.sweep_account(account.id, _tier_of(item), int(item["hour"]["N"]), item)


def _hours_to_check(since: int | None, this_hour: int) -> range:
    """Return the hours from `since` to the current one.

    If there are more than the maximum, only the newest are returned.
    """
    first = this_hour - clock.HOUR_S if since is None else min(since, this_hour)
    return range(max(first, this_hour - (HOURS_MAX - 1) * clock.HOUR_S), this_hour + 1, clock.HOUR_S)


def _all_accounts(after: str) -> Iterator[list[Account]]:
    """Yield all accounts in pages, starting after the id `after` and continuing from the beginning."""
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


def _process_account(account: Account, items: Items, also: Iterable[PerAccount]) -> bool:
    """Do all work for an account. Returns whether everything succeeded."""
    is_complete = True
    for work in (check_account, *also):
        try:
            work(account, items)
        except Exception:
            telemetry.error("watch_failed", account_id=account.id)
            telemetry.count("BackgroundFaults", task="watch")
            is_complete = False
    return is_complete


def _iter_findings(
    history: dict[str, dict[int, usage_history.Hour]], first: int
) -> Iterator[tuple[str, anomalies.Finding]]:
    """Yield each finding about the hour `first` or a later one, with the counter of its credential."""
    for counter, past in history.items():
        for hour in sorted(past):
            if hour >= first:
                for finding in anomalies.detect(past, hour):
                    yield counter, finding


def _process_finding(account: Account, counter: str, key: Credential | None, finding: anomalies.Finding) -> None:
    """Apply the policy of the key to a finding and record the finding, once.

    A recorded finding is never processed again. Otherwise it would override a policy that the user has chosen since, or
    report a finding that the user has dismissed. The event is recorded last: if that fails, the policy is applied again
    by the next run, which is harmless.
    """
    kind, once = KINDS[finding.kind], f"{counter}#{finding.hour}"
    if notable.is_recorded(account.id, kind, once):
        return
    if key is not None and key.is_live() and (key.usual_until or 0) < finding.hour * 1000:
        chosen = None if finding.kind in SUBJECT_TO_POLICY else TELL
        done = leak_policy.act(account.id, key.id, policy=chosen, why=REASONS[finding.kind])
        telemetry.info("unusual", account_id=account.id, credential_id=key.id, kind=finding.kind, done=done)
    numbers = {name: str(count) for name, count in finding.numbers.items()}
    changed = {
        **_describe_credential(account.id, counter, key, finding.hour),
        **numbers,
        "hour": clock.iso(finding.hour * 1000),
    }
    notable.record_once(account.id, kind, once, changed, actor=actors.DETECTION)


def _describe_credential(account_id: str, counter: str, key: Credential | None, hour: int) -> dict[str, str]:
    return applications.describe(account_id, counter, hour) if key is None else {"key": key.id, "name": key.name}


def _with_counters(accounts: list[Account], hours: range) -> Iterator[tuple[Account, Items]]:
    """Yield each account with its counters of these hours, including those under a tier that it had before."""
    found = {account.id: Items() for account in accounts}
    for item in _read((account.id, BY_NAME[account.tier], hour) for account in accounts for hour in hours):
        found[_subject_of(item)].append(item)
    # When an account's tier is changed, `stale_at` is set on the account's counters of the current and the next hour
    # (see `stale_marks`). Therefore the other tiers are read only for accounts with such a mark.
    changed = [account for account in accounts if any("stale_at" in item for item in found[account.id])]
    others = [(account.id, tier) for account in changed for tier in OF_ACCOUNTS if tier.name != account.tier]
    for item in _read((account_id, tier, hour) for account_id, tier in others for hour in hours):
        found[_subject_of(item)].append(item)
    for account in accounts:
        yield account, found[account.id]


def _read(wanted: Iterable[tuple[str, Tier, int]]) -> Items:
    keys = [item_key(*each) for each in wanted]
    return dynamodb.batch_get_table(settings.current().table(TABLE), keys, consistent=False)


def _subject_of(item: dict[str, Any]) -> str:
    return str(item["subject"]["S"].rpartition("#")[0])


def _tier_of(item: dict[str, Any]) -> Tier:
    return BY_NAME[item["subject"]["S"].rpartition("#")[2]]
