"""What a stranger sends to be read takes time in proportion to its length: measured in CPU time at n, 2n, 4n and 8n."""

import gc
import json
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from chalicelib.api.fields import Text
from chalicelib.core import names
from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import client_documents, client_metadata, clients, redirect_schemes, redirect_uris
from chalicelib.oauth.client_documents import BadDocument
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.freshness import fresh_s

SIZES = (1, 2, 4, 8)
FACTOR = 4
"""How much more than in proportion still counts as linear; quadratic time is eight times as much at the last size."""
ENOUGH_NS = 4_000_000
"""So long is measured at the smallest size, at least, that the clock's own grain doesn't matter."""
LONG = 200_000

Read = Callable[[str], object]


def read_metadata(raw: str) -> object:
    """Read a description of a client, as a registration does."""
    return client_metadata.read(
        client_metadata.fields_of(raw),
        offered=clients.SELF_REGISTRABLE,
        by_default=(clients.CODE,),
        auth_method="none",
    )


def named(field: str) -> Read:
    """Return what reads a description whose one field is a text."""
    return lambda text: read_metadata(json.dumps({field: text}))


def listed(field: str) -> Read:
    """Return what reads a description whose one field is a list of one-letter texts."""
    return lambda text: read_metadata(json.dumps({field: list(text)}))


def field(text: str) -> object:
    """Read a field of the API, or of a form."""
    return Text(most=LONG + 1).check("name", f"{text}\n")


def longer_field(text: str) -> object:
    """Read one with a least length, whose pattern has more ways to go wrong."""
    return Text(most=LONG + 1, least=3).check("reason", f"{text}\u202e")


def matches(text: str) -> object:
    """Compare two redirect URIs that differ in the port."""
    return redirect_uris.matches(f"http://127.0.0.1:1/{text}", f"http://127.0.0.1:2/{text}")


def lifetime(name: str) -> Read:
    """Return what reads a header of a document's answer."""
    return lambda text: fresh_s({name: text})


READERS: dict[str, tuple[Read, tuple[str, ...]]] = {
    "redirect URI": (redirect_uris.registrable, ("a", "a.", "a:", "[", "http://", "%2e", "@", "?", "\\")),
    "redirect URI's port": (lambda text: redirect_uris.registrable("http://127.0.0.1:" + text), ("0", "1:", "/?")),
    "scheme": (redirect_schemes.is_private_use, ("a", "a.", ".", "a+", "-", "view-")),
    "loopback": (matches, ("a", "/", "?", "\n", "%2e")),
    "name": (names.problem, ("a", " ", "\u200b", "a\u200b", "\u202e", "\u3000a", "\n")),
    "field": (field, ("a", " ", "\u200b", "a ", "a\u200b", "\n", "\u202e")),
    "field of three": (longer_field, ("a", " ", "\u200b", "a ", "a\u200b", "a  ", "\u202ea")),
    "name of a client": (named("client_name"), ("a", " ", "\u200b", "a ", "\u202e")),
    "home page": (named("client_uri"), ("a", "https://", "@", "[", "//", "\t")),
    "scope": (named("scope"), ("a ", " ", "read ", "\x00")),
    "grant types": (listed("grant_types"), ("a", "\x00")),
    "response types": (listed("response_types"), ("a",)),
    "redirect URIs": (listed("redirect_uris"), ("a",)),
    "document": (
        read_metadata,
        ("[", '{"a":', '[["a"],', "[1,", '"', '"\\', '{"a":1,"b":', "1", "-", "\\ud800", " ", "{}", "nu"),
    ),
    "URL of a document": (
        lambda text: client_documents.check_url(f"https://client.example/{text}"),
        ("a", "/", "./", "%2e", "%25", "%252", "%2", "..;", "%5c", "[", "@", "#"),
    ),
    "Cache-Control": (lifetime("cache-control"), ("a,", "max-age=1,", '"', "=", "max-age=", "9", " ")),
    "Expires": (lifetime("expires"), ("a", ",", " ", ":", "1", "-", "Mon, ", "+")),
}
CASES = [(name, piece) for name, (_, pieces) in READERS.items() for piece in pieces]


@pytest.mark.parametrize(("name", "piece"), CASES, ids=[f"{name} {piece!a}" for name, piece in CASES])
def test_reading_takes_time_in_proportion_to_length(name: str, piece: str) -> None:
    """Eight times as much takes no more than a few times eight times as long, whatever it is made of."""
    read = READERS[name][0]
    texts = {size: piece * (LONG // 8 // len(piece) * size) for size in SIZES}
    rounds = _rounds(read, texts[1])
    took_ns = {size: _took_ns(read, text, rounds) for size, text in texts.items()}
    allowed = {size: FACTOR * size * max(took_ns[1], ENOUGH_NS) for size in SIZES}
    assert all(took_ns[size] <= allowed[size] for size in SIZES), took_ns


def _rounds(read: Read, text: str) -> int:
    """Return how often the smallest is read to be measured well."""
    return max(1, min(200, ENOUGH_NS // max(1, _took_ns(read, text, 1))))


def _took_ns(read: Read, text: str, rounds: int) -> int:
    """Return the CPU time of reading a text, good or bad: the least of three, without a collection of garbage."""
    gc.disable()
    try:
        return min(_once_ns(read, text, rounds) for _ in range(3))
    finally:
        gc.enable()


def _once_ns(read: Read, text: str, rounds: int) -> int:
    before_ns = time.thread_time_ns()
    for _ in range(rounds):
        with suppress(InvalidRequest, OAuthError, BadDocument):
            read(text)
    return time.thread_time_ns() - before_ns
