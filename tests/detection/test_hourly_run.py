"""The hourly look: what is unusual is told once, and acted on as chosen; no account is left out for long."""

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
    """A key that has sent 40 requests an hour from one network for ten days, and its account."""
    return used_for_days(latchkey, latchkey.account())


def owner(issued: Issued) -> Account:
    """Return whose key it is."""
    return Account.get(issued.key.account_id)


def now(issued: Issued, *networks: str, **counted: int) -> None:
    """Write this hour of a key, under the Free tier."""
    now_under(tiers.FREE, issued, *networks, **counted)


def now_under(tier: tiers.Tier, issued: Issued, /, *networks: str, **counted: int) -> None:
    """Write this hour of a key: its requests, `denials` and `refusals`, and the networks it came from."""
    counter = counter_items.counter_of(issued.key.id)
    names = {"requests": counter, "denials": f"f{counter[1:]}", "refusals": f"q{counter[1:]}"}
    counters = {names[name]: count for name, count in {"requests": 40, **counted}.items()}
    marks = dict.fromkeys((NETWORK, *networks), counter)
    item(owner(issued), clock.hour_of(clock.now_s()), counters, marks, tier)


def anomalies(issued: Issued) -> list[dict[str, Any]]:
    """Return what was found."""
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
def test_planted_anomaly_is_told_once(
    latchkey: TestApp, key: Issued, networks: list[str], counted: dict[str, int], kind: str
) -> None:
    """At the next look, with the key and the numbers, beside the key for its person; looking again tells nothing."""
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


def test_application_is_told_by_its_id_and_name(latchkey: TestApp, ada: Person, app: App) -> None:
    """As its account knows it, also when its token has ended since."""
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


def test_what_happened_after_the_last_look_is_found_by_the_next(latchkey: TestApp, key: Issued) -> None:
    """The look at five past sees the whole hour before."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


@pytest.mark.parametrize("networks", [["nBBBBBBBB"], []])
def test_ordinary_hour_hides_nothing_of_the_hour_before(latchkey: TestApp, key: Issued, networks: list[str]) -> None:
    """Both hours are looked at, whichever of them is read last."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, *networks, requests=40 if networks else 900)
    latchkey.clock.forward(HOUR_S)
    now(key)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK if networks else kinds.UNUSUAL_TRAFFIC]


@pytest.mark.parametrize(("chosen", "state", "scopes"), [("narrow", "live", {"read"}), ("revoke", "revoked", None)])
def test_policy_is_followed(latchkey: TestApp, key: Issued, chosen: str, state: str, scopes: set[str] | None) -> None:
    """From the next request on."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set(chosen)])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    background.every_hour()
    stands = find.owned_key(key.key.account_id, key.key.id)
    assert stands.state == state
    assert scopes is None or stands.scopes == scopes


@pytest.mark.parametrize("lost", [kinds.KEY_REVOKED, kinds.NEW_NETWORK])
def test_what_a_fault_of_the_database_kept_from_being_done_is_done_by_the_next_look(
    latchkey: TestApp, key: Issued, lost: str
) -> None:
    """The key is revoked and told of, once, whichever of the two the database didn't write."""
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


def test_fault_with_one_key_keeps_no_other_of_its_account_from_being_told_of(latchkey: TestApp) -> None:
    """What couldn't be done for the one is done by the next look."""
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


def test_what_was_told_is_not_acted_on_again(latchkey: TestApp, key: Issued) -> None:
    """Not when its person has said that it was them, nor by a policy that was chosen later."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    background.every_hour()
    noted = find.owned_key(key.key.account_id, key.key.id)
    assert noted.unusual_of_late is not None
    leak_policy.take_for_usual(noted, noted.unusual_at or 0)
    change.change_key(key.key.account_id, key.key.id, name=None, wanted=None, on_anomaly="revoke")
    # One more, so that the same hour is looked at whole again.
    now(key, "nBBBBBBBB", "nCCCCCCCC")
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    stands = find.owned_key(key.key.account_id, key.key.id)
    assert (stands.state, stands.unusual_of_late, len(anomalies(key))) == ("live", None, 1)


def test_what_its_person_knows_is_not_acted_on_though_it_was_not_told(latchkey: TestApp, key: Issued) -> None:
    """Whatever policy they chose since: it is told, and that is all."""
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


def test_person_is_written_to_whatever_failed_once(latchkey: TestApp, key: Issued, tmp_path: Path) -> None:
    """A look that can't read whom to write to does nothing; the next one does all of it."""
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


def becomes_pro(issued: Issued) -> None:
    """Have its account change its tier."""
    set_standing(issued.key.account_id, tier=tiers.PRO, status=None, actor="operator")


