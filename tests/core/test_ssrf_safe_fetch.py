"""A fetch of an untrusted URL connects only to public addresses that it checked, within a deadline."""

import socket
import ssl
import threading
from collections.abc import Iterator
from itertools import chain, repeat

import pytest

from chalicelib.core import clock, ssrf_rule, ssrf_safe_fetch
from tests.support.fake_internet import ADDRESS, NAME, Internet, drip, replace_internet, stay_silent

URL = f"https://{NAME}/client.json"
OK = b"HTTP/1.1 200 OK\r\n"
PRIVATE = [
    *("127.0.0.1", "127.8.8.8"),
    "0.0.0.0",  # noqa: S104 - rejected
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "169.254.170.2",
    "192.0.2.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
    # Embeddings of an IPv4 address in an IPv6 address.
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "::ffff:0:127.0.0.1",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::7f00:1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "2002:a9fe:a9fe::",
    "2001:0:7f00:1::",
    # Texts that are not addresses.
    "",
    "127.1",
    "2130706433",
    "0x7f000001",
    "localhost",
]
PUBLIC = [ADDRESS, "8.8.8.8", "2606:4700:4700::1111", "64:ff9b::808:808", "2002:808:808::", "::ffff:8.8.8.8"]


@pytest.fixture
def internet() -> Iterator[Internet]:
    """An empty fake internet."""
    with replace_internet() as made:
        yield made


def resolve_to(*addresses: str) -> ssrf_rule.Resolve:
    """Return a resolver that returns these addresses for every name."""
    return lambda *_exchange: addresses


def get(
    internet: Internet, url: str = URL, *, addresses: tuple[str, ...] = (ADDRESS,), deadline_s: float = 60
) -> bytes:
    """Fetch a URL whose host has these addresses, with a limit of 1,000 bytes, and return the body."""
    response = ssrf_safe_fetch.get(
        url, deadline_s=deadline_s, bytes_max=1_000, resolver=resolve_to(*addresses), tls=internet.tls
    )
    assert response.status == 200
    return response.body


def test_public_address_is_fetched(internet: Internet) -> None:
    """A public address is fetched. The request's Host header is the URL's host, and no header reveals internals."""
    internet.respond(b"hello")
    assert get(internet, f"{URL}?v=1") == b"hello"
    (request,) = internet.requests
    lines = request.decode().split("\r\n")
    assert lines[0] == "GET /client.json?v=1 HTTP/1.1"
    assert {line.lower() for line in lines[1:] if line} == {
        f"host: {NAME}",
        "accept: application/json",
        "accept-encoding: identity",
        "user-agent: latchkey",
        "connection: close",
    }


@pytest.mark.parametrize("address", PRIVATE)
def test_non_public_address_is_never_connected_to(internet: Internet, address: str) -> None:
    """An address that isn't public is never connected to, alone or beside public addresses (SSRF)."""
    for addresses in ((address,), (ADDRESS, address), (address, ADDRESS), ("8.8.8.8", address, ADDRESS)):
        with pytest.raises(ssrf_safe_fetch.FetchError, match="isn't public"):
            get(internet, addresses=addresses)
    assert internet.connected == []


@pytest.mark.parametrize("address", PUBLIC)
def test_public_address_in_any_form_is_public(address: str) -> None:
    """A public address is allowed in any form, including IPv4 embedded in IPv6."""
    assert ssrf_rule.is_public(address)


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "169.254.169.254", "[::ffff:10.0.0.1]", "2130706433", "0x7f.1"])
def test_address_in_the_url_is_checked(internet: Internet, host: str) -> None:
    """An address in the URL is checked in every spelling that the system's resolver accepts."""
    with pytest.raises(ssrf_safe_fetch.FetchError):
        ssrf_safe_fetch.get(f"https://{host}/x", deadline_s=60, bytes_max=1_000, tls=internet.tls)
    assert internet.connected == []


def test_host_without_an_address_is_rejected(internet: Internet) -> None:
    """An unknown or malformed host name is rejected."""

    def unknown(host: str, port: int) -> list[str]:
        raise socket.gaierror(socket.EAI_NONAME, "unknown")

    def unreadable(host: str, port: int) -> list[str]:
        raise UnicodeError("label too long")

    resolvers: list[ssrf_rule.Resolve] = [unknown, unreadable, resolve_to()]
    for resolver in resolvers:
        with pytest.raises(ssrf_safe_fetch.FetchError):
            ssrf_safe_fetch.get(URL, deadline_s=60, bytes_max=1_000, resolver=resolver, tls=internet.tls)
    assert internet.connected == []


