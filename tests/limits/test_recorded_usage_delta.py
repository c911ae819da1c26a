"""Room for names in a counter item: the limits in bytes, and the removal of names beyond them."""

from typing import Any

import pytest

from chalicelib.limits import recorded_usage
from chalicelib.limits.recorded_usage import (
    CREDENTIALS_MAX,
    NETWORKS_MAX,
    NO_USAGE,
    SHARED_BYTES,
    RecordedUsage,
    RequestUsage,
    is_already_recorded,
    parse,
)
from chalicelib.limits.recorded_usage_delta import NO_DELTA, Delta, compute_delta

ADA, BOB = "kAda0000", "kBob0000"
ONE = {"N": "1"}
NUMBER, ROUTE, COUNTER = 8 + 5, 4 + 3, 8 + 1
"""Bytes of a named number, of a route, and of each counter in a route's set."""
NETWORKS = {f"n{number:08}": {"S": ADA} for number in range(NETWORKS_MAX)}


def counters(count: int) -> dict[str, Any]:
    """Return a route's set with `number` counters."""
    return {"SS": [f"k{number:07}" for number in range(count)]}


def delta_of(**changed: Any) -> Delta:
    """Return what a write adds to an item, by default for the counter ADA and an item without names."""
    item = {"names": frozenset[str](), "room_bytes": SHARED_BYTES} | changed.pop("recorded", {})
    usage, sums = changed.pop("usage", NO_USAGE), changed.pop("denials", {})
    return compute_delta(RecordedUsage(**item), changed.pop("counter", ADA), usage, sums)


def test_item_is_parsed_by_networks_routes_failures_and_rejections() -> None:
    """Networks, routes, failures and rejections are parsed with the bytes they use; other attributes are ignored."""
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
    assert parse(item) == RecordedUsage(
        names=frozenset({"nAAAAAAAA", "n_other", "r_other", "fAda0000", "qAda0000", "qBob0000"})
        | {"rAAA" + ADA, "rAAA" + BOB, "rBBB" + ADA},
        networks=1,
        failed=1,
        rejected=2,
        room_bytes=SHARED_BYTES - 2 * ROUTE - 3 * COUNTER - 3 * NUMBER,
    )
    assert parse({"used": ONE, "refused": ONE, "f_other": ONE}) == recorded_usage.NOTHING_RECORDED


def test_networks_beyond_the_eighth_overflow() -> None:
    """The networks that come last in the order of names are removed, so all processes remove the same ones."""
    assert parse(NETWORKS | {"n_other": ONE}).overflow == ()
    more = {"n00000009": {"S": ADA}, "n00000008": {"S": BOB}}
    assert parse(more | NETWORKS).overflow == ("n00000008", "n00000009")


@pytest.mark.parametrize(
    ("item", "overflow"),
    [
        ({"rAAA": counters(12), "rBBB": counters(12)}, ()),
        ({"rAAA": counters(12), "rBBB": counters(12), "rCCC": counters(1)}, ("rCCC",)),
        ({"rBBB": counters(12), "rAAA": counters(13)}, ("rBBB",)),
        ({"rAAA": counters(13), "rBBB": counters(12)}, ("rBBB",)),
        ({"rAAA": counters(24), "rBBB": counters(1), "rCCC": counters(1)}, ("rBBB", "rCCC")),
        ({"rAAA": counters(25), "rBBB": counters(1)}, ("rAAA", "rBBB")),
        # The routes need 6 * 7 + 21 * 9 = 231 bytes.
        ({f"r{name}": counters(4) for name in "ABCDE"} | {"rF": counters(1)}, ("rF",)),
        # The numbers and routes need 13 + 13 + 2 * 7 + 21 * 9 = 229 bytes.
        ({"rAAA": counters(11), "rBBB": counters(10), "f0000000": ONE, "q0000000": ONE}, ()),
        ({"rAAA": counters(11), "rBBB": counters(11), "f0000000": ONE, "q0000000": ONE}, ("rBBB",)),
        ({"rAAA": counters(11), "rBBB": counters(11), "f_other": ONE, "refused": ONE, "r_other": ONE}, ()),
    ],
)
def test_routes_without_room_overflow(item: dict[str, Any], overflow: tuple[str, ...]) -> None:
    """Names up to 230 bytes are kept: first named numbers, then routes in the order of names; the rest is removed."""
    assert parse(item).overflow == overflow


