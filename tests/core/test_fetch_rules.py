"""The rules of a fetch, checked without a connection: allowed URLs, addresses and headers, and timeouts."""

import ipaddress
import ssl
import threading
from collections.abc import Iterable
from itertools import count

import pytest

from chalicelib.core import clock, ssrf_rule, ssrf_safe_fetch
from chalicelib.core.ssrf_safe_fetch import FetchError


def fail_if_resolved(_host: str, _port: int) -> Iterable[str]:
    """Fail the test: the name must not be resolved."""
    raise AssertionError("resolved")


def find_problem(url: str, *addresses: str, **more: object) -> str:
    """Return why a POST to a URL isn't sent, if its host has these addresses."""
    resolver = (lambda _host, _port: addresses) if addresses else fail_if_resolved
    with pytest.raises(FetchError) as raised:
        ssrf_safe_fetch.post(url, b"", {}, deadline_s=60, bytes_max=10, resolver=resolver, **more)  # type: ignore[arg-type]  # keyword arguments
    return str(raised.value)


@pytest.mark.parametrize(
    ("url", "is_here"),
    [
        ("http://localhost", True),
        ("http://localhost:8000/x?y", True),
        ("http://127.0.0.1:1", True),
        ("http://127.255.255.254/", True),
        ("http://[::1]:1/", True),
        ("http://128.0.0.1/", False),
        ("http://126.255.255.255/", False),
        ("https://localhost/", False),
        ("http://localhost.example/", False),
        ("http://10.0.0.1/", False),
        ("http://", False),
        ("http://[::1", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_loopback_url_is_plain_http_to_loopback_or_localhost(url: str, is_here: bool) -> None:
    """A loopback URL has the scheme http and the host `localhost` or a loopback address. No name is resolved."""
    assert ssrf_rule.is_loopback_url(url) is is_here


@pytest.mark.parametrize(
    ("address", "is_public"),
    [
        ("8.8.8.8", True),
        ("1.0.0.0", True),
        ("223.255.255.255", True),
        ("224.0.0.0", False),
        ("0.255.255.255", False),
        ("9.255.255.255", True),
        ("11.0.0.0", True),
        ("10.255.255.255", False),
        ("100.63.255.255", True),
        ("100.127.255.255", False),
        ("100.128.0.0", True),
        ("172.31.255.255", False),
        ("172.32.0.0", True),
        ("192.169.0.0", True),
        ("2000::1", True),
        ("2a00:1450:4001::1", True),
        ("3fff:ffff::1", True),
        ("4000::1", False),
        ("1fff::1", False),
        ("2606:4700::1%eth0", True),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("64:ff9b::8.8.4.4", True),
        ("64:ff9b:0:0:0:1::1", False),
        ("2002:a00:1::", False),
        ("2002:808:404:ffff::1", True),
        ("nonsense", False),
        ("", False),
    ],
)
def test_public_address_is_globally_routable(address: str, is_public: bool) -> None:
    """An address is public if it is globally routable.

    For an IPv4 address inside an IPv6 address, the IPv4 address counts.
    """
    assert ssrf_rule.is_public(address) is is_public


@pytest.mark.parametrize(
    ("address", "hidden"),
    [
        ("::ffff:255.254.253.251", "255.254.253.251"),
        ("64:ff9b::fffe:fdfb", "255.254.253.251"),
        ("2002:fffe:fdfb:1:2:3:4:5", "255.254.253.251"),
        ("2606:4700::1", "2606:4700::1"),
    ],
)
def test_embedded_address_has_all_of_its_32_bits(address: str, hidden: str) -> None:
    """An IPv4 address is extracted completely from every kind of IPv6 embedding."""
    assert ssrf_rule._unwrap(ipaddress.IPv6Address(address)) == ipaddress.ip_address(hidden)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://a.example/", "Only https URLs are allowed."),
        ("http://127.0.0.1/", "Only https URLs are allowed."),
        ("ftp://a.example/", "Only https URLs are allowed."),
        ("https://", "Only https URLs are allowed."),
        ("https://u@a.example/", "Only https URLs are allowed."),
        ("https://u:p@a.example/", "Only https URLs are allowed."),
        ("https://a.example:x/", "It is not a valid URL."),
        ("https://a.example:65536/", "It is not a valid URL."),
        ("https://.a.example/", "It is not a valid URL."),
        (f"https://{'a' * 64}.example/", "It is not a valid URL."),
        ("https://[::1/", "It is not a valid URL."),
        ("https://a.example/ä", "It is not a valid URL."),
        ("https://a.example/a b", "It is not a valid URL."),
        ("https://a.example/?a\x7f", "It is not a valid URL."),
    ],
)
def test_forbidden_url_is_rejected_before_its_name_is_resolved(url: str, reason: str) -> None:
    """A forbidden URL is rejected before its name is resolved, with a message for the user who chose it."""
    assert find_problem(url) == reason


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "http://localhost:8000/", "http://[::1]/"])
def test_get_never_requests_the_loopback_address(url: str) -> None:
    """A GET never requests a loopback address. Only a POST has a parameter that allows loopback."""
    with pytest.raises(FetchError, match=r"^Only https URLs are allowed\.$"):
        ssrf_safe_fetch.get(url, deadline_s=60, bytes_max=1, resolver=fail_if_resolved)


