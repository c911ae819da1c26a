"""The hourly run: findings are recorded once, policies are applied, and every account is checked."""

from pathlib import Path
from typing import Any

import pytest

from chalicelib.accounts.change import set_standing
from chalicelib.accounts.tables import Account
from chalicelib.api import background
from chalicelib.core import clock, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import Unreachable
from chalicelib.credentials import change, find
from chalicelib.credentials.issue import Issued
from chalicelib.credentials.tables import Credential
from chalicelib.detection import baselines, hourly_run, leak_policy, usage_history
from chalicelib.events import kinds, record
from chalicelib.limits import counter_items, tiers
from tests.detection.planted import HOUR_S, NETWORK, item, used_for_days, writes_lost
from tests.oauth.flow import App, Person, registered
from tests.support.harness import TestApp
from tests.support.mailbox import kept_in


@pytest.fixture
def key(latchkey: TestApp) -> Issued:
    """A key with 40 requests an hour from one network for ten days, and its account."""
    return used_for_days(latchkey, latchkey.account())


def owner(issued: Issued) -> Account:
    """Return the account id of the key."""
    return Account.get(issued.key.account_id)


def now(issued: Issued, *networks: str, **counted: int) -> None:
    """Store the current hour of a key under the Free tier."""
    now_under(tiers.FREE, issued, *networks, **counted)


def now_under(tier: tiers.Tier, issued: Issued, /, *networks: str, **counted: int) -> None:
    """Store the current hour of a key: requests, `denials`, `refusals` and networks."""
    counter = counter_items.counter_of(issued.key.id)
    names = {"requests": counter, "denials": f"f{counter[1:]}", "refusals": f"q{counter[1:]}"}
    counters = {names[name]: count for name, count in {"requests": 40, **counted}.items()}
    marks = dict.fromkeys((NETWORK, *networks), counter)
    item(owner(issued), clock.hour_of(clock.now_s()), counters, marks, tier)


def anomalies(issued: Issued) -> list[dict[str, Any]]:
    """Return the recorded anomalies."""
    events = record.newest_first(issued.key.account_id, 50)
    return [{"type": event.type, **event.changed.as_dict()} for event in events if event.type.startswith("anomaly.")]


@pytest.mark.parametrize(
    ("networks", "counted", "kind"),
    [
        (["nBBBBBBBB"], {}, kinds.NEW_NETWORK),
        ([], {"requests": 900}, kinds.UNUSUAL_TRAFFIC),
        ([], {"requests": 90, "denials": 60}, kinds.MANY_DENIALS),
        ([], {"refusals": 300}, kinds.MANY_REFUSALS),
    ],
)
def test_planted_anomaly_is_recorded_once(
    latchkey: TestApp, key: Issued, networks: list[str], counted: dict[str, int], kind: str
) -> None:
    """The next run records it with the key and numbers and shows it with the key; later runs do not repeat it."""
    background.every_hour()
    assert anomalies(key) == []
    latchkey.clock.forward(HOUR_S)
    now(key, *networks, **counted)
    background.every_hour()
    (found,) = anomalies(key)
    assert (found["type"], found["key"], found["name"]) == (kind, key.key.id, "Test key")
    assert found["hour"] == clock.iso(clock.hour_of(clock.now_s()) * 1000)
    assert Credential.get(key.key.digest).unusual is not None
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert len(anomalies(key)) == 1


def test_client_is_named_by_id_and_name(latchkey: TestApp, ada: Person, app: App) -> None:
    """As its account sees it, even when its token has expired since."""
    other = registered(latchkey)
    counter = counter_items.counter_of(app.id)
    latchkey.clock.forward(10 * 24 * HOUR_S)
    hour = clock.hour_of(clock.now_s())
    for ago in range(1, 10 * 24):
        item(ada.account, hour - ago * HOUR_S, {counter: 40}, {NETWORK: counter})
    ada.logs_in_again()
    for each in (app, other):
        ada.grant(each)
    item(ada.account, hour, {counter: 40}, {NETWORK: counter, "nBBBBBBBB": counter})
    latchkey.clock.forward(HOUR_S + 1)
    background.every_hour()
    (event,) = (event for event in record.newest_first(ada.account.id, 50) if event.type == kinds.NEW_NETWORK)
    told = event.changed.as_dict()
    assert (told["application"], told["name"], told.get("key"), event.actor) == (app.id, "Photos", None, "watch")


