"""The room in an item: each kind by its share, to the byte, and what goes when there is too much of it."""

from typing import Any

import pytest

from chalicelib.limits import recorded_usage
from chalicelib.limits.recorded_usage import (
    NAMED_MAX,
    NETWORKS_MAX,
    NOTHING_SHOWN,
    SHARED_BYTES,
    Known,
    Traits,
    is_old_news,
    known,
)
from chalicelib.limits.recorded_usage_delta import NOTHING_LEARNT, Learnt, learnt

ADA, BOB = "kAda0000", "kBob0000"
ONE = {"N": "1"}
NUMBER, ROUTE, COUNTER = 8 + 5, 4 + 3, 8 + 1
"""So many bytes a number by name, a route and each counter of a route take."""
NETWORKS = {f"n{number:08}": {"S": ADA} for number in range(NETWORKS_MAX)}


def counters(count: int) -> dict[str, Any]:
    """Return a route's value: so many counters."""
    return {"SS": [f"k{number:07}" for number in range(count)]}


def told(**changed: Any) -> Learnt:
    """Return what a write of Ada's from a known item adds that has nothing to tell but what is named here."""
    item = {"names": frozenset[str](), "room_bytes": SHARED_BYTES} | changed.pop("known", {})
    shown, sums = changed.pop("shown", NOTHING_SHOWN), changed.pop("told_no", {})
    return learnt(Known(**item), changed.pop("counter", ADA), shown, sums)


def test_item_is_known_by_its_networks_routes_failures_and_refusals() -> None:
    """Numbers that aren't by name, and what else an item holds, are nothing of it; each name takes its room."""
    item = {
        "subject": {"S": "acc_1#free"},
        "hour": ONE,
        "used": ONE,
        "nAAAAAAAA": {"S": ADA},
        "kAda0000": ONE,
        "n_other": ONE,
        "s12": ONE,
        "rAAA": {"SS": [ADA, BOB]},
        "rBBB": {"SS": [ADA]},
        "refused": ONE,
        "r_other": ONE,
        "fAda0000": ONE,
        "f_other": ONE,
        "qAda0000": ONE,
        "qBob0000": ONE,
        "cApp0000": ONE,
        "other": ONE,
        "stale_at": ONE,
        "dies_at": ONE,
    }
    assert known(item) == Known(
        names=frozenset({"nAAAAAAAA", "n_other", "r_other", "fAda0000", "qAda0000", "qBob0000"})
        | {"rAAA" + ADA, "rAAA" + BOB, "rBBB" + ADA},
        networks=1,
        failed=1,
        refused=2,
        room_bytes=SHARED_BYTES - 2 * ROUTE - 3 * COUNTER - 3 * NUMBER,
    )
    assert known({"used": ONE, "refused": ONE, "f_other": ONE}) == recorded_usage.NOTHING_KNOWN


def test_networks_beyond_the_eighth_are_too_many() -> None:
    """The last by name go, so all processes take away the same."""
    assert known(NETWORKS | {"n_other": ONE}).excess == ()
    more = {"n00000009": {"S": ADA}, "n00000008": {"S": BOB}}
    assert known(more | NETWORKS).excess == ("n00000008", "n00000009")


@pytest.mark.parametrize(
    ("item", "excess"),
    [
        ({"rAAA": counters(12), "rBBB": counters(12)}, ()),
        ({"rAAA": counters(12), "rBBB": counters(12), "rCCC": counters(1)}, ("rCCC",)),
        ({"rBBB": counters(12), "rAAA": counters(13)}, ("rBBB",)),
        ({"rAAA": counters(13), "rBBB": counters(12)}, ("rBBB",)),
        ({"rAAA": counters(24), "rBBB": counters(1), "rCCC": counters(1)}, ("rBBB", "rCCC")),
        ({"rAAA": counters(25), "rBBB": counters(1)}, ("rAAA", "rBBB")),
        # 6 * 7 + 21 * 9 = 231
        ({f"r{name}": counters(4) for name in "ABCDE"} | {"rF": counters(1)}, ("rF",)),
        # 13 + 13 + 2 * 7 + 21 * 9 = 229
        ({"rAAA": counters(11), "rBBB": counters(10), "f0000000": ONE, "q0000000": ONE}, ()),
        ({"rAAA": counters(11), "rBBB": counters(11), "f0000000": ONE, "q0000000": ONE}, ("rBBB",)),
        ({"rAAA": counters(11), "rBBB": counters(11), "f_other": ONE, "refused": ONE, "r_other": ONE}, ()),
    ],
)
def test_routes_without_room_are_too_many(item: dict[str, Any], excess: tuple[str, ...]) -> None:
    """Numbers by name come first, then routes in the order of their names; 230 bytes are all there are."""
    assert known(item).excess == excess


