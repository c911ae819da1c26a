"""Create the root key of a stage, once: a file with mode 0600 in a local run, an SSM SecureString for other stages."""

import base64
import os
import secrets
from pathlib import Path
from typing import Any

from chalicelib.core import root_key
from infra import engine

FILE = engine.LOCAL / "stage-key"


def new() -> str:
    """Return a new random root key in base64."""
    return base64.b64encode(secrets.token_bytes(root_key.BYTES)).decode()


def local_file() -> Path:
    """Return the file with the local stage's root key, after creating it if necessary."""
    FILE.parent.mkdir(exist_ok=True)
    beside = FILE.with_name(f"{FILE.name}-{secrets.token_hex(4)}")
    if not FILE.exists():
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as written:
            written.write(new())
        try:
            # The link is created atomically, so of two concurrent starts only one creates the file.
            os.link(beside, FILE)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return FILE


def create(ssm: Any, stage: str) -> bool:
    """Create a deployed stage's root key, or return False if it exists.

    A root key is never replaced, because webhook secrets are derived from it.
    """
    name = root_key.parameter_name(stage)
    try:
        ssm.put_parameter(
            Name=name,
            Value=new(),
            Type="SecureString",
            Description="Latchkey: the key from which webhook secrets are derived",
            Overwrite=False,
        )
    except ssm.exceptions.ParameterAlreadyExists:
        return False
    return True


def exists(ssm: Any, stage: str) -> bool:
    """Return whether a deployed stage has a root key."""
    try:
        ssm.get_parameter(Name=root_key.parameter_name(stage))
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def delete(ssm: Any, stage: str) -> None:
    """Delete the root key of a deployed stage if it exists."""
    ssm.delete_parameters(Names=[root_key.parameter_name(stage)])
