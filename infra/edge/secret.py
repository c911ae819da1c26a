"""Store in SSM the secret that CloudFront sends to a stage's API and, during a rotation, the next secret."""

import secrets
from contextlib import suppress

import boto3


def current(stage: str) -> str:
    """Return the current secret; create it if it doesn't exist."""
    return _put_once(_name(stage))


def begin(stage: str) -> None:
    """Start a rotation: create the next secret, unless an unfinished rotation has created it already."""
    _put_once(_next(stage))


def pending(stage: str) -> str:
    """Return the next secret of a rotation; "" if no rotation is in progress."""
    ssm = boto3.client("ssm")
    try:
        return str(ssm.get_parameter(Name=_next(stage), WithDecryption=True)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return ""


def replace(stage: str, value: str) -> None:
    """Replace the current secret by the next one."""
    boto3.client("ssm").put_parameter(Name=_name(stage), Value=value, Type="SecureString", Overwrite=True)


def end(stage: str) -> None:
    """End a rotation: delete the parameter of the next secret, whose value is the current secret by now."""
    boto3.client("ssm").delete_parameters(Names=[_next(stage)])


def delete(stage: str) -> None:
    """Delete the current and the next secret if they exist."""
    boto3.client("ssm").delete_parameters(Names=[_name(stage), _next(stage)])


def _name(stage: str) -> str:
    return f"/latchkey/{stage}/edge"


def _next(stage: str) -> str:
    return f"/latchkey/{stage}/edge-next"


def _put_once(name: str) -> str:
    ssm = boto3.client("ssm")
    with suppress(ssm.exceptions.ParameterAlreadyExists):
        ssm.put_parameter(
            Name=name,
            Value=secrets.token_urlsafe(32),
            Type="SecureString",
            Description="Latchkey: the secret that CloudFront sends to the API",
            Overwrite=False,
        )
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