@pytest.mark.parametrize(
    ("room", "names", "expected"),
    [
        (ROUTE + COUNTER, (), True),
        (ROUTE + COUNTER - 1, (), False),
        (COUNTER, ("rAAA" + BOB,), True),
        (COUNTER - 1, ("rAAA" + BOB,), False),
    ],
)
def test_route_is_named_if_its_bytes_fit(room: int, names: tuple[str, ...], expected: bool) -> None:
    """A new counter is added to the set of its route if it fits. Otherwise the hour is marked as incomplete."""
    found = delta_of(recorded={"room_bytes": room, "names": frozenset(names)}, usage=RequestUsage(route="rAAA"))
    if expected:
        assert (found.sets, found.adds) == ("", ", #route :route")
        assert (dict(found.names), dict(found.values)) == ({"#route": "rAAA"}, {":route": {"SS": [ADA]}})
    else:
        assert (found.sets, found.adds) == (", r_other = :one", "")
        assert (dict(found.names), dict(found.values)) == ({}, {":one": ONE})


def test_eight_networks_are_named() -> None:
    """The first eight networks are named, and the ninth is counted in `n_other`."""
    usage = RequestUsage(network="nAAAAAAAA")
    assert delta_of(recorded={"networks": NETWORKS_MAX - 1}, usage=usage) == Delta(
        sets=", #network = :network", names={"#network": "nAAAAAAAA"}, values={":network": {"S": ADA}}
    )
    assert delta_of(recorded={"networks": NETWORKS_MAX}, usage=usage) == Delta(
        adds=", n_other :n_other", values={":n_other": ONE}
    )


@pytest.mark.parametrize(("kind", "counted"), [("f", "failed"), ("q", "rejected")])
@pytest.mark.parametrize(
    ("room", "already", "is_named"),
    [(NUMBER, CREDENTIALS_MAX - 1, True), (NUMBER - 1, 0, False), (100, CREDENTIALS_MAX, False)],
)
def test_number_is_named_below_eight_and_with_room(
    kind: str, counted: str, room: int, already: int, is_named: bool
) -> None:
    """If eight names are already recorded, or a name doesn't fit, failures are added to `f_other` and rejections only
    to the total.
    """
    name = f"{kind}Ada0000"
    found = delta_of(recorded={"room_bytes": room, counted: already}, denials={name: 5})
    if is_named:
        assert found == Delta(adds=", #no0 :no0", names={"#no0": name}, values={":no0": {"N": "5"}})
    elif kind == "f":
        assert found == Delta(adds=", f_other :f_other", values={":f_other": {"N": "5"}})
    else:
        assert found == Delta()


def test_named_number_needs_no_room() -> None:
    """A number that already has a name is increased even in a full item."""
    full = {
        "room_bytes": 0,
        "failed": CREDENTIALS_MAX,
        "rejected": CREDENTIALS_MAX,
        "names": frozenset(["fAda0000", "qAda0000"]),
    }
    found = delta_of(recorded=full, denials={"fAda0000": 2, "fBob0000": 3, "qBob0000": 4, "qAda0000": 5, "fCid0000": 7})
    assert found == Delta(
        adds=", #no0 :no0, #no3 :no3, f_other :f_other",
        names={"#no0": "fAda0000", "#no3": "qAda0000"},
        values={":no0": {"N": "2"}, ":no3": {"N": "5"}, ":f_other": {"N": "10"}},
    )


