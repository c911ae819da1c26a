"""What is deployed of a stage: the gateway's id and URL, as Chalice noted them; the stream that the data stack made."""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent


def api_of(stage: str) -> dict[str, str] | None:
    """Return `rest_api_id` and `rest_api_url` of a stage deployed from this checkout, None when there is none."""
    noted = ROOT / ".chalice" / "deployed" / f"{stage}.json"
    resources = json.loads(noted.read_text())["resources"] if noted.exists() else []
    for resource in resources:
        if resource["resource_type"] == "rest_api":
            return {name: resource[name] for name in ("rest_api_id", "rest_api_url")}
    return None


def data_stack(stage: str) -> str:
    """Return the name of a stage's data stack."""
    return f"latchkey-{stage}-data"


def events_stream(stage: str) -> str:
    """Return the ARN of the stream of events of a stage's data stack.

    Raises LookupError when the data stack isn't there, or is of a version that had no stream.
    """
    import boto3
    from botocore.exceptions import ClientError

    missing = (
        f"The data stack {data_stack(stage)} has no stream of events. `make deploy STAGE={stage}` puts it up to date."
    )
    try:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=data_stack(stage))["Stacks"]
    except ClientError as error:
        raise LookupError(missing) from error
    for output in stack.get("Outputs", []):
        if output["OutputKey"] == "EventsStream":
            return str(output["OutputValue"])
    raise LookupError(missing)
