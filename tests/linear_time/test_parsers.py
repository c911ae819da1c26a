"""Every parser of untrusted input takes time proportional to its length, for any input."""

import functools
import json
import re
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace
from typing import Any, cast

import pytest
from chalice.app import Request

from chalicelib.accounts import email_address, password_rules
from chalicelib.api import client_address, pagination
from chalicelib.api import leaks as reported
from chalicelib.api.authorizer import IDENTITY
from chalicelib.api.console import cookies, page
from chalicelib.api.schema.body import Body, required
from chalicelib.api.schema.fields import Integer, Text
from chalicelib.core import http_framing, http_syntax, ids, secrets, settings, ssrf_safe_fetch
from chalicelib.core.dynamodb import codec
from chalicelib.core.dynamodb.connection_pool import NoResponse
from chalicelib.core.dynamodb.http_response import HttpResponse
from chalicelib.core.errors import LatchkeyError
from chalicelib.core.settings import Settings
from chalicelib.credentials import verify
from chalicelib.detection import github_signature, hmac_signature
from chalicelib.oauth import (
    client_documents,
    client_metadata,
    clients,
    parameters,
    redirect_schemes,
    redirect_uris,
    registration,
)
from chalicelib.oauth.document_lifetime import freshness_s
from chalicelib.pages import render
from chalicelib.webhooks import endpoint_url, retry_schedule
from tests.linear_time.growth import grows_faster_than_linearly

Work = Callable[[str], object]
REFUSALS = (
    LatchkeyError,
    ValueError,
    NoResponse,
    codec.Failed,
    ssrf_safe_fetch.FetchError,
    client_documents.BadDocument,
)


class Named(Body):
    """A body with a string field."""

    name: str = required(Text(10**9))


class Counted(Body):
    """A body with an integer field."""

    n: int = required(Integer(1, 9))


UNITS = {
    "spaces": " ",
    "tabs": "\t",
    "other spaces": "\xa0\u3000",
    "ASCII letters": "a",
    "words": "a ",
    "digits": "0",
    "dots": ".",
    "labels": "a.",
    "hyphens": "-a",
    "colons": ":",
    "slashes": "/",
    "parent directories": "/..",
    "pairs": "a=b&",
    "cookies": "a=b; ",
    "commas": "a, ",
    "percents": "%41",
    "escaped percents": "%252",
    "directives": "max-age=1,",
    "lone percents": "%",
    "at signs": "a@",
    "brackets": "[",
    "objects": '{"a":',
    "quotes": '"',
    "backslashes": "\\",
    "backticks": "`",
    "line ends": "\r\n",
    "headers": "a: b\r\n",
    "chunks": "1\r\na\r\n",
    "key prefixes": "lk_live_",
    "base64": "QUFB",
    "letters that expand": "\ufdfa\u0130\xdf",
    "accents": "e\u0301\u0323",
    "lone surrogates": "\ud800",
}
AROUND: dict[str, Callable[[str], str]] = {
    "alone": lambda middle: middle,
    "between": lambda middle: f"x{middle}x",
    "behind a scheme": lambda middle: f"Bearer x{middle}x\0",
    "in an address": lambda middle: f"https://a{middle}/\0",
    "in a path": lambda middle: f"https://example.com/{middle}?{middle}\0",
}


def make_request(headers: dict[str, str]) -> Request:
    event = {"multiValueHeaders": {name: [value] for name, value in headers.items()}}
    context = {"identity": {"sourceIp": "203.0.113.7"}}
    return cast(Request, SimpleNamespace(headers=headers, context=context, to_original_event=lambda: event))


def read_byte_by_byte(head: str, text: str) -> None:
    """Read a response that arrives byte by byte."""
    raw = (head + text).encode("latin-1", "replace")
    pieces = iter([raw[at : at + 1] for at in range(len(raw))])
    stream = http_framing.ResponseStream(lambda: next(pieces, b""))
    for _ in http_framing.read_body(stream, http_framing.read_head(stream)):
        pass


def read_cdn_address(text: str) -> None:
    with settings.override(Settings(client_ip_header="x-address")):
        client_address.source_ip(make_request({"x-address": text}))


def parse_registration(field: str, value: object) -> None:
    """Parse a client registration with this text in one field."""
    raw = json.dumps({"redirect_uris": ["https://app.example.com/cb"]} | {field: value})
    client_metadata.parse(
        client_metadata.parse_fields(raw),
        offered=clients.SELF_REGISTRABLE,
        by_default=(clients.CODE,),
        auth_method="none",
    )


