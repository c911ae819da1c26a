"""/health: does this deployment answer, its database included?"""

from chalice.app import Blueprint

from chalicelib.api.edge import Exchange, route
from chalicelib.api.fields import OneOf
from chalicelib.api.shapes import Shape
from chalicelib.core import errors, settings, telemetry, wire

HEALTH = Shape("Health", "This deployment answers.", {"status": OneOf(("ok",), about="Always ok: it is a 503 if not.")})

blueprint = Blueprint(__name__)


@route(blueprint, "/health", methods=["GET"], gives={200: HEALTH})
def health(exchange: Exchange) -> dict[str, str]:
    """Answer ok when DynamoDB answers a read."""
    request = {"TableName": settings.current().table("accounts"), "Key": {"id": {"S": "health"}}}
    try:
        wire.call("GetItem", request, wire.AT_ONCE)
    except wire.WireError as error:
        telemetry.warning("database_unreachable", request_id=exchange.id, code=error.code)
        raise errors.Unavailable from None
    return {"status": "ok"}
