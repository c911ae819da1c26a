"""Rate limits for anonymous callers of the authorization server, and deletion of unused clients and device codes."""

from collections.abc import Callable

import pytest

from chalicelib.limits import tiers
from chalicelib.oauth.tables import Client, OneTimeToken
from infra.local_gateway.response import Response
from tests.oauth.dynamic_registration import app_of, register
from tests.oauth.flow import CALLBACK, CODE, DEVICE, REFRESH, App, User, error_of, new_user, post, register_client
from tests.oauth.test_device import decide, start_device
from tests.support.harness import TestApp

IP = "203.0.113.7"
NEIGHBOURS = ("2001:db8:1:1::1", "2001:db8:1:2::1")
"""Two addresses in the same /48 but in different /64 networks."""
DAY_S = 86_400


def register_confidential(latchkey: TestApp) -> App:
    """Return a confidential self-registered client."""
    return app_of(latchkey, register(latchkey, grant_types=[CODE, REFRESH, DEVICE]))


def test_self_registered_client_is_limited_by_network(latchkey: TestApp) -> None:
    """All self-registered clients share the limit of their network, however many there are and even if they have
    secrets.
    """
    first, second = register_confidential(latchkey), register_confidential(latchkey)
    before = latchkey.counters(f"ip_{IP}", tiers.ANONYMOUS)["used"]
    assert [app.post("/oauth/device_authorization").status for app in (first, second)] == [200, 200]
    assert latchkey.counters(f"ip_{IP}", tiers.ANONYMOUS)["used"] == before + 2
    assert [latchkey.counters(f"client_{app.id}", tiers.CLIENT) for app in (first, second)] == [{}, {}]
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    assert [error_of(app.post("/oauth/device_authorization"))[0] for app in (first, second)] == [429, 429]
    assert error_of(post(latchkey, "/oauth/introspect", {**first.credentials, "token": "x"}))[0] == 429


def test_client_of_an_account_is_limited_separately(latchkey: TestApp, app: App) -> None:
    """A client registered by an account has its own limit, even when the limit of its network is exhausted."""
    latchkey.set_counters(f"ip_{IP}", tiers.ANONYMOUS, used=3_600)
    latchkey.set_counters(f"device-starts_{IP}", tiers.DEVICE_STARTS, used=300)
    assert app.post("/oauth/device_authorization").status == 200
    assert latchkey.counters(f"client_{app.id}", tiers.CLIENT)["used"] == 1


def test_device_authorizations_are_limited_by_network(latchkey: TestApp, native: App) -> None:
    """A network may start 300 device authorizations an hour with any public or self-registered clients."""
    body = {"client_id": native.id}
    latchkey.set_counters(f"device-starts_{IP}", tiers.DEVICE_STARTS, used=299)
    assert post(latchkey, "/oauth/device_authorization", body).status == 200
    stored = OneTimeToken.count()
    for app in (native, register_confidential(latchkey)):
        assert error_of(app.post("/oauth/device_authorization")) == (429, "rate_limit_exceeded")
    assert OneTimeToken.count() == stored
    assert post(latchkey, "/oauth/device_authorization", body, ip="203.0.113.8").status == 200


def start_device_flow(latchkey: TestApp, ip: str) -> Response:
    """Start a device authorization."""
    return post(
        latchkey, "/oauth/device_authorization", {"client_id": register_client(latchkey, public=True).id}, ip=ip
    )


def send_registration(latchkey: TestApp, ip: str) -> Response:
    """Register a client."""
    return latchkey.call("POST", "/oauth/register", json_body={"redirect_uris": [CALLBACK]}, ip=ip)


@pytest.mark.parametrize(
    ("start", "tier"), [(start_device_flow, tiers.DEVICE_STARTS), (send_registration, tiers.REGISTRATIONS)]
)
def test_ipv6_site_is_one_network(
    latchkey: TestApp, start: Callable[[TestApp, str], Response], tier: tiers.Tier
) -> None:
    """All /64 networks of a /48 together have four times the limit of a single /64."""
    latchkey.set_counters(f"{tier.name}_2001:db8:1::/48", tier, used=4 * (tier.quota or 0) - 1)
    assert start(latchkey, NEIGHBOURS[0]).status < 300
    assert [start(latchkey, ip).status for ip in NEIGHBOURS] == [429, 429]
    assert start(latchkey, "2001:db8:2::1").status < 300
    latchkey.set_counters(f"{tier.name}_2001:db8:3:1::/64", tier, used=tier.quota or 0)
    assert [start(latchkey, ip).status < 300 for ip in ("2001:db8:3:1::1", "2001:db8:3:2::1")] == [False, True]


def test_device_code_not_approved_expires_after_ten_minutes(latchkey: TestApp, native: App) -> None:
    """A device code that isn't approved is deleted after ten minutes, together with its user code."""
    start_device(native)
    assert {each.dies_at for each in OneTimeToken.scan()} == {latchkey.clock.now_ms // 1000 + 600}


def test_device_code_denied_expires_after_ten_minutes(latchkey: TestApp, ada: User, native: App) -> None:
    """A denied device code is deleted after ten minutes. It has no grant, so it needn't be kept to detect reuse."""
    assert decide(ada, start_device(native)[1], "deny") == 200
    assert {each.dies_at for each in OneTimeToken.scan()} == {latchkey.clock.now_ms // 1000 + 600}


def test_device_code_approved_is_kept_as_long_as_its_grant(latchkey: TestApp, ada: User, native: App) -> None:
    """An approved device code is kept as long as its grant, so that reuse is detected at any time."""
    device_code, user_code = start_device(native)
    assert decide(ada, user_code) == 200
    kept = [each.dies_at for each in OneTimeToken.scan(OneTimeToken.kind == "dc")]
    assert kept == [latchkey.clock.now_ms // 1000 + 120 * DAY_S]
    assert native.ask(DEVICE, device_code=device_code).status == 200


def test_client_without_approval_is_deleted_after_a_week(latchkey: TestApp) -> None:
    """A new self-registered client is stored with a time of deletion, which is a week after the registration."""
    assert register_confidential(latchkey).client.dies_at == latchkey.clock.now_ms // 1000 + 7 * DAY_S


def test_client_with_approval_is_kept(latchkey: TestApp, ada: User) -> None:
    """A client is kept after an approval on the consent page or on the device page."""
    by_code, by_device = register_confidential(latchkey), register_confidential(latchkey)
    ada.allow(by_code)
    assert decide(new_user(latchkey, "Bea"), start_device(by_device)[1]) == 200
    assert [Client.get(app.id).dies_at for app in (by_code, by_device)] == [None, None]


def test_client_with_denied_request_is_not_kept(latchkey: TestApp, ada: User) -> None:
    """A denied request doesn't count as an approval, so the client is still deleted after a week."""
    app = register_confidential(latchkey)
    ada.decide(ada.open_authorization(app), "deny")
    decide(ada, start_device(app)[1], "deny")
    assert Client.get(app.id).dies_at == latchkey.clock.now_ms // 1000 + 7 * DAY_S
