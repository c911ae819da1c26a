"""Handle requests with an Idempotency-Key. Each is executed once; if it is repeated, the stored response is returned.

This module is imported only for a request that has the header and whose route honours it.
"""

import json
from collections.abc import Callable

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.api.routing import CLAIMED
from chalicelib.core import errors
from chalicelib.core.dynamodb.errors import is_outage
from chalicelib.credentials.verify import bearer
from chalicelib.idempotency import header, record


def respond(context: RequestContext, kind: str, call: Callable[[], Response]) -> Response:
    """Return the response of a view, or the stored response to an earlier request with the same key.

    Raises InvalidRequest for a malformed key, IdempotencyKeyReused if the earlier request differs from this one, and
    RequestInProgress if the earlier request is still running. Raises Conflict if the response to the earlier request
    was too long to be stored, or if that request was sent with another credential of the same lineage, such as the API
    key before a rotation.
    """
    once = context.once = _idempotent_request(context)
    try:
        if kind == CLAIMED:
            once.acquire()
            return _store(once, _call_claimed(once, call))
        return _store(once, _call_recorded(once, call))
    except record.Replayed as before:
        again = _to_response(before.answer)
        again.headers["Idempotency-Replayed"] = "true"
        return again


def to_stored(response: Response) -> record.StoredResponse:
    """Convert a response to the form in which it is stored for repeated requests."""
    body = response.to_dict()["body"]
    headers = {name: value for name, value in response.headers.items() if isinstance(value, str)}
    return record.StoredResponse(response.status_code, headers, body, _id_in(body))


def _call_recorded(once: record.IdempotentRequest, call: Callable[[], Response]) -> Response:
    """Call a view that stores its response and its other changes in one transaction."""
    try:
        return call()
    except Exception as error:
        # The error may report that the resource exists already, because an earlier or concurrent attempt of this
        # request has created it.
        if isinstance(error, errors.LatchkeyError) or is_outage(error):
            once.raise_if_recorded()
        raise


def _call_claimed(once: record.IdempotentRequest, call: Callable[[], Response]) -> Response:
    try:
        response = call()
    except BaseException:
        once.release()
        raise
    if not _is_success(response):
        once.release()
    return response


def _store(once: record.IdempotentRequest, response: Response) -> Response:
    """Store a successful response and return it.

    The view's transaction may have stored the response already. It is then stored again only if it has changed since.
    """
    if not _is_success(response):
        return response
    stored = to_stored(response)
    if stored != once.written:
        once.store(stored)
    return _to_response(stored)


def _idempotent_request(context: RequestContext) -> record.IdempotentRequest:
    request, principal = context.request, context.principal
    event = request.to_original_event()
    query = json.dumps(sorted((event.get("multiValueQueryStringParameters") or {}).items()))
    body = request.raw_body
    return record.once(
        account_id=principal.account_id,
        lineage=principal.lineage,
        place=json.dumps([context.route, sorted((request.uri_params or {}).items())]),
        key=header.read(client_address.every(request, "idempotency-key")),
        content=query.encode() + b"\n" + (body if isinstance(body, bytes) else body.encode()),
        secret=bearer(request.headers.get("authorization", "")),
    )


def _to_response(stored: record.StoredResponse) -> Response:
    headers: dict[str, str | list[str]] = {**stored.headers}
    return Response(stored.body, status_code=stored.status, headers=headers)


def _is_success(response: Response) -> bool:
    return bool(200 <= response.status_code < 300)


def _id_in(body: str) -> str:
    try:
        created = json.loads(body)
    except ValueError:
        return ""
    created_id = created.get("id", "") if isinstance(created, dict) else ""
    return created_id[:100] if isinstance(created_id, str) else ""
