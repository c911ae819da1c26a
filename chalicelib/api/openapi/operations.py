"""One operation of the document: summary, parameters, request body and responses of a route."""

from collections.abc import Mapping
from typing import Any

from chalicelib.api.openapi import error_responses
from chalicelib.api.openapi.examples import example_of
from chalicelib.api.openapi.routes import DocumentedRoute
from chalicelib.api.routing import FORM
from chalicelib.api.schema.body import Body, Form, FormList
from chalicelib.api.schema.description import ResponseSpec
from chalicelib.api.schema.shapes import Kind
from chalicelib.credentials import scopes

Schema = dict[str, Any]
Components = Mapping[str, Schema]

GRANTABLE = (scopes.READ, scopes.WRITE)
"""Scopes that a resource owner can grant to an access token."""
UNDECLARED = ResponseSpec(description="The route's response.")


IDEMPOTENCY_KEY: Schema = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "1 to 255 visible characters that identify this request. Repeated within 24 hours, it"
    " is executed once and gets the same response.",
    "schema": {
        "type": "string",
        "pattern": r'^([!#-~]{1,255}|"([!#-\[\]-~]|\\["\\]){1,255}")$',
        "examples": ["8e03978e-40d5-43dd-bc93-6894a57f9324"],
    },
}


def operation(documented: DocumentedRoute, operation_id: str, shapes: Components) -> Schema:
    """Return the operation object of a route; `shapes` are the named schemas of the document."""
    needs = [f"Needs a credential with the scope `{scope}`." for scope in documented.route.scopes]
    described = [documented.docstring, *_describe_other_media(documented), *needs]
    body = _request_body(documented, shapes)
    parameters = [*_in_path(documented), *_in_query(documented), *_in_headers(documented)]
    return {
        "operationId": operation_id,
        "tags": [documented.tag],
        "summary": documented.summary,
        "description": "\n\n".join(described),
        "security": security(documented),
        **({"x-required-scope": documented.route.scopes[0]} if documented.route.scopes else {}),
        **({"parameters": parameters} if parameters else {}),
        **({"requestBody": body} if body else {}),
        "responses": _responses(documented, shapes),
    }


def security(documented: DocumentedRoute) -> list[Schema]:
    """Return the alternative security requirements of a route.

    A route with scopes accepts an API key. If OAuth can grant the scope, the route also accepts an access token. The
    description of a public route names the route's security schemes.
    """
    if documented.route.scopes:
        (scope, *_) = documented.route.scopes
        return [{"bearer": []}, *([{"oauth": [scope]}] if scope in GRANTABLE else [])]
    return [{proof: []} if proof else {} for proof in documented.description.security]


def _in_path(documented: DocumentedRoute) -> list[Schema]:
    declared = documented.description.path
    return [
        {"name": name, "in": "path", "required": True, **_parameter(declared.get(name))}
        for name in documented.parameters
    ]


def _in_query(documented: DocumentedRoute) -> list[Schema]:
    query = documented.query
    fields = query.fields() if query is not None else {}
    return [{"name": name, "in": "query", "required": False, **_parameter(field)} for name, field in fields.items()]


def _in_headers(documented: DocumentedRoute) -> list[Schema]:
    named = [
        {"name": name, "in": "header", "required": False, **_parameter(kind)}
        for name, kind in documented.description.headers.items()
    ]
    return [*named, *([IDEMPOTENCY_KEY] if documented.route.idempotency else [])]


def _parameter(field: Kind | None) -> Schema:
    schema = {"type": "string"} if field is None else field.schema()
    about = schema.pop("description", "")
    return {**({"description": about} if about else {}), "schema": schema}


def _request_body(documented: DocumentedRoute, shapes: Components) -> Schema | None:
    body = documented.body
    if body is None:
        # A route that the operator added may read a body without describing the body. Our own routes describe every
        # body.
        is_unknown = documented.route.reads_body and not documented.description.responses
        return {"content": {media: {"schema": {}} for media in documented.route.consumes}} if is_unknown else None
    schema = _schema_of(body)
    example: Any = {name: example_of(schema["properties"][name], shapes) for name in _example_fields(body)}
    if isinstance(body, FormList):
        schema, example = {"type": "array", "items": schema, "minItems": 1}, [example]
    media = {"schema": schema, "example": example}
    is_required = isinstance(body, Form) or not body.may_be_empty
    return {"required": is_required, "content": dict.fromkeys(_documented_media(documented), media)}


def _documented_media(documented: DocumentedRoute) -> tuple[str, ...]:
    """Return the media types of a body in the document.

    If a route accepts a form and JSON, only the form is documented, as in the OAuth RFCs, because code generators would
    create a method for each media type.
    """
    consumes = documented.route.consumes
    return (FORM,) if FORM in consumes else consumes


def _describe_other_media(documented: DocumentedRoute) -> list[str]:
    """Return a sentence for each further media type that is accepted for a body."""
    others = [media for media in documented.route.consumes if media not in _documented_media(documented)]
    return [f"The same fields may come as `{media}`." for media in others] if documented.body else []


def _schema_of(body: type[Body] | Form) -> Schema:
    least = {"minProperties": body.least} if not isinstance(body, Form) and body.least else {}
    return {
        "type": "object",
        "properties": {name: field.schema() for name, field in body.fields().items()},
        **({"required": list(body.required_fields)} if body.required_fields else {}),
        **least,
        "additionalProperties": body.others if isinstance(body, Form) else False,
    }


def _example_fields(body: type[Body] | Form) -> list[str]:
    """Return the names of the fields in an example body.

    The example of a Body contains every field. The example of a Form contains the required fields, and those optional
    fields that declare an example value.
    """
    optional = [
        name
        for name, field in body.optional_fields.items()
        if not isinstance(body, Form) or "examples" in field.schema()
    ]
    return [*body.required_fields, *optional]


def _responses(documented: DocumentedRoute, shapes: Components) -> Schema:
    successes = documented.description.responses or {200: UNDECLARED}
    more = ("Idempotency-Replayed",) if documented.route.idempotency else ()
    responses = {str(status): _response(spec, shapes, more) for status, spec in sorted(successes.items())}
    error_refs = {
        str(status): {"$ref": f"#/components/responses/{error_responses.name_of(documented, status)}"}
        for status in error_responses.statuses_of(documented)
    }
    return {**responses, **error_refs}


def _response(spec: ResponseSpec, shapes: Components, more: tuple[str, ...] = ()) -> Schema:
    named = (*error_responses.LIMITS, *spec.headers, *more)
    headers = {name: {"$ref": f"#/components/headers/{name}"} for name in named}
    response: Schema = {"description": spec.description or "Done.", "headers": headers}
    if spec.shape is not None:
        schema = spec.shape.schema()
        response["content"] = {spec.media_type: {"schema": schema, "example": example_of(schema, shapes)}}
        response["description"] = spec.description or shapes.get(schema.get("$ref", "").rpartition("/")[2], {}).get(
            "description", "Done."
        )
    elif spec is UNDECLARED:
        response["content"] = {spec.media_type: {"schema": {}}}
    return response
