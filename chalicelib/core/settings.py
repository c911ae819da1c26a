"""Everything an owner can set. The one reader of the environment: once, when first asked, into a frozen object."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields, replace

from chalicelib.core import setting_types
from chalicelib.core.clock import DAY_S

PREFIX = "LATCHKEY_"
_SHOWN_MAX = 100


class SettingError(Exception):
    """A setting that can't be used; the message names the variable and says what it takes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one stage. Each is read from `LATCHKEY_<NAME>`."""

    stage: str = "local"
    """Which set of tables: `latchkey-<stage>-…`."""
    brand: str = "lk"
    """The first letters of every secret."""
    key_kind: str = "test"
    """What new API keys are called: `live` or `test`."""
    public_url: str = ""
    """Where consumers reach the API (`https://api.example.com`); empty: taken from each request's own context."""
    allowed_origin: str = "*"
    """The one browser origin that may call /v1, or `*` for any."""
    burst_window_s: int = 1
    """How many seconds the burst limit counts in; a divisor of 60."""
    client_ip_header: str = ""
    """Behind the owner's own CDN: the header in which it passes the visitor's address. Empty: the gateway's word."""
    resources: str = ""
    """Other resources that access tokens may be for (RFC 8707), separated by spaces."""
    """Schemes of apps that redirect URIs may use although they have no dot (`yourapp`), separated by spaces."""
    registration: str = "open"
    """Who may register an OAuth client by itself (RFC 7591): `open`, `closed`, or the SHA-256 of an initial token.

    Only `open` also takes the URL of a metadata document as a client's id.
    """
    mail_from: str = ""
    """The verified sender of mail through Amazon SES. Empty: no mail leaves, and nobody has to verify an address."""
    mail_folder: str = ""
    """Where a local run keeps mail instead of sending it."""
    stage_key_file: str = ""
    """Where a local run keeps the stage's key. Empty: it is the SSM parameter `/latchkey/<stage>/key`."""
    events_kept_days: int = 90
    """How many days it is remembered what happened to an account."""
    log_in_attempts_per_email: int = 20
    """Log-in attempts in an hour for one address, known or not."""
    log_in_attempts_per_network: int = 300
    """Log-in attempts in an hour from one IPv4 address or IPv6 /64."""
    wire: str = "lean"
    """What sends calls to DynamoDB: `lean`, or `botocore`, which takes several times the CPU and heeds HTTP proxies."""
    log_level: str = "INFO"
    """The least severe log line that is written."""
    security_contact: str = ""
    """Whom to write to about a weakness, for /.well-known/security.txt (RFC 9116): an address or a URI."""

    def __post_init__(self) -> None:
        """Refuse a value that would only fail later, in front of a consumer."""
        for field in fields(self):
            given = getattr(self, field.name)
            if given != field.default:
                _check(field.name, str(given), str(given))

    @property
    def other_resources(self) -> frozenset[str]:
        """Return the resources besides this API that a token may be for."""
        return frozenset(self.resources.split())

    @property
    def events_kept_s(self) -> int:
        """Return how many seconds it is remembered what happened to an account."""
        return self.events_kept_days * DAY_S

    def table(self, name: str) -> str:
        """Return the full name of a table."""
        return f"latchkey-{self.stage}-{name}"


_current: Settings | None = None


def current() -> Settings:
    """Return the settings of this process; the first call reads the environment.

    Raises SettingError when a variable can't be used.
    """
    global _current
    if _current is None:
        _current = from_environment(os.environ)
    return _current


def from_environment(environment: Mapping[str, str]) -> Settings:
    """Return the settings that `environment` spells out, the rest at their defaults.

    Raises SettingError for a value that can't be used, and for a name that begins as ours do and is none.
    """
    _refuse_unknown(environment)
    given: dict[str, str | int] = {}
    for field in fields(Settings):
        variable = f"{PREFIX}{field.name.upper()}"
        text = environment.get(variable, "")
        if text:
            # Both ways of writing a URL give the same links.
            plain = text.removesuffix("/") if field.name in ("public_url", "allowed_origin") else text
            _check(field.name, plain, text)
            given[field.name] = int(plain) if field.type is int else plain
    return replace(Settings(), **given)  # type: ignore[arg-type]  # each value has its field's own type, by the line above


def environment() -> Mapping[str, str]:
    """Return the environment, for the variables that are AWS's own."""
    return os.environ


def under_chalice_cli() -> bool:
    """Tell whether Chalice's command line loads the app, rather than Lambda."""
    return "AWS_CHALICE_CLI_MODE" in os.environ


def trace_header() -> str:
    """Return X-Ray's header of this invocation; Lambda changes it with each, so it is no setting."""
    return os.environ.get("_X_AMZN_TRACE_ID", "")


def trace_daemon() -> str:
    """Return where X-Ray's daemon listens beside the function."""
    return os.environ.get("AWS_XRAY_DAEMON_ADDRESS", "127.0.0.1:2000")


@contextmanager
def in_use(settings: Settings) -> Iterator[None]:
    """Use `settings` for the length of a `with` block: how tests and tools choose a stage."""
    global _current
    before, _current = _current, settings
    try:
        yield
    finally:
        _current = before


def _check(name: str, plain: str, text: str) -> None:
    """Raise SettingError unless a setting can be used, which was written as `text`."""
    form = setting_types.OF[name]
    if form.fits(plain):
        return
    # Whoever writes the initial token where its digest belongs, or a password into a URL, must not find it in a log.
    is_secret = name == "registration" or ("@" in text and "://" in text)
    given = "something else" if is_secret else repr(text[:_SHOWN_MAX]) + ("…" if len(text) > _SHOWN_MAX else "")
    raise SettingError(
        f"{PREFIX}{name.upper()} takes {form.takes}, like {form.example}, not {given}. Change it, or leave it unset."
    )


def _refuse_unknown(environment: Mapping[str, str]) -> None:
    """Raise SettingError for a misspelt name, which would otherwise be a setting that has no effect."""
    known = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)}
    unknown = sorted(name for name in environment if name.startswith(PREFIX) and name not in known)
    if not unknown:
        return
    from difflib import get_close_matches

    nearest = get_close_matches(unknown[0].upper(), known)
    meant = f" Did you mean {nearest[0]}?" if nearest else ""
    raise SettingError(
        f"{unknown[0]} is no setting of Latchkey.{meant} docs/deploying.md lists all of them; rename or remove it."
    )
