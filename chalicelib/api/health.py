"""/health: reports to monitors whether this deployment and its database work."""

from chalicelib.api.request_context import RequestContext
from chalicelib.api.schema.description import described
from chalicelib.api.schema.fields import Enum
from chalicelib.api.schema.shapes import Shape
from chalicelib.core import errors, settings, telemetry
from chalicelib.core.dynamodb import client as dynamodb
from chalicelib.core.dynamodb.errors import DynamoDBError

HEALTH = Shape(
    "Health",
    "The deployment is healthy.",
    {"status": Enum(("ok",), description="Always ok; otherwise the status is 503.")},
)


@described({200: HEALTH})
def health(context: RequestContext) -> dict[str, str]:
    """Return the status `ok` if a read from DynamoDB succeeds. Monitors may use HEAD."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "health"}}}
    try:
        dynamodb.call("GetItem", request, dynamodb.FAIL_FAST)
    except DynamoDBError as error:
        telemetry.warning("database_unreachable", request_id=context.id, code=error.code)
        raise errors.Unavailable from None
    return {"status": "ok"}