@pytest.mark.parametrize(
    ("host", "resolved"),
    [(".".join(["a" * 60] * 4) + ".aaaaaaaaa", True), (".".join(["a" * 60] * 4) + ".aaaaaaaaaa", False)],
    ids=["253", "254"],
)
def test_host_name_has_at_most_253_characters(host: str, resolved: bool) -> None:
    """A host name longer than RFC 1035 allows is rejected before it is resolved."""
    assert len(host) == 253 + (not resolved)
    if resolved:
        assert (
            find_problem(f"https://{host}/", "10.0.0.1")
            == "The host name resolves to no address, or to one that isn't public."
        )
    else:
        assert find_problem(f"https://{host}/") == "It is not a valid URL."


@pytest.mark.parametrize("addresses", [["10.0.0.1"], ["8.8.8.8", "10.0.0.1"], ["10.0.0.1", "8.8.8.8"], ["nonsense"]])
def test_every_address_of_a_host_must_be_public(addresses: list[str]) -> None:
    """A host is rejected if one of its addresses is not public."""
    assert (
        find_problem("https://a.example/", *addresses)
        == "The host name resolves to no address, or to one that isn't public."
    )


def test_loopback_is_requested_only_if_allowed() -> None:
    """If loopback is allowed, plain http requires that all addresses of the host are loopback."""
    reason = "The host name resolves to no address, or to one that isn't public."
    assert find_problem("http://localhost/", "8.8.8.8", loopback=True) == reason
    assert find_problem("http://localhost/", "127.0.0.1", "10.0.0.1", loopback=True) == reason
    assert find_problem("https://localhost/", "127.0.0.1", loopback=True) == reason
    assert find_problem("http://a.example/", loopback=True) == "Only https URLs are allowed."
    assert find_problem("http://u@localhost/", loopback=True) == "Only https URLs are allowed."


@pytest.mark.parametrize("header", [{"A": "b\r\nC: d"}, {"A\n": "b"}, {"A": "é"}, {"A": "\x00"}, {"A": "b\tc"}])
def test_header_injection_is_not_sent(header: dict[str, str]) -> None:
    """A header with a line break or another forbidden character is not sent."""
    with pytest.raises(FetchError, match=r"^A request header is invalid\.$"):
        ssrf_safe_fetch._request("POST", ssrf_safe_fetch._parse_url("https://a.example/"), header, b"")


@pytest.mark.parametrize(
    ("url", "target", "host"),
    [
        ("https://a.example", "/", "a.example"),
        ("https://a.example:443/x", "/x", "a.example"),
        ("https://a.example:80/x?y=z&", "/x?y=z&", "a.example:80"),
        ("https://A.example:8443?q", "/?q", "a.example:8443"),
        ("https://a.example/x#part", "/x", "a.example"),
        ("http://a.example/", "/", "a.example"),
        ("http://a.example:80/", "/", "a.example"),
        ("http://a.example:443/", "/", "a.example:443"),
        ("http://[::1]:8000/", "/", "[::1]:8000"),
        ("https://[2606:4700::1]/", "/", "[2606:4700::1]"),
        ("https://bücher.example/", "/", "xn--bcher-kva.example"),
    ],
)
def test_request_has_target_and_host_of_the_url(url: str, target: str, host: str) -> None:
    """A request contains the URL's path, and a Host header with the URL's host. The port is omitted if it is the
    scheme's default.
    """
    request = ssrf_safe_fetch._request("GET", ssrf_safe_fetch._parse_url(url), {"Accept": "*/*"})
    assert request.decode().split("\r\n") == [
        f"GET {target} HTTP/1.1",
        f"Host: {host}",
        "Accept: */*",
        "Accept-Encoding: identity",
        "User-Agent: Latchkey",
        "Connection: close",
        "",
        "",
    ]


def test_body_has_its_length_and_fixed_headers_take_precedence() -> None:
    """A request with a body, even an empty one, has a Content-Length. Callers can't replace User-Agent, Connection and
    Accept-Encoding.
    """
    place = ssrf_safe_fetch._parse_url("https://a.example/")
    assert ssrf_safe_fetch._request("POST", place, {}, b"hi").endswith(b"Content-Length: 2\r\n\r\nhi")
    assert ssrf_safe_fetch._request("POST", place, {}, b"").endswith(b"Content-Length: 0\r\n\r\n")
    request = ssrf_safe_fetch._request(
        "POST", place, {"User-Agent": "x", "Connection": "keep-alive", "Accept-Encoding": "br"}, b""
    )
    assert b"User-Agent: Latchkey\r\n" in request
    assert b"Connection: close\r\n" in request
    assert b"Accept-Encoding: identity\r\n" in request


