"""Parsing of parameters and client credentials without HTTP: accepted values and errors."""

import base64
import json
from functools import partial
from typing import Any

import pytest

from chalicelib.oauth import parameters
from chalicelib.oauth.errors import OAuthError
from chalicelib.oauth.parameters import FORM, JSON, OPENID_SCOPES, ClientCredentials, Parameters
from tests.oauth.flow import CLIENT, CODE, DEVICE, REFRESH

BODY_MAX = 64 * 1024


def form(text: str | bytes) -> Parameters:
    """Return the parameters of a form."""
    return parameters.parse_body(text, FORM)


def basic(text: str) -> str:
    """Return a Basic header."""
    return "Basic " + base64.b64encode(text.encode()).decode()


def error_of(reading: Any) -> tuple[str, int]:
    """Return the error that a parser raises."""
    with pytest.raises(OAuthError) as raised:
        reading()
    return raised.value.error, raised.value.status


def test_parameter_is_checked_when_it_is_read() -> None:
    """An empty parameter is absent; `resource` may be repeated; a repeated or non-ASCII parameter is an error."""
    sent = form("a=1&b=&c=1&c=2&d=%C3%A9&resource=x&resource=y&e=%7E+%20")
    assert (sent.get("a"), sent.get("b"), sent.get("z"), sent.get("e")) == ("1", "", "", "~  ")
    assert (sent.get_all("resource"), sent.get_all("z")) == (("x", "y"), ())
    assert (sent.require("a"), sent.get_unchecked("a"), sent.get_unchecked("c"), sent.get_unchecked("d")) == (
        "1",
        "1",
        "",
        "é",
    )
    assert (sent.get_unchecked("z"), sent.get_unchecked("b")) == ("", "")
    for reading in (
        *(lambda: sent.get("c"), lambda: sent.get("d"), lambda: sent.get("resource"), lambda: sent.get_all("d")),
        *(lambda: sent.require("b"), lambda: sent.require("z"), lambda: sent.check(["a", "c"])),
        lambda: sent.check(["d"]),
    ):
        assert error_of(reading) == ("invalid_request", 400)
    sent.check(["a", "b", "z", "resource"])


def test_repr_has_only_known_names_of_parameters() -> None:
    """The repr omits all values and unknown names, because both may contain a secret."""
    assert repr(form("code=secret&scope=read&lk_rt_secret=x&state=y")) == "Parameters(code, scope, state)"
    assert repr(ClientCredentials("app_1", "secret")) == "ClientCredentials(app_1)"


@pytest.mark.parametrize(
    ("grant_type", "read"),
    [
        (CODE, {"code", "redirect_uri", "code_verifier", "resource"}),
        (REFRESH, {"refresh_token", "scope", "resource"}),
        (CLIENT, {"scope", "resource"}),
        (DEVICE, {"device_code", "resource"}),
        ("unknown", set()),
    ],
)
def test_grant_type_selects_its_parameters(grant_type: str, read: set[str]) -> None:
    """Only parameters of the grant type and of the client are checked."""
    every = {name: ["x"] for name in (*parameters.TOKEN_PARAMETERS, "state", "utm")} | {"grant_type": [grant_type]}
    own = parameters.parse_query(every).select_for_grant_type()
    assert set(own.sent) == read | {"client_id", "client_secret", "grant_type"}


