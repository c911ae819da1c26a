"""The API reference as pages show it, built from the OpenAPI document."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chalicelib.pages import curl_examples, schema_labels

Schema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, or a field of a body or a schema."""

    name: str
    kind: str
    about: str
    required: bool
    example: str


@dataclass(frozen=True, slots=True)
class Response:
    """A status with which the API can respond to an operation."""

    status: str
    about: str
    schemas: tuple[str, ...]
    """The names of the schemas of the response's body."""
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the API."""

    id: str
    method: str
    path: str
    summary: str
    more: str
    """The description without the summary; "" if there is no more."""
    needs: str
    """The required authentication, as text."""
    takes_key: bool
    in_path: tuple[Row, ...]
    in_query: tuple[Row, ...]
    in_headers: tuple[Row, ...]
    media: str
    """The first media type of the request body; "" if there is no body."""
    fields: tuple[Row, ...]
    body: str
    """An example of the request body."""
    responses: tuple[Response, ...]
    errors: tuple[Response, ...]
    curl: str

    @property
    def can_be_tried(self) -> bool:
        """Return whether a page can send the request. A page can send requests with an API key or without
        authentication, but not with OAuth or a signature.
        """
        return self.takes_key or self.needs == NONE


@dataclass(frozen=True, slots=True)
class Tag:
    """A group of operations."""

    name: str
    about: str
    operations: tuple[Operation, ...]

    @property
    def id(self) -> str:
        """Return the HTML id of the tag's heading."""
        return f"tag-{self.name.lower().replace(' ', '-')}"


@dataclass(frozen=True, slots=True)
class NamedSchema:
    """A named schema and its fields."""

    name: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """The whole reference, in order."""

    introduction: tuple[str, ...]
    tags: tuple[Tag, ...]
    schemas: tuple[NamedSchema, ...]
    errors: tuple[Schema, ...]
    scopes: tuple[Schema, ...]
    event_types: tuple[Schema, ...]
    tiers: tuple[Schema, ...]
    headers: tuple[Row, ...]


NONE = "none"
_NEEDS = {
    "client": "client ID and secret, by HTTP Basic or in the body; a public client sends only its ID",
    "registration": "the client's registration access token, as Bearer",
    "sender": "a signature of the body, in the headers below, by GitHub or a sender with the shared secret",
    "initial": "none, or the operator's initial access token, as Bearer, where registration isn't open",
}


def outline(document: Schema) -> Outline:
    """Return the outline of a document."""
    return Outline(
        introduction=tuple(" ".join(part.split()) for part in document["info"]["description"].split("\n\n")),
        tags=tuple(
            Tag(tag["name"], tag["description"], tuple(_operations_of(document, tag["name"])))
            for tag in document["tags"]
        ),
        schemas=tuple(
            NamedSchema(name, schema["description"], _rows(schema))
            for name, schema in document["components"]["schemas"].items()
        ),
        errors=tuple(document["x-errors"]),
        scopes=tuple(document["x-scopes"]),
        event_types=tuple(document["x-event-types"]),
        tiers=tuple(document["x-tiers"]),
        headers=tuple(
            Row(name, schema_labels.kind_of(header["schema"]), header["description"], header["required"], "")
            for name, header in document["components"]["headers"].items()
        ),
    )


def _operations_of(document: Schema, tag: str) -> Iterator[Operation]:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if tag in operation["tags"]:
                yield _operation(document, method.upper(), path, operation)


def _operation(document: Schema, method: str, path: str, described: Schema) -> Operation:
    content: Schema = described.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    body: Schema = content.get(media, {})
    responses = [_response(document, status, response) for status, response in described["responses"].items()]
    example = body.get("example")
    parameters = described.get("parameters", [])
    in_path = tuple(_parameter(each) for each in parameters if each["in"] == "path")
    needs, flags = _needs(described)
    return Operation(
        id=described["operationId"],
        method=method,
        path=path,
        summary=described["summary"],
        more=_more(described),
        needs=needs,
        takes_key="bearer" in _schemes(described),
        in_path=in_path,
        in_query=tuple(_parameter(each) for each in parameters if each["in"] == "query"),
        in_headers=tuple(_parameter(each) for each in parameters if each["in"] == "header"),
        media=media,
        fields=_rows(_one_of(body.get("schema", {}))),
        body="" if example is None else _json(example),
        responses=tuple(response for response in responses if response.status < "400"),
        errors=tuple(response for response in responses if response.status >= "400"),
        curl=curl_examples.command(document["servers"][0]["url"] + _fill(path, in_path), method, flags, media, example),
    )


def _one_of(schema: Schema) -> Schema:
    """Return the schema of a body. If the body is a list, return the schema of its items."""
    each: Schema = schema.get("items", schema)
    return each


def _schemes(described: Schema) -> list[str]:
    return [name for choice in described["security"] for name in choice]


def _needs(described: Schema) -> tuple[str, str]:
    """Return the required authentication as text, and the flags with which curl sends it."""
    schemes = _schemes(described)
    if "bearer" in schemes:
        token = " or access token" if "oauth" in schemes else ""
        return f"API key{token} with the scope `{described['x-required-scope']}`", '-H "Authorization: Bearer $API_KEY"'
    if "client" in schemes:
        return _NEEDS["client"], '-u "$CLIENT_ID:$CLIENT_SECRET"'
    if "sender" in schemes:
        return _NEEDS["sender"], '-H "Latchkey-Timestamp: $TIMESTAMP" -H "Latchkey-Signature: v1=$SIGNATURE"'
    if "initial" in schemes:
        return _NEEDS["initial"], ""
    if "registration" in schemes:
        return _NEEDS["registration"], '-H "Authorization: Bearer $REGISTRATION_TOKEN"'
    return NONE, ""


def _more(described: Schema) -> str:
    """Return the description without the summary and without a last paragraph about the required scope."""
    text = described["description"].removeprefix(described["summary"]).lstrip(". \n")
    paragraphs = [paragraph for paragraph in text.split("\n\n") if paragraph]
    scope = described.get("x-required-scope")
    if scope and paragraphs and f"`{scope}`" in paragraphs[-1]:
        del paragraphs[-1]
    return "\n\n".join(paragraphs)


def _parameter(parameter: Schema) -> Row:
    schema = parameter["schema"]
    example = str(schema.get("examples", [schema.get("default", "")])[0])
    return Row(
        parameter["name"],
        schema_labels.kind_of(schema),
        parameter.get("description", ""),
        parameter["required"],
        example,
    )


def _rows(schema: Schema) -> tuple[Row, ...]:
    required = schema.get("required", [])
    return tuple(
        Row(name, schema_labels.kind_of(field), field.get("description", ""), name in required, "")
        for name, field in schema.get("properties", {}).items()
    )


def _response(document: Schema, status: str, response: Schema) -> Response:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    media: Schema = next(iter(response.get("content", {}).values()), {})
    named = [each["value"] for each in media.get("examples", {}).values()]
    example = media.get("example", named[0] if named else None)
    schemas = tuple(schema_labels.schemas_of(media.get("schema", {})))
    return Response(status, response["description"], schemas, _json(example) if example else "")


def _json(example: Any) -> str:
    return json.dumps(example, indent=2, ensure_ascii=False)


def _fill(path: str, rows: tuple[Row, ...]) -> str:
    for row in rows:
        path = path.replace(f"{{{row.name}}}", row.example or f"{{{row.name}}}")
    return path
