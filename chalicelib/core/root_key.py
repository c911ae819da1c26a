"""The one key of a stage, from which every secret is derived that we must be able to say again, and so can't only hash.

A derived secret is stored nowhere: whoever reads the whole database still can't sign in our name. The key itself is a
SecureString of SSM, or in a local run a file that only its owner may read.
"""

import base64
import binascii
from functools import lru_cache
from pathlib import Path
from typing import Any

from chalicelib.core import errors, settings, telemetry

BYTES = 32


class NoStageKey(errors.Unavailable):
    """The key can't be had; why stands in the log."""

    def __init__(self) -> None:
        """Say what that means."""
        super().__init__("This needs the key of this stage, which can't be read. The owner of this API must look.")


def stage_key(purpose: str) -> bytes:
    """Return the secret of 32 bytes that belongs to `purpose` (HKDF with SHA-256, RFC 5869).

    Raises NoStageKey when the stage has no key, or this function may not read it.
    """
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return HKDF(SHA256(), BYTES, salt=None, info=purpose.encode()).derive(_root(settings.current()))


def parameter_name(stage: str) -> str:
    """Return the name of the SSM parameter that holds the key of a stage."""
    return f"/latchkey/{stage}/key"


def forget() -> None:
    """Forget the key, as a new process would."""
    _root.cache_clear()


@lru_cache(maxsize=1)
def _root(chosen: settings.Settings) -> bytes:
    text = _from_file(chosen.stage_key_file) if chosen.stage_key_file else _from_ssm(parameter_name(chosen.stage))
    try:
        key = base64.b64decode(text, validate=True)
    except binascii.Error:
        key = b""
    if len(key) != BYTES:
        raise _told(f"The stage key must be {BYTES} bytes in base64.")
    return key


def _from_file(name: str) -> str:
    try:
        return Path(name).read_text().strip()
    except OSError as error:
        raise _told(f"The stage key can't be read from {name}: {error.strerror}.") from None


def _from_ssm(name: str) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        found = _ssm().get_parameter(Name=name, WithDecryption=True)
    except (BotoCoreError, ClientError) as error:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__
        raise _told(f"The SSM parameter {name} can't be read: {code}.") from None
    return str(found["Parameter"]["Value"])


def _told(why: str) -> NoStageKey:
    telemetry.warning("no_stage_key", why=why)
    telemetry.count("StageKeyUnavailable")
    return NoStageKey()


def _ssm() -> Any:
    import botocore.config
    import botocore.session

    config = botocore.config.Config(connect_timeout=2, read_timeout=3, retries={"total_max_attempts": 3})
    return botocore.session.get_session().create_client("ssm", config=config)
