"""The root key of a stage, created once: locally a file with mode 0600, deployed an SSM SecureString."""

import base64
import os
import secrets
from pathlib import Path
from typing import Any

from chalicelib.core import root_key
from infra import engine

FILE = engine.LOCAL / "stage-key"


def new() -> str:
    """Return a new key in base64."""
    return base64.b64encode(secrets.token_bytes(root_key.BYTES)).decode()


def local_file() -> Path:
    """Return the file with the local stage's key; create it if it doesn't exist."""
    FILE.parent.mkdir(exist_ok=True)
    beside = FILE.with_name(f"{FILE.name}-{secrets.token_hex(4)}")
    if not FILE.exists():
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as written:
            written.write(new())
        try:
            # Created atomically; of two concurrent starts one wins.
            os.link(beside, FILE)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return FILE


def create(ssm: Any, stage: str) -> bool:
    """Create the key of a deployed stage; return False when it exists: all webhook secrets are derived from it."""
    name = root_key.parameter_name(stage)
    try:
        ssm.put_parameter(
            Name=name,
            Value=new(),
            Type="SecureString",
            Description="Latchkey: what webhook secrets are derived from",
            Overwrite=False,
        )
    except ssm.exceptions.ParameterAlreadyExists:
        return False
    return True


def exists(ssm: Any, stage: str) -> bool:
    """Return whether a deployed stage has its key."""
    try:
        ssm.get_parameter(Name=root_key.parameter_name(stage))
    except ssm.exceptions.ParameterNotFound:
        return False
    return True


def delete(ssm: Any, stage: str) -> None:
    """Delete the key of a deployed stage, if it has one."""
    ssm.delete_parameters(Names=[root_key.parameter_name(stage)])