PARSERS: dict[str, Work] = {
    "Authorization": lambda text: verify.bearer(text),
    "Authorization at the gateway": lambda text: re.match(IDENTITY, text, re.DOTALL | re.ASCII),
    "Authorization: Basic": lambda text: parameters.parse_client_credentials(
        parameters.parse_query({}), f"Basic {text}"
    ),
    "a registration's Authorization": lambda text: registration._read_bearer(text),
    "a presented credential": lambda text: verify.parse_secret(text),
    "a secret": lambda text: secrets.kind_of(text),
    "a leaked secret": lambda text: secrets.find_secrets(text),
    "a report of leaks": lambda text: reported._alerts(
        json.dumps([{"token": text, "type": text, "url": text}]).encode()
    ),
    "a malformed report": lambda text: reported._alerts(text.encode("utf-8", "replace")),
    "GitHub's signature": lambda text: github_signature.check(b"", identifier=text, signature=text),
    "a sender's signature": lambda text: hmac_signature.check(b"", timestamp=text, signature=text),
    "an id": lambda text: ids.is_id(text, "acc"),
    "an id with a valid prefix": lambda text: ids.is_id(f"acc_{text}", "acc"),
    "a client's id": lambda text: clients.is_client_id(text),
    "a cursor": lambda text: pagination.Cursor("acc").check("cursor", text),
    "cookies": lambda text: cookies.of_request(cast(Any, SimpleNamespace(request=make_request({"cookie": text})))),
    "the page after log-in": lambda text: page.local_path(f"/{text}"),
    "a JSON body": lambda text: Named.read(text),
    "a text in a JSON body": lambda text: Named.read(json.dumps({"name": text})),
    "names in a JSON body": lambda text: Body.read(json.dumps({f"{text[:9]}{at}": 1 for at in range(len(text) // 9)})),
    "a number in a JSON body": lambda text: Counted.read(f'{{"n": {len(text)}{text}.{text}e{text}}}'),
    "a name": lambda text: Text(10**9).check("name", text),
    "a longer name": lambda text: Text(10**9, min_length=3).check("name", text),
    "a number in a query": lambda text: Integer(1, 9).read("n", text),
    "a form": lambda text: parameters.parse_body(text[:65_536], parameters.FORM),
    "a form in JSON": lambda text: parameters.parse_body(text[:65_536], parameters.JSON),
    "a media type": lambda text: parameters.parse_body("{}", text),
    "scopes": lambda text: parameters.parse_scope(parameters.parse_query({"scope": [text]})),
    "a registration": lambda text: client_metadata.parse_fields(text),
    **{
        f"a registration's {field}": functools.partial(parse_registration, field)
        for field in ("client_name", "client_uri", "scope", "redirect_uris", "grant_types")
    },
    **{
        f"a registration's list of {field}": lambda text, field=field: parse_registration(field, list(text))  # type: ignore[misc]
        for field in ("redirect_uris", "grant_types", "response_types")
    },
    "a scheme": redirect_schemes.is_private_use,
    "a redirect URI's port": lambda text: redirect_uris.validate(f"http://127.0.0.1:{text}"),
    "a redirect URI with another port": lambda text: redirect_uris.matches(
        f"http://127.0.0.1:1/{text}", f"http://127.0.0.1:2/{text}"
    ),
    "Cache-Control": lambda text: freshness_s({"cache-control": text}),
    "Expires": lambda text: freshness_s({"expires": text}),
    "a redirect URI": lambda text: redirect_uris.validate(text),
    "a requested redirect URI": lambda text: redirect_uris.matches(text, "http://127.0.0.1/a"),
    "a document's address": lambda text: client_documents.check_url(text),
    "a document": lambda text: client_documents._parse_metadata("https://a.example/b", {"redirect_uris": [text]}),
    "a webhook's address": lambda text: endpoint_url.check(text),
    "a fetched URL": lambda text: ssrf_safe_fetch.get(text, deadline_s=60, bytes_max=1, resolver=lambda *_: []),
    "an email address": lambda text: email_address.claim_of(text),
    "a domain": lambda text: email_address.claim_of(f"a@{text}"),
    "a password": lambda text: password_rules.validate(text, email=text, name=text),
    "a password compared with the user's data": lambda text: password_rules.validate(
        "rT7-zebra vault", email=text, name=text
    ),
    "a client address": read_cdn_address,
    "Retry-After": lambda text: retry_schedule.parse_retry_after_ms(text, 0),
    "a list": lambda text: http_syntax.members(text),
    "a response": lambda text: read_byte_by_byte("", text),
    "a response's fields": lambda text: read_byte_by_byte("HTTP/1.1 200 OK\r\n", text),
    "a response's value": lambda text: read_byte_by_byte("HTTP/1.1 200 OK\r\nX: ", f"{text}\r\n\r\n"),
    "a response's length": lambda text: read_byte_by_byte("HTTP/1.1 200 OK\r\nContent-Length: ", f"{text}\r\n\r\n"),
    "a response's body": lambda text: read_byte_by_byte("HTTP/1.1 200 OK\r\n\r\n", text),
    "a response's chunks": lambda text: read_byte_by_byte(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", text
    ),
    "a chunk's extension": lambda text: http_framing.chunk_size(f"1;{text}".encode("latin-1", "replace")),
    "DynamoDB's response": lambda text: codec.decode(HttpResponse(200, {}, text.encode("utf-8", "replace"))),
    "DynamoDB's error": lambda text: codec.decode(
        HttpResponse(400, {}, json.dumps({"__type": text, "B": text}).encode())
    ),
    "a text on a page": lambda text: render._coded(text),
}


def repeat(unit: str, around: Callable[[str], str], n: int) -> str:
    """Return `n` characters of a repeated unit, between a prefix and a suffix."""
    return around((unit * n)[:n])


@pytest.mark.parametrize("parser", PARSERS)
def test_time_grows_at_most_linearly_with_the_input(parser: str) -> None:
    """A parser takes linear time for inputs that repeat a part of its grammar and end invalidly."""

    def work(text: str) -> None:
        with suppress(*REFUSALS):
            PARSERS[parser](text)

    dripping = parser.startswith("a response")
    for unit_name, unit in UNITS.items():
        for around, text_of in AROUND.items():
            if (dripping and around not in ("alone", "between")) or (around == "in a path" and "address" not in parser):
                continue
            size = 500 if dripping else 2_000
            texts = functools.partial(repeat, unit, text_of)
            assert grows_faster_than_linearly(work, texts, size) == [], (unit_name, around)