def test_connection_uses_the_checked_address(internet: Internet) -> None:
    """The connection uses the address that was checked, without resolving the name again (DNS rebinding)."""
    internet.respond(b"hello")
    answers = chain([[ADDRESS]], repeat(["127.0.0.1"]))
    resolved_hosts: list[tuple[str, int]] = []

    def rebinding(host: str, port: int) -> list[str]:
        resolved_hosts.append((host, port))
        return next(answers)

    ssrf_safe_fetch.get(URL, deadline_s=60, bytes_max=1_000, resolver=rebinding, tls=internet.tls)
    assert resolved_hosts == [(NAME, 443)]
    assert internet.connected == [(ADDRESS, 443)]


def test_unreachable_address_is_skipped(internet: Internet) -> None:
    """If an address is unreachable, the next is tried, as browsers do."""
    internet.respond(b"hello")
    assert get(internet, addresses=("2606:4700:4700::1111", "8.8.8.8", ADDRESS)) == b"hello"
    assert internet.connected == [("2606:4700:4700::1111", 443), ("8.8.8.8", 443), (ADDRESS, 443)]


def test_connection_uses_the_port_of_the_url(internet: Internet) -> None:
    """A connection uses the URL's port, and an invalid port is rejected even with a public address."""
    internet.respond(b"hello", port=8443)
    assert get(internet, f"https://{NAME}:8443/x") == b"hello"
    assert internet.connected == [(ADDRESS, 8443)]
    for port in ("0", "99999", "-1", "x", "443x"):
        with pytest.raises(ssrf_safe_fetch.FetchError):
            get(internet, f"https://{NAME}:{port}/x")


@pytest.mark.parametrize(
    "url",
    [
        f"http://{NAME}/x",
        f"ftp://{NAME}/x",
        "file:///etc/passwd",
        f"//{NAME}/x",
        NAME,
        "",
        "https://",
        "https:///x",
        f"https://user@{NAME}/x",
        f"https://@{NAME}/x",
        f"https://user:password@{NAME}/x",
        f"https://:password@{NAME}/x",
        "https://[/x",
        "https://[::1/x",
        f"https://{NAME}/a b",
        f"https://{NAME}/é",
        "https://.client.example/x",
    ],
)
def test_other_urls_are_rejected(internet: Internet, url: str) -> None:
    """URLs with another scheme, user information, unclosed brackets or invalid characters are rejected."""
    internet.respond(b"hello")
    with pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet, url)
    assert internet.requests == []


@pytest.mark.parametrize(
    "status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent", "304 Same"]
)
def test_redirect_is_not_followed(internet: Internet, status: str) -> None:
    """A redirect isn't followed, because it may lead to the internal network."""
    for location in ("https://169.254.169.254/latest/meta-data/", URL):
        internet.respond(b"", status=status, headers=f"Location: {location}\r\n")
        with pytest.raises(ssrf_safe_fetch.FetchError, match="redirect"):
            get(internet)
    assert set(internet.connected) == {(ADDRESS, 443)}
    assert len(internet.requests) == 2


def test_other_statuses_are_returned(internet: Internet) -> None:
    """Every status except a redirect is returned, such as a 404."""
    internet.respond(b"gone", status="404 Not Found")
    fetched = ssrf_safe_fetch.get(URL, deadline_s=60, bytes_max=1_000, resolver=resolve_to(ADDRESS), tls=internet.tls)
    assert (fetched.status, fetched.body, fetched.headers) == (404, b"gone", {"content-length": "4"})


@pytest.mark.parametrize("status", ["299 Nearly", "400 Just"])
def test_redirects_are_the_statuses_from_300_to_399(internet: Internet, status: str) -> None:
    """The statuses from 300 to 399 are redirects."""
    internet.respond(b"", status=status)
    fetched = ssrf_safe_fetch.get(URL, deadline_s=60, bytes_max=1_000, resolver=resolve_to(ADDRESS), tls=internet.tls)
    assert fetched.status == int(status[:3])


def test_certificate_for_another_name_is_rejected(internet: Internet) -> None:
    """A certificate for another name is rejected, because an address alone doesn't authenticate a server."""
    internet.respond(b"hello", name="other.example")
    with pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet)
    assert internet.requests == []


