"""/health: does this deployment answer, its database included?"""

from chalice.app import Blueprint

from chalicelib.api.edge import Exchange, route
from chalicelib.core import errors, settings, telemetry, wire

blueprint = Blueprint(__name__)


@route(blueprint, "/health", methods=["GET"])
def health(exchange: Exchange) -> dict[str, str]:
    """Answer ok when DynamoDB answers a read."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "health"}}}
    try:
        wire.call("GetItem", request, wire.AT_ONCE)
    except wire.WireError as error:
        telemetry.warning("database_unreachable", request_id=exchange.id, code=error.code)
        raise errors.Unavailable from None
    return {"status": "ok"}