@pytest.mark.parametrize(
    ("room", "names", "expected"),
    [
        (ROUTE + COUNTER, (), True),
        (ROUTE + COUNTER - 1, (), False),
        (COUNTER, ("rAAA" + BOB,), True),
        (COUNTER - 1, ("rAAA" + BOB,), False),
    ],
)
def test_route_is_named_where_its_bytes_have_room(room: int, names: tuple[str, ...], expected: bool) -> None:
    """A route that is there already takes those of one more counter; one that isn't named marks the hour."""
    found = told(known={"room_bytes": room, "names": frozenset(names)}, shown=Traits(route="rAAA"))
    if expected:
        assert (found.sets, found.adds) == ("", ", #route :route")
        assert (dict(found.names), dict(found.values)) == ({"#route": "rAAA"}, {":route": {"SS": [ADA]}})
    else:
        assert (found.sets, found.adds) == (", r_other = :one", "")
        assert (dict(found.names), dict(found.values)) == ({}, {":one": ONE})


def test_network_is_named_until_there_are_eight() -> None:
    """The ninth is counted."""
    shown = Traits(network="nAAAAAAAA")
    assert told(known={"networks": NETWORKS_MAX - 1}, shown=shown) == Learnt(
        sets=", #network = :network", names={"#network": "nAAAAAAAA"}, values={":network": {"S": ADA}}
    )
    assert told(known={"networks": NETWORKS_MAX}, shown=shown) == Learnt(
        adds=", n_other :n_other", values={":n_other": ONE}
    )


@pytest.mark.parametrize(("kind", "counted"), [("f", "failed"), ("q", "refused")])
@pytest.mark.parametrize(
    ("room", "already", "is_named"), [(NUMBER, NAMED_MAX - 1, True), (NUMBER - 1, 0, False), (100, NAMED_MAX, False)]
)
def test_number_is_named_where_there_are_fewer_than_eight_and_room(
    kind: str, counted: str, room: int, already: int, is_named: bool
) -> None:
    """A failure without a name is in `f_other`, a refusal in the account's own sum."""
    name = f"{kind}Ada0000"
    found = told(known={"room_bytes": room, counted: already}, told_no={name: 5})
    if is_named:
        assert found == Learnt(adds=", #no0 :no0", names={"#no0": name}, values={":no0": {"N": "5"}})
    elif kind == "f":
        assert found == Learnt(adds=", f_other :f_other", values={":f_other": {"N": "5"}})
    else:
        assert found == Learnt()


def test_number_that_is_named_already_needs_no_room() -> None:
    """It is added to, whatever else the item has."""
    full = {"room_bytes": 0, "failed": NAMED_MAX, "refused": NAMED_MAX, "names": frozenset(["fAda0000", "qAda0000"])}
    found = told(known=full, told_no={"fAda0000": 2, "fBob0000": 3, "qBob0000": 4, "qAda0000": 5, "fCid0000": 7})
    assert found == Learnt(
        adds=", #no0 :no0, #no3 :no3, f_other :f_other",
        names={"#no0": "fAda0000", "#no3": "qAda0000"},
        values={":no0": {"N": "2"}, ":no3": {"N": "5"}, ":f_other": {"N": "10"}},
    )


@pytest.mark.parametrize(("more", "named"), [(0, ["fAda0000"]), (NUMBER, ["fAda0000", "qAda0000"])])
def test_what_one_write_names_shares_the_room(more: int, named: list[str]) -> None:
    """The route first, then numbers in their order."""
    found = told(
        known={"room_bytes": ROUTE + COUNTER + NUMBER + more},
        shown=Traits(route="rAAA"),
        told_no={"fAda0000": 1, "qAda0000": 1},
    )
    assert [found.names.get(f"#no{number}") for number in range(len(named))] == named
    assert len(found.names) == 1 + len(named)


@pytest.mark.parametrize("kind", ["f", "q"])
def test_one_write_names_no_more_than_eight_of_a_kind(kind: str) -> None:
    """Those that the item has already count; those of the other kind don't."""
    sums = {f"{kind}000000{number}": 1 for number in range(4)}
    full, empty = ("failed", "refused") if kind == "f" else ("refused", "failed")
    found = told(known={full: NAMED_MAX - 2, empty: 0}, told_no=sums)
    assert len(found.names) == 2
    other = {f"{'q' if kind == 'f' else 'f'}000000{number}": 1 for number in range(4)}
    assert len(told(known={full: NAMED_MAX - 2, empty: 0}, told_no=other).names) == 4


def test_nothing_new_is_nothing_learnt() -> None:
    """Without a counter whatever is shown, and with one what the item has."""
    shown = Traits("nAAAAAAAA", "rAAA")
    has_all = {"names": frozenset(["nAAAAAAAA", "rAAA" + ADA]), "networks": 1}
    assert told(counter=None, shown=shown) is NOTHING_LEARNT
    assert told(known=has_all, shown=shown) is NOTHING_LEARNT
    assert told(shown=NOTHING_SHOWN) is NOTHING_LEARNT
    assert told(known=has_all, shown=shown, counter=BOB).sets == ""
    assert told(known=has_all, shown=shown, counter=BOB).adds == ", #route :route"
    assert told(known=has_all, shown=Traits("nBBBBBBBB", "rAAA")).sets == ", #network = :network"