def test_anomaly_after_last_run_is_found_by_next(latchkey: TestApp, key: Issued) -> None:
    """A run at five past covers the whole previous hour."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


@pytest.mark.parametrize("networks", [["nBBBBBBBB"], []])
def test_ordinary_hour_does_not_hide_previous_hour(latchkey: TestApp, key: Issued, networks: list[str]) -> None:
    """Both hours are checked, in whichever order they are read."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, *networks, requests=40 if networks else 900)
    latchkey.clock.forward(HOUR_S)
    now(key)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK if networks else kinds.UNUSUAL_TRAFFIC]


@pytest.mark.parametrize(("chosen", "state", "scopes"), [("narrow", "live", {"read"}), ("revoke", "revoked", None)])
def test_policy_is_applied(latchkey: TestApp, key: Issued, chosen: str, state: str, scopes: set[str] | None) -> None:
    """It takes effect with the next request."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set(chosen)])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    background.every_hour()
    stands = find.owned_key(key.key.account_id, key.key.id)
    assert stands.state == state
    assert scopes is None or stands.scopes == scopes


@pytest.mark.parametrize("lost", [kinds.KEY_REVOKED, kinds.NEW_NETWORK])
def test_next_run_completes_after_database_error(latchkey: TestApp, key: Issued, lost: str) -> None:
    """The key is revoked and one event recorded, whichever of the two writes failed."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    with writes_lost(lost):
        background.every_hour()
    assert anomalies(key) == []
    latchkey.clock.forward(HOUR_S)
    for _ in range(2):
        background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]
    assert find.owned_key(key.key.account_id, key.key.id).state == "revoked"


