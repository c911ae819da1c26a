"""The settings of the service. Only this module reads the environment: at the first use, into an immutable object."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from chalicelib.core import setting_types
from chalicelib.core.clock import DAY_S

PREFIX = "LATCHKEY_"
_SHOWN_MAX = 100


class SettingError(Exception):
    """A setting is invalid. The message contains the variable's name and the accepted values."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one stage. Each is read from `LATCHKEY_<NAME>`."""

    stage: str = "local"
    """The name of the stage. It is part of the names of its tables: `latchkey-<stage>-…`."""
    brand: str = "lk"
    """The prefix with which every secret begins."""
    key_kind: str = "test"
    """The kind of new API keys: `live` or `test`."""
    public_url: str = ""
    """The public URL of the API (`https://api.example.com`). If empty, the URL of each request is used."""
    allowed_origin: str = "*"
    """The only browser origin that may call /v1, or `*` for any."""
    burst_window_s: int = 1
    """The length of the burst window in seconds, which must divide 60."""
    client_ip_header: str = ""
    """The header in which the operator's own CDN sends the client address.

    If empty, the address that API Gateway reports is used.
    """
    resources: str = ""
    """The resource indicators (RFC 8707) of other services for which access tokens may be issued, separated by spaces.
    """
    registration: str = "open"
    """Who may register clients dynamically (RFC 7591): `open` (anyone), `closed` (nobody), or the SHA-256 of an initial
    access token.

    Only with `open` is the URL of a client metadata document also accepted as a client id.
    """
    mail_from: str = ""
    """The verified address from which Amazon SES sends emails. If empty, no emails are sent, and addresses needn't be
    verified.
    """
    mail_folder: str = ""
    """The folder in which a local run stores emails instead of sending them."""
    stage_key_file: str = ""
    """The file with the root key of a local run. If empty, the SSM parameter `/latchkey/<stage>/key` is read."""
    events_kept_days: int = 90
    """The number of days for which the events of an account are stored."""
    log_in_attempts_per_email: int = 20
    """The number of log-in attempts per hour for one email address, whether or not an account has this address."""
    log_in_attempts_per_network: int = 300
    """The number of log-in attempts per hour from one IPv4 address or IPv6 /64."""
    wire: str = "lean"
    """The DynamoDB client: `lean`, or `botocore`, which takes several times as much CPU time but supports HTTP proxies.
    """
    log_level: str = "INFO"
    """The lowest level of log lines that are written."""
    security_contact: str = ""
    """The contact in /.well-known/security.txt (RFC 9116): an email address or a URI."""

    def __post_init__(self) -> None:
        """Reject a value that would otherwise fail later, in a user's request."""
        for field in fields(self):
            given = getattr(self, field.name)
            if given != field.default:
                _check(field.name, str(given), str(given))

    @property
    def other_resources(self) -> frozenset[str]:
        """Return the resource indicators of other services for which access tokens may be issued."""
        return frozenset(self.resources.split())

    @property
    def events_kept_s(self) -> int:
        """Return the number of seconds for which the events of an account are stored."""
        return self.events_kept_days * DAY_S

    def table(self, name: str) -> str:
        """Return the full name of a table, which includes the stage."""
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
    """Return the settings from the variables in `environment`; a setting whose variable is missing has its default.

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
    """Return the environment variables. Callers use it for variables that AWS defines."""
    return os.environ


def under_chalice_cli() -> bool:
    """Return whether the app was loaded by Chalice's command line and not by Lambda."""
    return "AWS_CHALICE_CLI_MODE" in os.environ


def trace_header() -> str:
    """Return the X-Ray header of this invocation. It isn't a setting, because Lambda changes it at each invocation."""
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
    """Raise SettingError unless the value `plain` is valid.

    `text` is the value before it was normalised; the message quotes it.
    """
    kind = setting_types.OF[name]
    if kind.is_valid(plain):
        return
    # The message is logged, so it must not contain an initial access token in the wrong variable, or a password in a
    # URL.
    is_secret = name == "registration" or ("@" in text and "://" in text)
    given = "something else" if is_secret else repr(text[:_SHOWN_MAX]) + ("…" if len(text) > _SHOWN_MAX else "")
    raise SettingError(
        f"{PREFIX}{name.upper()} takes {kind.description}, like {kind.example}, not {given}. "
        "Change it, or leave it unset."
    )


def _reject_unknown(environment: Mapping[str, str]) -> None:
    """Raise SettingError for an unknown variable. Otherwise a misspelt variable would silently have no effect."""
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
