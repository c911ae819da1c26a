"""The root key of a stage, and the secrets that are derived from it.

These are secrets that the service itself must know, so it can't store only their hashes. It derives them again when
they are needed and doesn't store them. Therefore a copy of the database isn't sufficient to sign in the name of this
service. The root key is an SSM SecureString, or in a local run a file that only its owner can read.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

from chalicelib.core import errors, settings, telemetry
from chalicelib.core.process_cache import ProcessCache

BYTES = 32


class RootKeyUnavailable(errors.Unavailable):
    """The root key can't be read. The log contains the reason."""

    def __init__(self) -> None:
        """Set the message."""
        super().__init__("This needs the key of this stage, which can't be read. The owner of this API must look.")


def derive_secret(purpose: str) -> bytes:
    """Return the 32-byte secret for `purpose` (HKDF with SHA-256, RFC 5869).

    Raises RootKeyUnavailable when the stage has no root key, or this function has no permission to read it.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), BYTES, salt=None, info=purpose.encode()).derive(_root(settings.current()))


def parameter_name(stage: str) -> str:
    """Return the name of the SSM parameter that contains the root key of a stage."""
    return f"/latchkey/{stage}/key"


_keys: ProcessCache[settings.Settings, bytes] = ProcessCache("core.root_key", 1)


def _root(chosen: settings.Settings) -> bytes:
    if chosen not in _keys:
        _keys[chosen] = _read(chosen)
    return _keys[chosen]


def _read(chosen: settings.Settings) -> bytes:
    text = _from_file(chosen.stage_key_file) if chosen.stage_key_file else _from_ssm(parameter_name(chosen.stage))
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != BYTES:
        raise _report(f"The root key must be {BYTES} bytes in base64.")
    return key


def _from_file(name: str) -> str:
    try:
        return Path(name).read_text().strip()
    except OSError as error:
        raise _report(f"The root key can't be read from {name}: {error.strerror}.") from None


def _from_ssm(name: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = _ssm().get_parameter(Name=name, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise _report(f"The SSM parameter {name} can't be read: {code}.") from None
    return str(found["Parameter"]["Value"])


def _report(reason: str) -> RootKeyUnavailable:
    telemetry.warning("no_stage_key", why=reason)
    telemetry.count("StageKeyUnavailable")
    return RootKeyUnavailable()


def _ssm() -> Any:
    import botocore.config
    import botocore.session

    config = botocore.config.Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
    return botocore.session.get_session().create_client("ssm", config=config)
