"""The key of a stage, made once: locally a file that only its owner may read, deployed a SecureString of SSM."""

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
    """Return the file with the key of the local stage, made if it isn't there yet."""
    FILE.parent.mkdir(exist_ok=True)
    beside = FILE.with_name(f"{FILE.name}-{secrets.token_hex(4)}")
    if not FILE.exists():
        file = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w") as written:
            written.write(new())
        try:
            # Whole or not at all, and of two starts at once one wins.
            os.link(beside, FILE)
        except FileExistsError:
            pass
        finally:
            beside.unlink()
    return FILE


def create(ssm: Any, stage: str) -> bool:
    """Make the key of a deployed stage; return False when it has one, which stays: every webhook's secret is of it."""
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