def test_without_a_counter_only_what_was_refused_or_failed_is_told() -> None:
    """Networks and routes belong to somebody."""
    found = told(counter=None, shown=Traits("nAAAAAAAA", "rAAA"), told_no={"fAda0000": 1})
    assert (found.sets, found.adds) == ("", ", #no0 :no0")


def test_too_much_goes_with_the_next_write_and_is_marked() -> None:
    """Networks are counted, routes mark the hour once; what the request itself shows is told beside it."""
    excess = ("n00000008", "n00000009", "rCCC")
    full = {"names": frozenset(NETWORKS), "networks": 10, "room_bytes": -1, "excess": excess}
    for counter in (ADA, None):
        found = told(known=full, counter=counter)
        assert (found.sets, found.adds, found.removes) == (
            ", r_other = :one",
            ", n_other :n_other",
            ("#x0", "#x1", "#x2"),
        )
        assert dict(found.names) == {"#x0": "n00000008", "#x1": "n00000009", "#x2": "rCCC"}
        assert dict(found.values) == {":one": ONE, ":n_other": {"N": "2"}}
    found = told(known=full | {"names": frozenset(["r_other"])}, shown=Traits("nNew00000", "rNew"))
    assert (found.sets, found.adds) == ("", ", n_other :n_other")
    assert dict(found.values) == {":n_other": {"N": "3"}}


def test_networks_that_are_too_many_say_nothing_of_routes() -> None:
    """An hour is complete as long as each route has found room."""
    found = told(known={"networks": 9, "excess": ("n00000008",)}, shown=Traits(route="rAAA"))
    assert (found.sets, found.removes) == ("", ("#x0",))
    assert found.adds == ", #route :route, n_other :n_other"


@pytest.mark.parametrize(
    ("item", "counter", "shown", "is_old"),
    [
        ({}, None, Traits("nAAAAAAAA", "rAAA"), True),
        ({}, ADA, NOTHING_SHOWN, True),
        ({}, ADA, Traits("nAAAAAAAA", ""), False),
        ({}, ADA, Traits("", "rAAA"), False),
        ({"names": frozenset(["nAAAAAAAA"])}, ADA, Traits("nAAAAAAAA", ""), True),
        ({"names": frozenset(["rAAA" + ADA])}, ADA, Traits("", "rAAA"), True),
        ({"names": frozenset(["rAAA" + ADA])}, BOB, Traits("", "rAAA"), False),
        ({"names": frozenset(["rAAA" + ADA])}, ADA, Traits("nAAAAAAAA", "rAAA"), False),
        ({"networks": NETWORKS_MAX}, ADA, Traits("nAAAAAAAA", ""), True),
        ({"networks": NETWORKS_MAX - 1}, ADA, Traits("nAAAAAAAA", ""), False),
        ({"networks": NETWORKS_MAX}, ADA, Traits("nAAAAAAAA", "rAAA"), False),
        ({"names": frozenset(["r_other"]), "room_bytes": ROUTE + COUNTER - 1}, ADA, Traits("", "rAAA"), True),
        ({"names": frozenset(["r_other"]), "room_bytes": ROUTE + COUNTER}, ADA, Traits("", "rAAA"), False),
        ({"room_bytes": 0}, ADA, Traits("", "rAAA"), False),
    ],
)
def test_lease_may_be_spent_on_what_the_item_has_or_only_counts(
    item: dict[str, Any], counter: str | None, shown: Traits, is_old: bool
) -> None:
    """A ninth network is counted with the next write; a route is marked once, when there is no room."""
    assert is_old_news(Known(**item), counter, shown) is is_old


def test_shown_by_leaves_out_what_is_not_known() -> None:
    """An empty network or route has no name."""
    both = recorded_usage.shown_by(ADA, network="203.0.113.0/24", route="GET /v1/users")
    assert both == Traits("nmUkuS2Af", recorded_usage.route_name("GET /v1/users"))
    assert recorded_usage.shown_by(ADA, network="", route="GET /v1/users") == Traits("", both.route)
    assert recorded_usage.shown_by(ADA, network="203.0.113.0/24", route="") == Traits(both.network, "")


def test_raw_item_is_read_by_kind() -> None:
    """Sums and marks are none of it; what isn't there is zero."""
    item = {"nAAAAAAAA": {"S": ADA}, "n_other": ONE, "rAAA": counters(2), "r_other": ONE, "refused": ONE}
    item |= {"fAda0000": {"N": "3"}}
    assert recorded_usage.networks_of(item) == {"nAAAAAAAA": ADA}
    assert recorded_usage.routes_of(item) == {"rAAA": frozenset(["k0000000", "k0000001"])}
    assert (recorded_usage.is_complete(item), recorded_usage.is_complete({})) == (False, True)
    assert recorded_usage.times_told_no(item, recorded_usage.FAILED, ADA) == 3
    assert recorded_usage.times_told_no(item, recorded_usage.REFUSED, ADA) == 0


@pytest.mark.parametrize(("route", "name"), [("GET /v1/users", "rdfd"), ("POST /v1/keys", "r5ek")])
def test_route_names_stay(route: str, name: str) -> None:
    """Items are read for 31 days, and by code that is newer than what wrote them."""
    assert recorded_usage.route_name(route) == name