def test_change_of_tier_forgets_no_network(latchkey: TestApp, key: Issued) -> None:
    """What was usual under the old tier is usual under the new one: no key is revoked for it."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    now(key, "nWEEKLY00")
    latchkey.clock.forward(HOUR_S)
    becomes_pro(key)
    for _ in range(4 * 24):
        latchkey.clock.forward(HOUR_S)
        now_under(tiers.PRO, key)
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now_under(tiers.PRO, key, "nWEEKLY00")
    background.every_hour()
    assert anomalies(key) == []
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_change_of_tier_makes_no_key_a_young_one(latchkey: TestApp, key: Issued) -> None:
    """A stranger who comes the day after is seen."""
    becomes_pro(key)
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


def test_what_was_done_under_the_old_tier_just_before_its_change_is_judged(latchkey: TestApp, key: Issued) -> None:
    """Also when nothing is counted under the new one."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, "nBBBBBBBB")
    latchkey.clock.forward(HOUR_S // 2)
    becomes_pro(key)
    latchkey.clock.forward(HOUR_S // 2)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.NEW_NETWORK]


def test_quota_that_was_spent_under_the_old_tier_is_told_with_that(latchkey: TestApp) -> None:
    """Its numbers are those of the tier it was counted under."""
    account = latchkey.account()
    item(account, clock.hour_of(clock.now_s()), {"used": 1_000}, {})
    set_standing(account.id, tier=tiers.PRO, status=None, actor="operator")
    background.every_hour()
    (spent,) = record.newest_first(account.id, 1, kind=kinds.QUOTA_SPENT)
    assert (spent.changed.as_dict()["tier"], spent.changed.as_dict()["used"]) == ("free", "1000")


def test_many_refusals_are_only_told(latchkey: TestApp, key: Issued) -> None:
    """The limits hold already."""
    Credential(key.key.digest).update(actions=[Credential.on_anomaly.set("revoke")])
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, refusals=300)
    background.every_hour()
    assert len(anomalies(key)) == 1
    assert find.owned_key(key.key.account_id, key.key.id).state == "live"


def test_ordinary_hour_reads_one_small_item(latchkey: TestApp, key: Issued) -> None:
    """Thirty days are read once a day, and when something looks new."""
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


def test_burst_at_a_quiet_time_is_found_beside_a_busy_one(latchkey: TestApp) -> None:
    """A job at three in the morning hides nothing of the afternoon: each time of day has a most of its own."""
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


def test_hour_that_was_looked_at_while_it_ran_is_judged_again_when_it_is_over(latchkey: TestApp, key: Issued) -> None:
    """What an hour had come to by then is no habit that its end is held against."""
    background.every_hour()
    latchkey.clock.forward(HOUR_S)
    now(key, requests=200)
    background.every_hour()
    assert anomalies(key) == []
    now(key, requests=390)
    latchkey.clock.forward(HOUR_S)
    background.every_hour()
    assert [found["type"] for found in anomalies(key)] == [kinds.UNUSUAL_TRAFFIC]


def test_profile_of_an_earlier_form_is_none(latchkey: TestApp, key: Issued) -> None:
    """What was kept before an update is looked up anew."""
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


def test_profile_stays_small(latchkey: TestApp) -> None:
    """Of very many credentials the busiest are remembered; the others are looked up when they do something."""
    hour = clock.hour_of(clock.now_s())
    past = {f"k{number:07}": {hour - 24 * HOUR_S: usage_history.Hour(requests=number)} for number in range(1_000)}
    baselines.save("acc_1", past, clock.now_s())
    kept = baselines.read_profile("acc_1").most
    assert (len(kept), min(max(most) for most in kept.values())) == (baselines.COUNTERS_MAX, 900)


def test_broken_account_keeps_no_other_from_being_looked_at(latchkey: TestApp, key: Issued) -> None:
    """What fails is logged and counted, and met again in an hour."""
    broken = latchkey.account(name="Broken")
    item(broken, clock.hour_of(clock.now_s()), {"used": 1}, {})
    seen: list[str] = []

    def also(account: Account, _items: hourly_run.Items) -> None:
        seen.append(account.id)
        if account.id == key.key.account_id:
            raise LookupError("on purpose")

    assert hourly_run.sweep(clock.now_ms() + 60_000, also=[also]) == 2
    assert seen == [key.key.account_id, broken.id]


def test_look_that_is_cut_short_is_gone_on_with(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whichever function looks next; the tail of many accounts is not forgotten."""
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


def test_look_goes_back_to_the_hours_that_others_missed(latchkey: TestApp, key: Issued) -> None:
    """A function that didn't run for some hours; what is found is told with its own hour, once."""
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


def test_look_after_a_long_time_goes_back_some_hours_only(latchkey: TestApp, key: Issued) -> None:
    """What is told is news, and no look reads a day of everybody."""
    background.every_hour()
    for ahead in range(1, 30):
        latchkey.clock.forward(HOUR_S)
        now(key, *(["nBBBBBBBB"] if ahead == 3 else []))
    background.every_hour()
    assert anomalies(key) == []


@pytest.mark.parametrize("pages", [1, 2])
def test_what_a_look_that_was_cut_short_has_seen_too_early_is_judged(
    latchkey: TestApp, monkeypatch: pytest.MonkeyPatch, pages: int
) -> None:
    """The next look does the rest, and what the one before it has seen of an hour that wasn't over."""
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


def test_hour_that_could_not_be_judged_is_judged_by_a_later_look(latchkey: TestApp, key: Issued) -> None:
    """The hour before the last one, too, when the look at it failed."""
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


def test_each_account_is_looked_at_once_a_round(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever it begins, also in the middle of what comes as one page."""
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


def test_whole_looks_are_spread_over_the_day() -> None:
    """Each account has its own moment, once in 24 hours; not all have midnight."""
    start = clock.DAY_S * 18_000
    due = []
    for number in range(240):
        days = [baselines.day_of(f"acc_{number}", start + hour * HOUR_S) for hour in range(25)]
        assert days[24] == days[0] + 1
        due.append(days.index(days[24]))
    assert len(set(due)) == 24


def test_stranger_with_a_stolen_key_is_noticed_by_what_admissions_wrote(latchkey: TestApp) -> None:
    """Nothing planted: four days of requests from one network, then one from another."""
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