def test_https_server_has_a_tls_context() -> None:
    """An https connection uses the given TLS context, or the default, which is loaded once."""
    mine = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    assert ssrf_safe_fetch._parse_url("https://a.example/", mine).tls is mine
    assert ssrf_safe_fetch._parse_url("http://a.example/", mine).tls is None
    ssrf_safe_fetch._default_tls.cache_clear()
    everybodys = ssrf_safe_fetch._parse_url("https://a.example/").tls
    assert everybodys is ssrf_safe_fetch._parse_url("https://b.example/").tls
    assert everybodys is not None
    assert everybodys.verify_mode is ssl.CERT_REQUIRED
    assert everybodys.check_hostname


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (TimeoutError(), "It takes too long."),
        (ssl.SSLError(), "Its certificate is invalid, or it doesn't support TLS."),
        (ssl.SSLCertVerificationError(), "Its certificate is invalid, or it doesn't support TLS."),
        (ConnectionRefusedError(), "It refuses connections."),
        (ConnectionResetError(), "It doesn't respond."),
        (OSError(), "It doesn't respond."),
        (ValueError(), "Its response is not valid HTTP."),
    ],
)
def test_failure_is_reported_in_one_sentence(error: Exception, reason: str) -> None:
    """Each failure is reported in one sentence for the user who chose the URL."""
    assert ssrf_safe_fetch._describe_failure(error) == reason


@pytest.mark.parametrize("resolver", [OSError("no such name"), UnicodeError("no name"), None])
def test_unresolvable_host_has_no_address(resolver: Exception | None) -> None:
    """A host has no address if the resolver raises an error or returns an empty list."""

    def resolve(_host: str, _port: int) -> list[str]:
        if resolver is not None:
            raise resolver
        return []

    with pytest.raises(FetchError, match=r"^The host name resolves to no address, or to one that isn't public\.$"):
        ssrf_safe_fetch.get("https://a.example/", deadline_s=60, bytes_max=1, resolver=resolve)


def test_hanging_resolver_does_not_block_the_process() -> None:
    """A resolver runs in a daemon thread, so that a resolver that hangs doesn't block the process."""
    daemons: list[bool] = []

    def resolve(_host: str, _port: int) -> list[str]:
        daemons.append(threading.current_thread().daemon)
        return []

    with pytest.raises(FetchError):
        ssrf_safe_fetch.get("https://a.example/", deadline_s=60, bytes_max=1, resolver=resolve)
    assert daemons == [True]


def test_resolver_has_the_remaining_time() -> None:
    """The resolver may use all of the time until the deadline."""
    resolved_hosts, is_waited_for = count(), threading.Event()

    def now_ns() -> int:
        if next(resolved_hosts) == 1:
            is_waited_for.set()
        return 0

    def resolve(_host: str, _port: int) -> list[str]:
        is_waited_for.wait(60)
        return ["10.0.0.1"]

    with clock.use_monotonic_clock(now_ns), pytest.raises(FetchError, match="isn't public"):
        ssrf_safe_fetch.get("https://a.example/", deadline_s=60, bytes_max=1, resolver=resolve)


def test_remaining_time_ends_to_the_nanosecond() -> None:
    """The remaining time is in seconds, and ends at the deadline to the nanosecond."""
    with clock.use_monotonic_clock(lambda: 1_000_000_000):
        until_ns = ssrf_safe_fetch._until_ns(2.5)
        assert until_ns == 3_500_000_000
    for now_ns, left_s in ((1_000_000_000, 2.5), (3_499_999_999, 1e-9)):
        with clock.use_monotonic_clock(lambda now_ns=now_ns: now_ns):  # type: ignore[misc]  # bound in the loop
            assert ssrf_safe_fetch._left_s(until_ns) == pytest.approx(left_s)
    for now_ns in (3_500_000_000, 3_500_000_001):
        with (
            clock.use_monotonic_clock(lambda now_ns=now_ns: now_ns),  # type: ignore[misc]  # bound in the loop
            pytest.raises(FetchError, match=r"^It takes too long\.$"),
        ):
            ssrf_safe_fetch._left_s(until_ns)


def test_localhost_is_resolved_to_text() -> None:
    """The system's resolver returns the addresses of `localhost` as text."""
    assert set(ssrf_rule.resolve("localhost", 80)) <= {"127.0.0.1", "::1"}
    assert "127.0.0.1" in ssrf_rule.resolve("127.0.0.1", 443)
