"""The secret that CloudFront shows the API of a stage, kept in SSM; and during a rotation the next one beside it."""

import secrets
from contextlib import suppress

import boto3


def current(stage: str) -> str:
    """Return the secret; made at the first call, and kept."""
    return _put_once(_name(stage))


def begin(stage: str) -> None:
    """Make the next secret; one that an unfinished rotation has made is kept."""
    _put_once(_next(stage))


def pending(stage: str) -> str:
    """Return the next secret; "" outside a rotation."""
    ssm = boto3.client("ssm")
    try:
        return str(ssm.get_parameter(Name=_next(stage), WithDecryption=True)["Parameter"]["Value"])
    except ssm.exceptions.ParameterNotFound:
        return ""


def replace(stage: str, value: str) -> None:
    """Keep the next secret as the secret."""
    boto3.client("ssm").put_parameter(Name=_name(stage), Value=value, Type="SecureString", Overwrite=True)


def end(stage: str) -> None:
    """Forget the next secret, which is the secret by now."""
    boto3.client("ssm").delete_parameters(Names=[_next(stage)])


def delete(stage: str) -> None:
    """Delete both, where they are."""
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
            Description="Latchkey: what CloudFront shows the API",
            Overwrite=False,
        )
    return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