def test_certificate_of_an_unknown_authority_is_rejected(internet: Internet) -> None:
    """A certificate of an unknown authority is rejected: only the system's authorities are trusted outside of tests."""
    internet.respond(b"hello")
    for tls in (None, ssl.create_default_context()):
        with pytest.raises(ssrf_safe_fetch.FetchError):
            ssrf_safe_fetch.get(URL, deadline_s=60, bytes_max=1_000, resolver=resolve_to(ADDRESS), tls=tls)
    assert internet.requests == []


def test_proxy_of_the_environment_is_ignored(internet: Internet, monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment is ignored, because it would resolve host names itself."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    internet.respond(b"hello")
    assert get(internet) == b"hello"


@pytest.mark.parametrize(
    ("head", "drop"),
    [
        (b"", b"H"),
        (OK, b"X-A: b\r\n"),
        (OK + b"X-A: ", b"b"),
        (OK + b"Content-Length: 900\r\n\r\n", b"b"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nb\r\n"),
        (OK + b"Transfer-Encoding: chunked\r\n\r\n", b"0"),
        (OK + b"\r\n", b"b"),
        (b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["status", "headers", "header", "body", "chunks", "chunk-size", "endless", "continue"],
)
def test_slow_response_ends_at_the_deadline(internet: Internet, head: bytes, drop: bytes) -> None:
    """A slow response fails at the deadline, even if its bytes keep arriving."""
    dripped: list[bytes] = []
    internet.serve(drip(head, drop, dripped))
    # By this clock each byte takes six seconds, and everything else no time.
    with clock.use_monotonic_clock(lambda: 6 * len(dripped) * 10**9), pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet)
    assert len(dripped) >= 10


def test_silent_server_ends_at_the_deadline(internet: Internet) -> None:
    """If a server doesn't respond, the fetch ends at the deadline, during or after the TLS handshake."""
    internet.serve_silence()
    with pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet, deadline_s=0.2)
    internet.serve(stay_silent)
    with pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet, deadline_s=0.2)


def test_silent_resolver_ends_at_the_deadline(internet: Internet) -> None:
    """If a name server doesn't respond, the fetch ends at the deadline, because an attacker may control that server."""
    done = threading.Event()

    def stay_silent(host: str, port: int) -> list[str]:
        done.wait(60)
        return [ADDRESS]

    with pytest.raises(ssrf_safe_fetch.FetchError, match="too long"):
        ssrf_safe_fetch.get(URL, deadline_s=0.1, bytes_max=1_000, resolver=stay_silent, tls=internet.tls)
    done.set()
    assert internet.connected == []


@pytest.mark.parametrize(
    "response",
    [
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1_001,
        OK + b"\r\n" + b"x" * 1_001,
        OK + b"Transfer-Encoding: chunked\r\n\r\n" + b"64\r\n" + (b"x" * 100 + b"\r\n64\r\n") * 20,
        OK + b"Content-Length: 5000000000\r\n\r\n" + b"x" * 20_000,
    ],
    ids=["named", "until-the-end", "chunked", "gigabytes"],
)
def test_oversized_response_is_rejected(internet: Internet, response: bytes) -> None:
    """A response is rejected once it exceeds the limit, regardless of its Content-Length."""
    internet.serve(lambda talk: talk.sendall(response))
    with pytest.raises(ssrf_safe_fetch.FetchError, match="longer than 1000 bytes"):
        get(internet)


@pytest.mark.parametrize(
    "response",
    [
        OK + b"Content-Length: 900\r\n\r\nhello",
        OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 x\r\n\r\n",
        OK + b"X: y\r\n" * 200 + b"\r\n",
        OK + b"X: " + b"y" * 70_000 + b"\r\n\r\n",
        b"",
    ],
    ids=["short", "no-last-chunk", "bad-chunk", "none", "no-status", "many", "wide", "silence"],
)
def test_truncated_or_malformed_response_is_rejected(internet: Internet, response: bytes) -> None:
    """A truncated body, unterminated chunks or another protocol raises an error, and nothing is returned."""
    internet.serve(lambda talk: talk.sendall(response))
    with pytest.raises(ssrf_safe_fetch.FetchError):
        get(internet)


def test_response_ends_at_its_stated_length(internet: Internet) -> None:
    """A response ends at its stated length, and later bytes aren't part of it."""
    internet.serve(lambda talk: talk.sendall(OK + b"Content-Length: 5\r\n\r\nhello world"))
    assert get(internet) == b"hello"


def test_response_of_exactly_the_limit_is_accepted(internet: Internet) -> None:
    """A response whose size equals the limit is accepted."""
    internet.respond(b"x" * 1_000)
    assert get(internet) == b"x" * 1_000
