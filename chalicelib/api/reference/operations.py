"""One operation of the document: what a route says, takes and gives."""

from collections.abc import Mapping
from typing import Any

from chalicelib.api.declared import Answer, Body, Form, Listed
from chalicelib.api.reference import refusals
from chalicelib.api.reference.examples import example_of
from chalicelib.api.reference.routes import Route
from chalicelib.api.shapes import Kind
from chalicelib.credentials import scopes

Schema = dict[str, Any]
Components = Mapping[str, Schema]

OF_PEOPLE = (scopes.READ, scopes.WRITE)
"""What an access token can have."""
FORM = "application/x-www-form-urlencoded"
UNDECLARED = Answer(about="What the route gives.")


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible characters that name this request: sent again with them within 24 hours, it"
    " happens once and is answered the same.",
    "schema": {
        "type": "string",
        "pattern": r'^([!#-~]{1,255}|"([!#-\[\]-~]|\\["\\]){1,255}")$',
        "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    },
}


def operation(route: Route, operation_id: str, shapes: Components) -> Schema:
    """Return the operation; `shapes` are the named shapes of the document."""
    needs = [f"Needs a credential with the scope `{scope}`." for scope in route.rules.scopes]
    described = [route.says, *_also_takes(route), *needs]
    body = _request_body(route, shapes)
    parameters = [*_in_path(route), *_in_query(route), *_in_headers(route)]
    return {
        "operationId": operation_id,
        "tags": [route.tag],
        "summary": route.summary,
        "description": "\n\n".join(described),
        "security": security(route),
        **({"x-required-scope": route.rules.scopes[0]} if route.rules.scopes else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": body} if body else {}),
        "responses": _responses(route, shapes),
    }


def security(route: Route) -> list[Schema]:
    """Return any one of which is enough: a key, a token for what people can allow, or what OAuth's clients have."""
    if route.rules.scopes:
        (scope, *_) = route.rules.scopes
        return [{"bearer": []}, *([{"oauth": [scope]}] if scope in OF_PEOPLE else [])]
    return [{proof: []} if proof else {} for proof in route.declared.proofs]


def _in_path(route: Route) -> list[Schema]:
    declared = route.declared.path
    return [
        {"name": name, "in": "path", "required": True, **_parameter(declared.get(name))} for name in route.parameters
    ]


def _in_query(route: Route) -> list[Schema]:
    query = route.declared.query
    fields = query.fields if query is not None else {}
    return [{"name": name, "in": "query", "required": False, **_parameter(field)} for name, field in fields.items()]


def _in_headers(route: Route) -> list[Schema]:
    named = [
        {"name": name, "in": "header", "required": False, **_parameter(kind)}
        for name, kind in route.declared.headers.items()
    ]
    return [*named, *([IDEMPOTENCY_KEY] if route.declared.idempotency else [])]


def _parameter(field: Kind | None) -> Schema:
    schema = {"type": "string"} if field is None else field.schema()
    about = schema.pop("description", "")
    return {**({"description": about} if about else {}), "schema": schema}


def _request_body(route: Route, shapes: Components) -> Schema | None:
    body = route.declared.body
    if body is None:
        # An owner's route that declares nothing may still read one; of ours each declares what it takes.
        undeclared = route.reads_a_body and not route.declared.gives
        return {"content": {media: {"schema": {}} for media in route.takes}} if undeclared else None
    schema = _object(body)
    shown: Any = {name: example_of(schema["properties"][name], shapes) for name in _shown(body)}
    if isinstance(body, Listed):
        schema, shown = {"type": "array", "items": schema, "minItems": 1}, [shown]
    media = {"schema": schema, "example": shown}
    is_optional = isinstance(body, Body) and body.may_be_empty
    return {"required": not is_optional, "content": dict.fromkeys(_media_told(route), media)}


def _media_told(route: Route) -> tuple[str, ...]:
    """Return the media types of a body: of a protocol's, only the form that its RFC names, or generators make two."""
    return (FORM,) if FORM in route.takes else route.takes


def _also_takes(route: Route) -> list[str]:
    """Return a sentence about what a body may be besides what is described."""
    others = [media for media in route.takes if media not in _media_told(route)]
    return [f"The same fields may come as `{media}`." for media in others] if route.declared.body else []


def _object(body: Body | Form) -> Schema:
    fields = {**body.required, **body.optional}
    least = {"minProperties": body.least} if isinstance(body, Body) and body.least else {}
    return {
        "type": "object",
        "properties": {name: field.schema() for name, field in fields.items()},
        **({"required": list(body.required)} if body.required else {}),
        **least,
        "additionalProperties": False if isinstance(body, Body) else body.others,
    }


def _shown(body: Body | Form) -> list[str]:
    """Return the fields that an example shows: all of ours, of a protocol's those that have an example."""
    optional = [name for name, field in body.optional.items() if isinstance(body, Body) or "examples" in field.schema()]
    return [*body.required, *optional]


def _responses(route: Route, shapes: Components) -> Schema:
    gives = route.declared.gives or {200: UNDECLARED}
    more = ("Idempotency-Replayed",) if route.declared.idempotency else ()
    given = {str(status): _response(answer, shapes, more) for status, answer in sorted(gives.items())}
    refused = {
        str(status): {"$ref": f"#/components/responses/{refusals.name_of(route, status)}"}
        for status in refusals.statuses_of(route)
    }
    return {**given, **refused}


def _response(answer: Answer, shapes: Components, more: tuple[str, ...] = ()) -> Schema:
    named = (*refusals.LIMITS, *answer.headers, *more)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in named}
    response: Schema = {"description": answer.about or "Done.", "headers": headers}
    if answer.shape is not None:
        schema = answer.shape.schema()
        response["content"] = {answer.media: {"schema": schema, "example": example_of(schema, shapes)}}
        response["description"] = answer.about or shapes.get(schema.get("$ref", "").rpartition("/")[2], {}).get(
            "description", "Done."
        )
    elif answer is UNDECLARED:
        response["content"] = {answer.media: {"schema": {}}}
    return response