@pytest.mark.parametrize(("more", "named"), [(0, ["fAda0000"]), (NUMBER, ["fAda0000", "qAda0000"])])
def test_names_of_one_write_share_the_room(more: int, named: list[str]) -> None:
    """Names of one write use the room in order: first the route, then the numbers."""
    found = delta_of(
        recorded={"room_bytes": ROUTE + COUNTER + NUMBER + more},
        usage=RequestUsage(route="rAAA"),
        denials={"fAda0000": 1, "qAda0000": 1},
    )
    assert [found.names.get(f"#no{number}") for number in range(len(named))] == named
    assert len(found.names) == 1 + len(named)


@pytest.mark.parametrize("kind", ["f", "q"])
def test_one_write_names_at_most_eight_of_a_kind(kind: str) -> None:
    """A write names at most eight numbers of a type, including those already in the item."""
    sums = {f"{kind}000000{number}": 1 for number in range(4)}
    full, empty = ("failed", "rejected") if kind == "f" else ("rejected", "failed")
    found = delta_of(recorded={full: CREDENTIALS_MAX - 2, empty: 0}, denials=sums)
    assert len(found.names) == 2
    other = {f"{'q' if kind == 'f' else 'f'}000000{number}": 1 for number in range(4)}
    assert len(delta_of(recorded={full: CREDENTIALS_MAX - 2, empty: 0}, denials=other).names) == 4


def test_recorded_usage_adds_nothing() -> None:
    """Nothing is added if the request has no counter, or if the item already contains the usage."""
    usage = RequestUsage("nAAAAAAAA", "rAAA")
    has_all = {"names": frozenset(["nAAAAAAAA", "rAAA" + ADA]), "networks": 1}
    assert delta_of(counter=None, usage=usage) is NO_DELTA
    assert delta_of(recorded=has_all, usage=usage) is NO_DELTA
    assert delta_of(usage=NO_USAGE) is NO_DELTA
    assert delta_of(recorded=has_all, usage=usage, counter=BOB).sets == ""
    assert delta_of(recorded=has_all, usage=usage, counter=BOB).adds == ", #route :route"
    assert delta_of(recorded=has_all, usage=RequestUsage("nBBBBBBBB", "rAAA")).sets == ", #network = :network"


def test_without_a_counter_only_denials_are_added() -> None:
    """If the request has no counter, denied requests are added, but neither a network nor a route."""
    found = delta_of(counter=None, usage=RequestUsage("nAAAAAAAA", "rAAA"), denials={"fAda0000": 1})
    assert (found.sets, found.adds) == ("", ", #no0 :no0")


def test_overflow_is_removed_and_marked_by_the_next_write() -> None:
    """A write removes and counts the networks beyond the limit, removes the routes beyond the limit and marks the hour
    as incomplete, and adds its own usage.
    """
    overflow = ("n00000008", "n00000009", "rCCC")
    full = {"names": frozenset(NETWORKS), "networks": 10, "room_bytes": -1, "overflow": overflow}
    for counter in (ADA, None):
        found = delta_of(recorded=full, counter=counter)
        assert (found.sets, found.adds, found.removes) == (
            ", r_other = :one",
            ", n_other :n_other",
            ("#x0", "#x1", "#x2"),
        )
        assert dict(found.names) == {"#x0": "n00000008", "#x1": "n00000009", "#x2": "rCCC"}
        assert dict(found.values) == {":one": ONE, ":n_other": {"N": "2"}}
    found = delta_of(recorded=full | {"names": frozenset(["r_other"])}, usage=RequestUsage("nNew00000", "rNew"))
    assert (found.sets, found.adds) == ("", ", n_other :n_other")
    assert dict(found.values) == {":n_other": {"N": "3"}}


