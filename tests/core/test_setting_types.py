"""Each setting is checked at start, with values on both sides of its bounds."""

import dataclasses
from pathlib import Path

import pytest

from chalicelib.core import setting_types, settings
from chalicelib.core.settings import SettingError, Settings

HOST_OF_253 = ".".join(["a" * 61] * 4) + ".aaaaa"
NOT_URLS = (
    "x",
    "api.example.com",
    "javascript:alert(1)",
    "https://",
    "https:///v1",
    "https://a b.example",
    "https://x ",
)
NOT_AUTHORITIES = (
    *(
        "https://user:word@x.example",
        "https://x.example:0",
        "https://x.example:65536",
        "https://x.example:",
        "HTTPS://x.y",
    ),
    *("https://x.example:443", "http://127.0.0.1:80", "https://X.example", "https://-x.example", "https://x..example"),
    *(
        "https://1.2.3",
        "https://1.2.3.256",
        "https://[::1",
        "https://[1::0]",
        f"https://{HOST_OF_253}a",
        "https://b\u00fc.example",
    ),
)
NOT_NUMBERS = ("-1", "+1", "1.5", "1e3", " 1", "1_0", "ten", "\u00b2", "\u0663", "9" * 19, "9" * 5_000)
NOT_MAILBOXES = (
    "x@",
    "@x.example",
    "x",
    "x@y",
    "a b@x.example",
    "a@b@x.example",
    "a@-x.example",
    "a@x.example.",
    "a\n@x.example",
)

TABLE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "stage": (("a", "dev-2", "a" * 20), ("Prod", "a" * 21, "1a", "a_b", "a ", "d\u00e9v")),
    "brand": (("l", "lk2", "a" * 10), ("l_k", "a" * 11, "1k", "LK", "l-k")),
    "key_kind": (("live", "test"), ("demo", "Live", "live ")),
    "public_url": (
        (
            "https://api.example.com/v0",
            "http://127.0.0.1:8000",
            "http://localhost",
            "http://[::1]:8000/a",
            "https://1.2.3.4",
        ),
        (
            *(*NOT_URLS, *NOT_AUTHORITIES, "http://api.example.com", "https://x.example?y", "https://x.example/#a"),
            *("https://x.example/?a=b", "https://x.example//a", "https://x.example/../a", "https://x.example/%zz"),
        ),
    ),
    "allowed_origin": (
        ("*", "https://app.example.com:8443", "http://localhost:3000", "http://[::1]:3000", f"https://{HOST_OF_253}"),
        (
            *(
                *NOT_URLS,
                *NOT_AUTHORITIES,
                "https://app.example.com/path",
                "https://a.example,https://b.example",
                "null",
            ),
            *("https://app.example.com\r\nX-Evil: 1", "**", "https://*.example.com"),
        ),
    ),
    "burst_window_s": (("1", "10", "60"), ("0", "7", "120", *NOT_NUMBERS)),
    "client_ip_header": (
        ("CloudFront-Viewer-Address", "x-real-ip"),
        ("not a header", "X-Real-IP:", "x\r\ny", "\u00fc", "a,b", "x-real-ip "),
    ),
    "resources": (
        ("https://a.example/x?y=z http://b:9000", "urn:example:api", "https://a.example:443/"),
        (
            *(
                "nonsense",
                "https://a.example#b",
                "https://a.example nonsense",
                "a.example/x",
                "https://",
                "urn:x",
                "ftp://a.b",
            ),
            *("https://user@a.example", "localhost:9000", "https://a.example,https://b.example:x"),
        ),
    ),
    "registration": (("open", "closed", "0" * 64), ("Open", "0" * 63, "0" * 65, "F" * 64, "the-initial-token")),
    "mail_from": (
        (
            *("name@example.com", "Acme <keys@example.com>", '"Acme, Inc." <a.b+c@x.example.com>', "A@Example.COM"),
            "=?utf-8?q?caf=C3=A9?= <a@x.example>",
        ),
        (
            *(*NOT_MAILBOXES, "Acme <x@>", "<a@x.example>", "Acme <a@x.example", "Acme, Inc. <a@x.example>"),
            *("Caf\u00e9 <a@x.example>", "A <a@x.example> <b@x.example>", "A\r\nBcc: b <a@x.example>", ".a@x.example"),
            *(f"{'a' * 65}@x.example", f"a@{HOST_OF_253}a", "a@x.example, b@x.example"),
        ),
    ),
    "mail_folder": (("mail", "/var/a b"), ("a\nb",)),
    "stage_key_file": (("key", "/etc/key"), ("a\nb",)),
    "events_kept_days": (("1", "3650"), ("0", "3651", *NOT_NUMBERS)),
    "log_in_attempts_per_email": (("1", "1000000"), ("0", "1000001", *NOT_NUMBERS)),
    "log_in_attempts_per_network": (("1", "1000000"), ("0", "1000001", *NOT_NUMBERS)),
    "wire": (("lean", "botocore"), ("boto", "Lean")),
    "log_level": (("DEBUG", "INFO", "WARNING", "ERROR"), ("verbose", "info", "CRITICAL")),
    "security_contact": (
        ("a@b.example", "mailto:a@b.example", "https://Example.com/Report?a#b", "tel:+49-30-1234"),
        (
            *(
                *NOT_MAILBOXES,
                "mailto:x@",
                "tel:",
                "tel:abc",
                "https://",
                "https:///x",
                "https://!",
                "https://a b.example",
            ),
            *("http://example.com", "https://a@example.com", "a@example.com\nContact: b", "urn:x"),
        ),
    ),
}
"""By setting: its valid values, and its invalid ones."""