def test_error_with_one_key_does_not_stop_others(latchkey: TestApp) -> None:
    """The next run processes the failed one."""
    account = latchkey.account()
    keys = [latchkey.key(account, "read") for _ in range(2)]
    Credential(keys[0].key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    counters = [counter_items.counter_of(issued.key.id) for issued in keys]
    latchkey.clock.forward(10 * 24 * HOUR_S)
    hour = clock.hour_of(clock.now_s())
    for ago in range(1, 10 * 24):
        item(
            account, hour - ago * HOUR_S, dict.fromkeys(counters, 40), {NETWORK: counters[0], "nBBBBBBBB": counters[1]}
        )
    item(account, hour, dict.fromkeys(counters, 900), {})
    with writes_lost(kinds.KEY_REVOKED):
        background.every_hour()
    assert [found["key"] for found in anomalies(keys[0])] == [keys[1].key.id]
    background.every_hour()
    assert {found["key"] for found in anomalies(keys[0])} == {issued.key.id for issued in keys}


def test_recorded_finding_is_not_processed_again(latchkey: TestApp, key: Issued) -> None:
    """Neither after its dismissal nor under a policy that was chosen later."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    background.every_hour()
    noted = find.owned_key(key.key.account_id, key.key.id)
    assert noted.unusual_of_late is not None
    leak_policy.take_for_usual(noted, noted.unusual_at or 0)
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    # One more request, so that the same hour gets a full check again.
    now(key, "nBBBBBBBB", "nCCCCCCCC")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    stands = find.owned_key(key.key.account_id, key.key.id)
    assert (stands.state, stands.unusual_of_late, len(anomalies(key))) == ("live", None, 1)


def test_dismissed_finding_is_recorded_without_policy(latchkey: TestApp, key: Issued) -> None:
    """Whatever policy was chosen since, it is only recorded."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    with writes_lost(kinds.NEW_NETWORK):
        background.every_hour()
    noted = find.owned_key(key.key.account_id, key.key.id)
    leak_policy.take_for_usual(noted, noted.unusual_at or 0)
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    stands = find.owned_key(key.key.account_id, key.key.id)
    assert (stands.state, stands.unusual_of_late, len(anomalies(key))) == ("live", None, 1)


def test_user_is_emailed_after_retry(latchkey: TestApp, key: Issued, tmp_path: Path) -> None:
    """A run that cannot read the account does nothing, and the next run does everything."""
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    send = dynamodb.sender()

    def no_account(operation: str, request: dynamodb.Json) -> dynamodb.Json:
        if operation == "GetItem" and request["TableName"].endswith("-accounts"):
            raise Unreachable("NoAnswer", "no answer", {})
        return send(operation, request)

    with kept_in(tmp_path / "mail") as box:
        with dynamodb.sent_by(no_account):
            background.every_hour()
        assert find.owned_key(key.key.account_id, key.key.id).state == "live"
        latchkey.clock.forward(HOUR_S)
        background.every_hour()
        assert "revoked" in str(box.take_one())
    assert find.owned_key(key.key.account_id, key.key.id).state == "revoked"


def upgrade_to_pro(issued: Issued) -> None:
    """Change the tier of the account."""
    set_standing(issued.key.account_id, tier=tiers.PRO, status=None, actor="operator")


def test_change_of_tier_keeps_known_networks(latchkey: TestApp, key: Issued) -> None:
    """Networks of the old tier stay known, so that no key is revoked for them."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    now(key, "nWEEKLY00")
    latchkey.clock.forward(HOUR_S)
    upgrade_to_pro(key)
    for _ in range(4 * 24):
        latchkey.clock.forward(HOUR_S)
        now_under(tiers.PRO, key)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now_under(tiers.PRO, key, "nWEEKLY00")
    background.every_hour()
    assert anomalies(key) == []
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_change_of_tier_keeps_baseline(latchkey: TestApp, key: Issued) -> None:
    """A new network on the next day is found."""
    upgrade_to_pro(key)
    for _ in range(24):
        latchkey.clock.forward(HOUR_S)
        now_under(tiers.PRO, key)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now_under(tiers.PRO, key, "nBBBBBBBB", requests=9_000, denials=500)
    background.every_hour()
    assert {found["type"] for found in anomalies(key)} == {
        kinds.NEW_NETWORK,
        kinds.UNUSUAL_TRAFFIC,
        kinds.MANY_DENIALS,
    }


def test_requests_just_before_change_of_tier_are_checked(latchkey: TestApp, key: Issued) -> None:
    """Even when nothing is counted under the new tier."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S // 2)
    upgrade_to_pro(key)
    latchkey.clock.forward(HOUR_S // 2)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


def test_quota_event_names_tier_it_was_counted_under(latchkey: TestApp) -> None:
    """The numbers are those of the old tier."""
    account = latchkey.account()
    item(account, clock.hour_of(clock.now_s()), {"used": 1_000}, {})
    set_standing(account.id, tier=tiers.PRO, status=None, actor="operator")
    background.every_hour()
    (spent,) = record.newest_first(account.id, 1, kind=kinds.QUOTA_SPENT)
    assert (spent.changed.as_dict()["tier"], spent.changed.as_dict()["used"]) == ("free", "1000")


def test_many_rejections_are_recorded_without_policy(latchkey: TestApp, key: Issued) -> None:
    """The limits already apply."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, refusals=300)
    background.every_hour()
    assert len(anomalies(key)) == 1
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_ordinary_hour_reads_one_small_item(latchkey: TestApp, key: Issued) -> None:
    """30 days are read once a day, and when something looks new."""
    account_id = key.key.account_id
    if baselines.day_of(account_id, clock.now_s()) != baselines.day_of(account_id, clock.now_s() + HOUR_S):
        latchkey.clock.forward(HOUR_S)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key)
    with telemetry.calls_watched() as watched:
        hourly_run.sweep(clock.now_ms() + 60_000)
    read = [call for call in watched.made if call[1] != "latchkey-test-accounts" and call[0] != "PutItem"]
    assert ("Query", "latchkey-test-windows") not in read
    assert read.count(("GetItem", "latchkey-test-profiles")) == 2


def test_burst_at_quiet_time_is_found_despite_busy_hours(latchkey: TestApp) -> None:
    """Each time of day has its own maximum."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    counter = counter_items.counter_of(issued.key.id)
    latchkey.clock.forward(20 * 24 * HOUR_S)
    start = clock.hour_of(clock.now_s())
    for ago in range(20 * 24):
        at = start - ago * HOUR_S
        item(account, at, {counter: 5_000 if at % clock.DAY_S == 3 * HOUR_S else 20}, {NETWORK: counter})
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(issued, requests=4_000)
    background.every_hour()
    assert [found["type"] for found in anomalies(issued)] == [kinds.UNUSUAL_TRAFFIC]


def test_running_hour_is_checked_again_when_over(latchkey: TestApp, key: Issued) -> None:
    """The first check does not make its requests part of the baseline."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, requests=200)
    background.every_hour()
    assert anomalies(key) == []
    now(key, requests=390)
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.UNUSUAL_TRAFFIC]


def test_profile_of_earlier_version_is_ignored(latchkey: TestApp, key: Issued) -> None:
    """A profile from before an update leads to a full check."""
    owner_id = key.key.account_id
    background.every_hour()
    kept = baselines.read_profile(owner_id)
    table = settings.current().table(baselines.TABLE)
    most = {"M": {counter_items.counter_of(key.key.id): {"N": "5000"}}}
    old = {"account_id": {"S": owner_id}, "looked_on": {"N": str(kept.looked_on)}, "most": most}
    dynamodb.call("PutItem", {"TableName": table, "Item": old})
    assert baselines.read_profile(owner_id) == baselines.EMPTY
    background.every_hour()
    assert baselines.read_profile(owner_id) == kept


def test_profile_size_is_limited(latchkey: TestApp) -> None:
    """The busiest credentials are in it; others get a full check when they are active."""
    hour = clock.hour_of(clock.now_s())
    past = {f"k{number:07}": {hour - 24 * HOUR_S: usage_history.Hour(requests=number)} for number in range(1_000)}
    baselines.save("acc_1", past, clock.now_s())
    kept = baselines.read_profile("acc_1").most
    assert (len(kept), min(max(most) for most in kept.values())) == (baselines.COUNTERS_MAX, 900)


def test_error_in_one_account_does_not_stop_others(latchkey: TestApp, key: Issued) -> None:
    """The error is logged and counted, and the account is checked again in an hour."""
    broken = latchkey.account(name="Broken")
    item(broken, clock.hour_of(clock.now_s()), {"used": 1}, {})
    seen: list[str] = []

    def also(account: Account, _items: hourly_run.Items) -> None:
        seen.append(account.id)
        if account.id == key.key.account_id:
            raise LookupError("on purpose")

    assert hourly_run.sweep(clock.now_ms() + 60_000, also=[also]) == 2
    assert seen == [key.key.account_id, broken.id]


def test_interrupted_run_is_continued(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the next run, so that the last accounts are checked too."""
    monkeypatch.setattr(hourly_run, "PAGE", 2)
    accounts = [latchkey.account(name=f"Ada{number}") for number in range(5)]
    for account in accounts:
        item(account, clock.hour_of(clock.now_s()), {"used": 1}, {})
    seen: list[str] = []

    def also(account: Account, _items: hourly_run.Items) -> None:
        seen.append(account.id)

    for _ in range(3):
        hourly_run.sweep(0, also=[also])
    assert sorted(seen) == sorted(account.id for account in accounts)


def test_run_checks_hours_missed_by_earlier_runs(latchkey: TestApp, key: Issued) -> None:
    """Findings name their own hour and are recorded once."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB", requests=900)
    then = clock.iso(clock.hour_of(clock.now_s()) * 1000)
    for _ in range(4):
        latchkey.clock.forward(HOUR_S)
        now(key)
    background.every_hour()
    background.every_hour()
    found = {(found["type"], found["hour"]) for found in anomalies(key)}
    assert found == {(kinds.NEW_NETWORK, then), (kinds.UNUSUAL_TRAFFIC, then)}
    assert len(anomalies(key)) == 2


def test_run_after_long_pause_checks_a_few_hours(latchkey: TestApp, key: Issued) -> None:
    """Findings are recent, and no run reads a whole day."""
    background.every_hour()
    for ahead in range(1, 30):
        latchkey.clock.forward(HOUR_S)
        now(key, *(["nBBBBBBBB"] if ahead == 3 else []))
    background.every_hour()
    assert anomalies(key) == []


@pytest.mark.parametrize("pages", [1, 2])
def test_hour_seen_early_by_interrupted_run_is_checked_again(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """The next run does the rest and repeats the hour that was not over."""
    monkeypatch.setattr(hourly_run, "PAGE", 1)
    first = used_for_days(latchkey, latchkey.account())
    others = [latchkey.account(name=f"Zoe{number}") for number in range(2)]
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    for other in others:
        item(other, clock.hour_of(clock.now_s()), {"used": 1}, {})
    for _ in range(pages):
        hourly_run.sweep(0)
    now(first, "nBBBBBBBB", requests=900)
    latchkey.clock.forward(HOUR_S)
    now(first)
    hourly_run.sweep(clock.now_ms() + 60_000)
    assert {found["type"] for found in anomalies(first)} == {kinds.NEW_NETWORK, kinds.UNUSUAL_TRAFFIC}


def test_hour_with_failed_check_is_checked_later(latchkey: TestApp, key: Issued) -> None:
    """Even the hour before the last one."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S)
    now(key)
    with writes_lost(kinds.NEW_NETWORK):
        background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


def test_each_account_is_checked_once_in_a_run(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the run starts, even in the middle of a page."""
    monkeypatch.setattr(hourly_run, "PAGE", 2)
    accounts = [latchkey.account(name=f"Ada{number}") for number in range(5)]
    for account in accounts:
        item(account, clock.hour_of(clock.now_s()), {"used": 1}, {})
    for after in ("", *(account.id for account in accounts), "acc_~"):
        baselines.save_cursor(baselines.Cursor(after, clock.hour_of(clock.now_s())))
        seen: list[str] = []

        def also(account: Account, _items: hourly_run.Items, seen: list[str] = seen) -> None:
            seen.append(account.id)

        assert hourly_run.sweep(clock.now_ms() + 60_000, also=[also]) == 5
        assert sorted(seen) == sorted(account.id for account in accounts)


def test_full_checks_are_spread_over_the_day() -> None:
    """Each account has its own time, once in 24 hours."""
    start = clock.DAY_S * 18_000
    due = []
    for number in range(240):
        days = [baselines.day_of(f"acc_{number}", start + hour * HOUR_S) for hour in range(25)]
        assert days[24] == days[0] + 1
        due.append(days.index(days[24]))
    assert len(set(due)) == 24


def test_stolen_key_is_detected_from_real_admissions(latchkey: TestApp) -> None:
    """Four days of real requests from one network, then one from another."""
    account = latchkey.account()
    issued = latchkey.key(account, "read")
    for _ in range(4 * 24):
        assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="203.0.113.7").status == 200
        latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="203.0.113.99").status == 200
    background.every_hour()
    assert anomalies(issued) == []
    assert latchkey.call("GET", "/v1/users/me", issued.secret, ip="198.51.100.23").status == 200
    background.every_hour()
    (found,) = anomalies(issued)
    assert (found["type"], found["key"]) == (kinds.NEW_NETWORK, issued.key.id)
    assert "198.51" not in str(found)