def test_endpoints_read_their_own_parameters() -> None:
    """Each endpoint checks the parameters of its RFC: RFC 6749 §4, 7009 §2.1, 7662 §2.1, 8628 §3.1, 8707 and 7636."""
    of_client = {"client_id", "client_secret"}
    assert set(parameters.AUTHORIZATION_PARAMETERS) == {
        *("client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "prompt", "resource"),
        *("code_challenge", "code_challenge_method"),
    }
    assert set(parameters.TOKEN_PARAMETERS) == of_client | {
        *("grant_type", "code", "redirect_uri", "code_verifier", "refresh_token", "scope", "resource", "device_code"),
    }
    assert set(parameters.DEVICE_PARAMETERS) == of_client | {"scope", "resource"}
    assert set(parameters.TOKEN_QUERY_PARAMETERS) == of_client | {"token"}


@pytest.mark.parametrize("more", [0, 1])
def test_body_of_64_kilobytes_and_form_of_100_parameters_are_the_largest(more: int) -> None:
    """A body of more than 65,536 bytes, or a form of more than 100 parameters, is rejected."""
    body = "a=".ljust(BODY_MAX + more, "x")
    fields = "&".join(f"a{number}=1" for number in range(100 + more))
    if more:
        assert error_of(lambda: form(body)) == error_of(lambda: form(fields)) == ("invalid_request", 400)
    else:
        assert len(form(body).get("a")) == BODY_MAX - 2
        assert len(form(fields).sent) == 100


def test_json_body_is_parsed_by_its_media_type() -> None:
    """The values in a JSON body are strings, and `resource` may also be a list. The media type may be in upper case and
    have a charset.
    """
    body = json.dumps({"a": "1", "b": None, "c": "", "grant_type": None, "token": None, "resource": ["x", "y"], "d": 7})
    for media_type in (JSON, "Application/JSON; charset=utf-8"):
        sent = parameters.parse_body(body, media_type)
        assert (sent.get("a"), sent.get("b"), sent.get("c"), sent.get_all("resource")) == ("1", "", "", ("x", "y"))
        assert sent.get_unchecked("d") == ""
        for name in ("d", "grant_type", "token"):
            assert error_of(partial(sent.get, name)) == ("invalid_request", 400)
    assert parameters.parse_body('{"resource": "x"}', JSON).get_all("resource") == ("x",)
    assert parameters.parse_body('{"x": ' + "9" * 5_000 + ', "a": "1"}', JSON).get("a") == "1"
    for odd in ('{"resource": {"x": "y"}}', '{"resource": [7]}', '{"resource": [["x"]]}'):
        assert error_of(lambda odd=odd: parameters.parse_body(odd, JSON).get_all("resource")) == (
            "invalid_request",
            400,
        )
    assert error_of(lambda: parameters.parse_body('{"a": ["1"]}', JSON).get("a")) == ("invalid_request", 400)
    for wrong in ("", "[]", '"x"', "7", "{", "[" * 60_000, "null"):
        assert error_of(lambda wrong=wrong: parameters.parse_body(wrong, JSON)) == ("invalid_request", 400)


def test_invalid_utf8_is_rejected_when_it_is_read() -> None:
    """Invalid UTF-8 is an error in a form and in a query when the parameter is read."""
    sent = form(b"a=\xff&b=%FF&c=1")
    assert sent.get("c") == "1"
    for name in ("a", "b"):
        assert error_of(partial(sent.get, name)) == ("invalid_request", 400)


def test_client_credentials_have_one_source() -> None:
    """RFC 6749 §2.3: credentials are either in the Basic header or in the parameters."""
    both = "client_id=app_1&client_secret=s"
    assert parameters.parse_client_credentials(form(both), "") == ClientCredentials("app_1", "s")
    assert parameters.parse_client_credentials(form("client_id=app_1"), "") == ClientCredentials("app_1", None)
    valid = basic("app%5F1:s%2Bt+u")
    for beside in ("", "client_id=app_1"):
        assert parameters.parse_client_credentials(form(beside), valid) == ClientCredentials("app_1", "s+t u")
    for body, header, error in (
        *(("", "", "invalid_client"), ("client_secret=s", "", "invalid_client"), (both, valid, "invalid_request")),
        *(("client_id=app_2", valid, "invalid_request"), ("", "Bearer x", "invalid_client")),
        *(("", basic("app_1"), "invalid_client"), ("", basic(":s"), "invalid_client")),
        *(("", basic("app_1:"), "invalid_client"), ("", basic(":"), "invalid_client")),
        *(("", basic("app_1:é"), "invalid_client"), ("", basic("app_1:s\n"), "invalid_client")),
        *(("", "Basic !!!!", "invalid_client"), ("", "Basic YXBwXzE6cw=!", "invalid_client")),
        ("", "Basic YXBw XzE6cw==", "invalid_client"),
    ):
        status = 401 if error == "invalid_client" else 400
        assert error_of(lambda body=body, header=header: parameters.parse_client_credentials(form(body), header)) == (
            error,
            status,
        )


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        *(("", set()), ("  ", set()), ("read", {"read"}), ("  write   read ", {"read", "write"})),
        *(("openid", set()), ("openid read email", {"read"}), ("!~#[]", {"!~#[]"})),
    ],
)
def test_scope_is_split_without_openid_connect_scopes(scope: str, words: set[str]) -> None:
    """Scopes are separated by one or more spaces, and OpenID Connect scopes are dropped."""
    sent = parameters.parse_query({"scope": [scope]})
    assert parameters.read_scope(sent) == parameters.parse_scope(sent) == words


@pytest.mark.parametrize("scope", ['re"ad', "re\\ad", 'read "'])
def test_scope_with_forbidden_characters_is_invalid(scope: str) -> None:
    """RFC 6749 §3.3: a scope with a quotation mark or a backslash is invalid."""
    assert error_of(lambda: parameters.parse_scope(parameters.parse_query({"scope": [scope]}))) == (
        "invalid_scope",
        400,
    )


def test_openid_connect_scopes_are_complete() -> None:
    """The ignored scopes are `openid` and the scopes that OpenID Connect Core defines in §5.4 and §11."""
    assert set(OPENID_SCOPES) == {"openid", "profile", "email", "address", "phone", "offline_access"}
