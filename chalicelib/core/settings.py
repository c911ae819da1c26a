"""The settings of the service. This module alone reads the environment: once, on first use, into a frozen object."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from chalicelib.core import setting_types
from chalicelib.core.clock import DAY_S

PREFIX = "LATCHKEY_"
_SHOWN_MAX = 100


class SettingError(Exception):
    """A setting is invalid; the message names the variable and the accepted values."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one stage. Each is read from `LATCHKEY_<NAME>`."""

    stage: str = "local"
    """The name of the stage, which is part of its table names: `latchkey-<stage>-…`."""
    brand: str = "lk"
    """The prefix of every secret."""
    key_kind: str = "test"
    """The kind of new API keys: `live` or `test`."""
    public_url: str = ""
    """The public URL of the API (`https://api.example.com`). Empty: the URL of each request."""
    allowed_origin: str = "*"
    """The one browser origin that may call /v1, or `*` for any."""
    burst_window_s: int = 1
    """The length of the burst window in seconds, which must divide 60."""
    client_ip_header: str = ""
    """The header in which the operator's own CDN passes the client address.

    Empty: the address that API Gateway reports.
    """
    resources: str = ""
    """Other resources that access tokens may be for (RFC 8707), separated by spaces."""
    registration: str = "open"
    """Dynamic client registration (RFC 7591): `open`, `closed`, or the SHA-256 of an initial access token.

    Only `open` also accepts the URL of a client metadata document as a client id.
    """
    mail_from: str = ""
    """The verified sender of emails through Amazon SES. Empty: no email is sent, and addresses needn't be verified."""
    mail_folder: str = ""
    """The folder in which a local run stores emails instead of sending them."""
    stage_key_file: str = ""
    """The file with a local run's root key. Empty: the SSM parameter `/latchkey/<stage>/key`."""
    events_kept_days: int = 90
    """How many days the events of an account are kept."""
    log_in_attempts_per_email: int = 20
    """Log-in attempts per hour for one address, registered or not."""
    log_in_attempts_per_network: int = 300
    """Log-in attempts per hour from one IPv4 address or IPv6 /64."""
    wire: str = "lean"
    """The DynamoDB client: `lean`, or `botocore`, which takes several times the CPU and supports HTTP proxies."""
    log_level: str = "INFO"
    """The lowest level that is logged."""
    security_contact: str = ""
    """The contact in /.well-known/security.txt (RFC 9116): an address or a URI."""

    def __post_init__(self) -> None:
        """Reject a value that would otherwise fail later, in a user's request."""
        for field in fields(self):
            given = getattr(self, field.name)
            if given != field.default:
                _check(field.name, str(given), str(given))

    @property
    def other_resources(self) -> frozenset[str]:
        """Return the other resources that a token may be for."""
        return frozenset(self.resources.split())

    @property
    def events_kept_s(self) -> int:
        """Return how many seconds the events of an account are kept."""
        return self.events_kept_days * DAY_S

    def table(self, name: str) -> str:
        """Return the full name of a table."""
        return f"latchkey-{self.stage}-{name}"


_current: Settings | None = None


def current() -> Settings:
    """Return the settings of this process; the first call reads the environment.

    Raises SettingError when a variable is invalid.
    """
    global _current
    if _current is None:
        _current = from_environment(os.environ)
    return _current


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings in `environment`, with defaults for the others.

    Raises SettingError for an invalid value, and for an unknown variable whose name starts with `LATCHKEY_`.
    """
    _reject_unknown(environment)
    given: dict[str, str | int] = {}
    for field in fields(Settings):
        variable = f"{PREFIX}{field.name.upper()}"
        text = environment.get(variable, "")
        if text:
            # A trailing slash is removed, so that it doesn't appear twice in links.
            plain = text.removesuffix("/") if field.name in ("public_url", "allowed_origin") else text
            _check(field.name, plain, text)
            given[field.name] = int(plain) if field.type is int else plain
    return replace(Settings(), **given)  # type: ignore[arg-type]  # each value has its field's type, by the line above


def environment() -> Mapping[str, str]:
    """Return the environment variables, for those that AWS defines."""
    return os.environ


def under_chalice_cli() -> bool:
    """Return whether the app is loaded by Chalice's command line rather than Lambda."""
    return "AWS_CHALICE_CLI_MODE" in os.environ


def trace_header() -> str:
    """Return the X-Ray header of this invocation. Not a setting, because Lambda changes it for each invocation."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")


def trace_daemon() -> str:
    """Return the address of the X-Ray daemon."""
    return os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000")


@contextmanager
def override(settings: Settings) -> Iterator[None]:
    """Use `settings` within a `with` block, for tests and tools."""
    global _current
    before, _current = _current, settings
    try:
        yield
    finally:
        _current = before


def _check(name: str, plain: str, text: str) -> None:
    """Raise SettingError unless the value is valid.

    `text` is the original value, for the message.
    """
    kind = setting_types.OF[name]
    if kind.is_valid(plain):
        return
    # A misplaced initial access token, or a password in a URL, must not be logged.
    is_secret = name == "registration" or ("@" in text and "://" in text)
    given = "something else" if is_secret else repr(text[:_SHOWN_MAX]) + ("…" if len(text) > _SHOWN_MAX else "")
    raise SettingError(
        f"{PREFIX}{name.upper()} takes {kind.description}, like {kind.example}, not {given}. "
        "Change it, or leave it unset."
    )


def _reject_unknown(environment: Mapping[str, str]) -> None:
    """Raise SettingError for a misspelt name, which would otherwise have no effect."""
    known = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if not unknown:
        return
    from difflib import get_close_matches

    given = unknown[0].upper()
    begun = sorted(name for name in known if name.startswith(given)) if given != PREFIX else []
    nearest = begun or get_close_matches(given, known)
    suggestion = f" Did you mean {nearest[0]}?" if nearest else ""
    raise SettingError(
        f"{unknown[0]} is no setting of Latchkey.{suggestion} docs/deploying.md lists all of them; rename or remove it."
    )
