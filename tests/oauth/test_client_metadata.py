"""Client metadata: how each field is read, and the error for an invalid field."""

import json
from typing import Any

import pytest

from chalicelib.core.errors import InvalidRequest
from chalicelib.oauth import client_metadata
from chalicelib.oauth.client_metadata import Metadata
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.redirect_uris import BadRedirectURI
from tests.oauth.flow import CALLBACK, CODE, DEVICE, REFRESH

BAD_METADATA, BAD_REDIRECT = ("invalid_client_metadata", 400), ("invalid_redirect_uri", 400)


def read(**fields: object) -> Metadata:
    """Return the metadata of a client that may use codes, refresh tokens and device codes."""
    return client_metadata.parse(fields, offered=(CODE, REFRESH, DEVICE), by_default=(CODE,), auth_method="none")


def error_of(fields: dict[str, Any]) -> tuple[str, int, str]:
    """Return the error of invalid metadata."""
    with pytest.raises(OAuthError) as raised:
        read(**fields)
    return raised.value.error, raised.value.status, raised.value.message


@pytest.mark.parametrize(
    ("raw", "fields"),
    [
        ("{}", {}),
        (b'{"a": 1, "b": null, "c": []}', {"a": 1, "c": []}),
        ('{"a": {"b": null}}', {"a": {"b": None}}),
    ],
)
def test_metadata_is_a_json_object_in_which_null_is_absent(raw: bytes | str, fields: dict[str, Any]) -> None:
    """RFC 7591 §2: metadata is a JSON object, and a field that is null counts as absent."""
    assert client_metadata.parse_fields(raw) == fields


@pytest.mark.parametrize(
    "raw", ["", "{", "[]", "7", "null", '"x"', b"\xff", "[" * 100_000, '{"a": 1, "a": 1}', '{"a": {"b": 1, "b": 2}}']
)
def test_body_that_is_no_object_or_repeats_a_name_is_invalid(raw: bytes | str) -> None:
    """A body with a repeated name is invalid, because two parsers could read two different clients."""
    with pytest.raises(OAuthError, match="must be a JSON object without repeated names") as raised:
        client_metadata.parse_fields(raw)
    assert (raised.value.error, raised.value.status) == BAD_METADATA


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"redirect_uris": [CALLBACK, "x"]}, {"redirect_uris": [CALLBACK, "x"]}),
        ({"token_endpoint_auth_method": "client_secret_post"}, {"auth_method": "client_secret_post"}),
        ({"token_endpoint_auth_method": "client_secret_basic"}, {"auth_method": "client_secret_basic"}),
        ({"token_endpoint_auth_method": "none"}, {"auth_method": "none"}),
        ({"grant_types": [DEVICE, "implicit", CODE, DEVICE]}, {"grant_types": frozenset({CODE, DEVICE})}),
        ({"grant_types": [REFRESH], "response_types": ["token"]}, {"grant_types": frozenset({REFRESH})}),
        ({"response_types": []}, {"grant_types": frozenset({CODE})}),
        ({"response_types": ["token", "code"]}, {"grant_types": frozenset({CODE})}),
        ({"scope": "write openid"}, {"scopes": frozenset({"write"})}),
        ({"scope": "openid"}, {"scopes": frozenset({"read", "write"})}),
        ({"scope": ""}, {"scopes": frozenset({"read", "write"})}),
        ({"client_name": "  Photos  "}, {"name": "Photos"}),
        ({"client_name": " " + "x" * 98 + " y "}, {"name": "x" * 98 + " y"}),
        ({"client_name": " "}, {"name": None}),
        ({"client_uri": " https://a.example/ "}, {"uri": "https://a.example/"}),
        ({"client_uri": " "}, {"uri": None}),
    ],
)
def test_supported_values_are_kept_and_defaults_applied(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    """Unsupported values are dropped unless none remains, and absent fields get their default."""
    whole: dict[str, Any] = {"name": None, "redirect_uris": [], "auth_method": "none", "grant_types": frozenset({CODE})}
    assert read(**fields) == Metadata(**whole | {"scopes": frozenset({"read", "write"}), "uri": None} | expected)


@pytest.mark.parametrize(
    ("fields", "about"),
    [
        *(
            ({"token_endpoint_auth_method": wrong}, "token_endpoint_auth_method")
            for wrong in ("private_key_jwt", "", 7)
        ),
        *(({"grant_types": wrong}, "grant_types") for wrong in ([], ["implicit"], CODE, [7], [CODE, 7], {CODE: 1})),
        *(({"response_types": wrong}, "response_types") for wrong in (["token"], "code", [None], {"code": 1})),
        *(({"client_name": wrong}, "client_name") for wrong in (7, "two\nlines", "a\u202eb", "\u200b")),
        *(({"scope": wrong}, "scope") for wrong in (7, ["read"], "read\nwrite")),
        *(({"client_uri": wrong}, "client_uri") for wrong in (7, "a\nb", "x", "ftp://a/", "https://", "https:/a")),
        *(({"client_uri": f"https://{wrong}"}, "client_uri") for wrong in ("a@b/", "[/", "a:99999/", "a/ b", 'a/"')),
        *(({"client_uri": f"https://{wrong}"}, "client_uri") for wrong in ("a/\u202e", "a/<", "a/\x7f")),
    ],
)
def test_invalid_field_is_named_in_the_error(fields: dict[str, Any], about: str) -> None:
    """RFC 7591 §3.2.2: the error description names the invalid field."""
    error, status, message = error_of(fields)
    assert (error, status) == BAD_METADATA
    assert message.startswith(about)


@pytest.mark.parametrize("wrong", [CALLBACK, 7, [7], [CALLBACK, None], {"0": CALLBACK}])
def test_redirect_uris_must_be_a_list_of_strings(wrong: object) -> None:
    """Any other type of redirect_uris is invalid_redirect_uri."""
    assert error_of({"redirect_uris": wrong}) == (*BAD_REDIRECT, "redirect_uris must be a list of strings.")


def test_error_code_depends_on_the_kind_of_the_exception() -> None:
    """The OAuth error code depends on the exception's type, not on its message."""
    for refused, expected in ((BadRedirectURI("x"), BAD_REDIRECT), (InvalidRequest("redirect URI"), BAD_METADATA)):
        error = client_metadata.to_oauth_error(refused)
        assert (error.error, error.status, error.message) == (*expected, refused.message)


def test_error_lists_the_supported_values() -> None:
    """The error lists the supported values, so that the developer knows which to request."""
    message = error_of({"grant_types": ["implicit"]})[2]
    assert message == f"grant_types must include one of {CODE}, {REFRESH}, {DEVICE}."
    assert json.dumps(message).isascii()