GOOD = [(name, value) for name, (good, _) in TABLE.items() for value in good]
BAD = [(name, value) for name, (_, bad) in TABLE.items() for value in bad]


def test_every_setting_is_checked() -> None:
    """Every setting has a type, a valid example, and a row in this table."""
    names = {field.name for field in dataclasses.fields(Settings)}
    assert names == setting_types.OF.keys() == TABLE.keys()
    assert [name for name, form in setting_types.OF.items() if not form.is_valid(form.example)] == []
    by_default = [(field.name, str(field.default)) for field in dataclasses.fields(Settings) if field.default != ""]
    assert [name for name, value in by_default if not setting_types.OF[name].is_valid(value)] == []


@pytest.mark.parametrize(("name", "value"), GOOD)
def test_valid_value_is_unchanged(name: str, value: str) -> None:
    """A valid value is used unchanged."""
    chosen = settings.from_environment({f"LATCHKEY_{name.upper()}": value})
    assert str(getattr(chosen, name)) == value


@pytest.mark.parametrize(("name", "value"), BAD)
def test_invalid_value_is_rejected_at_start(name: str, value: str) -> None:
    """An invalid value is rejected at start.

    The error contains the variable, its description, an example and the value.
    """
    variable, form = f"LATCHKEY_{name.upper()}", setting_types.OF[name]
    with pytest.raises(SettingError) as raised:
        settings.from_environment({variable: value})
    message = str(raised.value)
    assert message.startswith(f"{variable} takes {form.description}, like {form.example}, not ")
    assert message.endswith(". Change it, or leave it unset.")
    assert (repr(value[:100]) in message) or (name == "registration") or "@" in value
    assert len(message) < 400
    with pytest.raises(SettingError, match=variable):
        Settings(**{name: value})  # type: ignore[arg-type]  # numbers are checked in their text form too


@pytest.mark.parametrize(
    ("origin", "is_one"),
    [
        ("http://[::1]", True),
        ("http://[2001:db8::1]:8000", True),
        ("http://[1::0]", False),
        ("http://[::1", False),
        ("http://[::g]", False),
        ("http://[1.2.3.4]", False),
        ("http://[]", False),
    ],
)
def test_bracketed_host_is_the_shortest_ipv6_form(origin: str, is_one: bool) -> None:
    """An IPv6 address in brackets is valid only in the form of RFC 5952."""
    assert setting_types.is_origin(origin) is is_one


def test_password_in_a_url_is_not_shown() -> None:
    """The error for an invalid URL doesn't show its password, because the message appears in a log."""
    with pytest.raises(SettingError) as raised:
        settings.from_environment({"LATCHKEY_PUBLIC_URL": "https://user:swordfish@api.example.com"})
    assert "swordfish" not in str(raised.value)


def test_guide_names_every_setting() -> None:
    """The guide describes every setting and its bounds."""
    guide = (Path(__file__).parents[2] / "docs/deploying.md").read_text()
    rows = {line.split("`")[1]: line for line in guide.splitlines() if line.startswith("| `LATCHKEY_")}
    assert rows.keys() == {f"LATCHKEY_{name.upper()}" for name in setting_types.OF}
    assert "1 to 3,650" in rows["LATCHKEY_EVENTS_KEPT_DAYS"]
