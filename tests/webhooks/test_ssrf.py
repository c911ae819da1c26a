"""Webhooks are sent to public addresses only, as resolved at the time of the attempt (SSRF)."""

import socket
from typing import Any

import pytest

from chalicelib.core import settings
from chalicelib.webhooks import fan_out, send_delivery
from chalicelib.webhooks.tables import Endpoint
from tests.support.harness import TestApp
from tests.support.name_server import NameServer, run_name_server
from tests.support.webhook_receiver import Receiver

PUBLIC, OTHER_PUBLIC = "93.184.215.14", "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
INSIDE = [
    "127.0.0.1",
    "127.8.8.8",
    "10.0.0.8",
    "172.16.4.2",
    "192.168.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "0.0.0.0",  # noqa: S104 - an address that must not be reached
    "224.0.0.251",
    "255.255.255.255",
    "198.18.0.1",
    "::1",
    "::",
    "fe80::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::1",
    "::127.0.0.1",
]


def send(latchkey: TestApp, server: NameServer, url: str = "https://rebind.example/hooks") -> send_delivery.Outcome:
    """Send a message to a host name that the DNS server resolves."""
    endpoint = Endpoint("acc_x", "whk_x", url=url, name="x", created_at=0, enabled_at=0)
    return send_delivery.send(
        endpoint, fan_out.new_delivery(endpoint, "evt_x", "key.created", "{}", due_at=0), server.resolve
    )


@pytest.mark.parametrize("address", INSIDE)
def test_private_address_is_never_connected_to(
    latchkey: TestApp, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No connection is made to loopback, private, link-local, multicast and metadata addresses, in any notation."""
    monkeypatch.setattr(socket, "create_connection", _never)
    with run_name_server([address]) as server:
        outcome = send(latchkey, server)
    assert (outcome.status, outcome.problem) == (
        None,
        "The host name resolves to no address, or to one that isn't public.",
    )
    assert server.asked == ["rebind.example"]


@pytest.mark.parametrize("addresses", [[PUBLIC, "127.0.0.1"], ["10.0.0.1", PUBLIC], [OTHER_PUBLIC, "::1"], []])
def test_name_with_one_private_address_is_rejected(
    latchkey: TestApp, addresses: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a host name has no address, or one of its addresses is private, no attempt is made."""
    monkeypatch.setattr(socket, "create_connection", _never)
    with run_name_server(addresses) as server:
        assert send(latchkey, server).problem == "The host name resolves to no address, or to one that isn't public."


def test_dns_rebinding_has_no_effect(latchkey: TestApp, monkeypatch: pytest.MonkeyPatch) -> None:
    """A name is resolved once, and the connection goes to the address that was checked."""
    reached: list[Any] = []

    def connect(address: Any, *rest: object) -> socket.socket:
        reached.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "create_connection", connect)
    with run_name_server([PUBLIC], ["127.0.0.1"]) as server:
        assert send(latchkey, server).problem == "It refuses connections."
        assert (reached, server.asked) == ([(PUBLIC, 443)], ["rebind.example"])
        # The next attempt resolves the name again and gets the private address.
        assert "isn't public" in str(send(latchkey, server).problem)
        assert (reached, len(server.asked)) == ([(PUBLIC, 443)], 2)


def test_deployed_api_never_sends_to_loopback(latchkey: TestApp, receiver: Receiver) -> None:
    """Messages to loopback are sent only if the public URL itself is on loopback."""
    assert settings.current().public_url == "https://api.example.com"
    with run_name_server(["127.0.0.1"]) as server:
        outcome = send(latchkey, server, receiver.url)
        named = send(latchkey, server, receiver.url.replace("127.0.0.1", "localhost"))
    assert (outcome.status, named.status, receiver.received) == (None, None, [])


def test_local_run_sends_to_loopback_names_only(local: TestApp, receiver: Receiver) -> None:
    """A local run sends to loopback addresses and `localhost`, but to no other name that resolves to loopback."""
    with run_name_server(["127.0.0.1"]) as server:
        assert send(local, server, receiver.url.replace("127.0.0.1", "rebind.example")).status is None
        assert send(local, server, receiver.url.replace("127.0.0.1", "localhost")).status == 204
    with run_name_server([PUBLIC]) as server:
        assert send(local, server, receiver.url.replace("127.0.0.1", "localhost")).status is None


def test_redirect_is_not_followed(local: TestApp, receiver: Receiver) -> None:
    """A redirect isn't followed, whatever its target."""
    receiver.statuses = [307]
    receiver.headers = {"Location": "http://169.254.169.254/latest/meta-data"}
    with run_name_server(["127.0.0.1"]) as server:
        outcome = send(local, server, receiver.url)
    assert (outcome.status, outcome.is_delivered) == (307, False)
    assert len(receiver.received) == 1


def _never(*_arguments: object) -> socket.socket:
    raise AssertionError("nothing may be connected to")