def test_network_overflow_does_not_mark_routes_incomplete() -> None:
    """Networks beyond the limit don't mark the hour's routes as incomplete."""
    found = delta_of(recorded={"networks": 9, "overflow": ("n00000008",)}, usage=RequestUsage(route="rAAA"))
    assert (found.sets, found.removes) == ("", ("#x0",))
    assert found.adds == ", #route :route, n_other :n_other"


@pytest.mark.parametrize(
    ("item", "counter", "usage", "is_old"),
    [
        ({}, None, RequestUsage("nAAAAAAAA", "rAAA"), True),
        ({}, ADA, NO_USAGE, True),
        ({}, ADA, RequestUsage("nAAAAAAAA", ""), False),
        ({}, ADA, RequestUsage("", "rAAA"), False),
        ({"names": frozenset(["nAAAAAAAA"])}, ADA, RequestUsage("nAAAAAAAA", ""), True),
        ({"names": frozenset(["rAAA" + ADA])}, ADA, RequestUsage("", "rAAA"), True),
        ({"names": frozenset(["rAAA" + ADA])}, BOB, RequestUsage("", "rAAA"), False),
        ({"names": frozenset(["rAAA" + ADA])}, ADA, RequestUsage("nAAAAAAAA", "rAAA"), False),
        ({"networks": NETWORKS_MAX}, ADA, RequestUsage("nAAAAAAAA", ""), True),
        ({"networks": NETWORKS_MAX - 1}, ADA, RequestUsage("nAAAAAAAA", ""), False),
        ({"networks": NETWORKS_MAX}, ADA, RequestUsage("nAAAAAAAA", "rAAA"), False),
        ({"names": frozenset(["r_other"]), "room_bytes": ROUTE + COUNTER - 1}, ADA, RequestUsage("", "rAAA"), True),
        ({"names": frozenset(["r_other"]), "room_bytes": ROUTE + COUNTER}, ADA, RequestUsage("", "rAAA"), False),
        ({"room_bytes": 0}, ADA, RequestUsage("", "rAAA"), False),
    ],
)
def test_lease_may_be_spent_on_recorded_usage(
    item: dict[str, Any], counter: str | None, usage: RequestUsage, is_old: bool
) -> None:
    """A lease may be spent if the request's network and route are recorded or can't be named."""
    assert is_already_recorded(RecordedUsage(**item), counter, usage) is is_old


def test_empty_network_and_route_are_omitted() -> None:
    """An empty network or route gets no attribute name."""
    both = recorded_usage.usage_of(ADA, network="203.0.113.0/24", route="GET /v1/users")
    assert both == RequestUsage("nmUkuS2Af", recorded_usage.route_name("GET /v1/users"))
    assert recorded_usage.usage_of(ADA, network="", route="GET /v1/users") == RequestUsage("", both.route)
    assert recorded_usage.usage_of(ADA, network="203.0.113.0/24", route="") == RequestUsage(both.network, "")


def test_raw_item_is_read_by_kind() -> None:
    """A raw item is read by type of attribute: totals and markers are ignored, and a missing count is zero."""
    item = {"nAAAAAAAA": {"S": ADA}, "n_other": ONE, "rAAA": counters(2), "r_other": ONE, "refused": ONE}
    item |= {"fAda0000": {"N": "3"}}
    assert recorded_usage.networks_of(item) == {"nAAAAAAAA": ADA}
    assert recorded_usage.routes_of(item) == {"rAAA": frozenset(["k0000000", "k0000001"])}
    assert (recorded_usage.is_complete(item), recorded_usage.is_complete({})) == (False, True)
    assert recorded_usage.count_denials(item, recorded_usage.FAILED, ADA) == 3
    assert recorded_usage.count_denials(item, recorded_usage.REJECTED, ADA) == 0


@pytest.mark.parametrize(("route", "name"), [("GET /v1/users", "rdfd"), ("POST /v1/keys", "r5ek")])
def test_route_names_are_stable(route: str, name: str) -> None:
    """The name of a route never changes, because items are read for 31 days, even by newer code."""
    assert recorded_usage.route_name(route) == name
