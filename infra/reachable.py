"""Whether a stage's database can be asked, before a command begins: if not, one sentence with the remedy."""

from chalicelib.core import settings, wire


class NotReachable(Exception):
    """Nothing was done: what is wrong, and what to do."""


def must_answer(stage: str) -> None:
    """Ask for an account that can't be. Raises NotReachable."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "acc_"}}}
    try:
        wire.call("GetItem", request)
    except wire.WireError as error:
        raise NotReachable(_in_words(stage, error)) from error


def _in_words(stage: str, error: wire.WireError) -> str:
    if error.code == "NotConfigured":
        return str(error).removeprefix("NotConfigured: ")
    if error.code == "ResourceNotFoundException":
        return _nothing_there(stage)
    if isinstance(error, wire.NotAccepted):
        return f"AWS doesn't accept the credentials ({error}). Renew them, or choose others by AWS_PROFILE."
    if not isinstance(error, wire.Unreachable):
        return str(error)
    if stage == "local":
        return "The local database doesn't answer: start it with `make run`."
    return f"DynamoDB doesn't answer ({error}). Check the network, AWS_DEFAULT_REGION and AWS_ENDPOINT_URL."


def _nothing_there(stage: str) -> str:
    if stage == "local":
        return "The local database has no tables yet: wait until `make run` says that it serves."
    return (
        f"Nothing is deployed as {stage} in this account and region. Check STAGE, AWS_PROFILE and AWS_DEFAULT_REGION, "
        f"or deploy it: make deploy STAGE={stage}"
    )
