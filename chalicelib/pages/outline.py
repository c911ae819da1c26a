"""The reference in the order in which people read it: made from the OpenAPI document."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from chalicelib.pages import schema_labels

Schema = dict[str, Any]
FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True, slots=True)
class Row:
    """A parameter, or a field of a body or a shape."""

    name: str
    kind: str
    about: str
    required: bool
    example: str


@dataclass(frozen=True, slots=True)
class Reply:
    """One status that a request may be answered with."""

    status: str
    about: str
    shapes: tuple[str, ...]
    """The names of what is in its body."""
    example: str


@dataclass(frozen=True, slots=True)
class Operation:
    """One request that can be made."""

    id: str
    method: str
    path: str
    summary: str
    more: str
    """What its description says beyond the summary, "" for nothing."""
    needs: str
    """What it takes to be let in, in words."""
    takes_key: bool
    in_path: tuple[Row, ...]
    in_query: tuple[Row, ...]
    in_headers: tuple[Row, ...]
    media: str
    """The first media type of its body, "" without one."""
    fields: tuple[Row, ...]
    body: str
    """An example of its body."""
    replies: tuple[Reply, ...]
    refusals: tuple[Reply, ...]
    curl: str

    @property
    def can_be_tried(self) -> bool:
        """Tell whether a key, or nothing, is all that it takes: for signing, and for OAuth, one has programs."""
        return self.takes_key or self.needs == NOTHING


@dataclass(frozen=True, slots=True)
class Tag:
    """What belongs together."""

    name: str
    about: str
    operations: tuple[Operation, ...]

    @property
    def id(self) -> str:
        """Return where it stands on the page."""
        return f"tag-{self.name.lower().replace(' ', '-')}"


@dataclass(frozen=True, slots=True)
class Shape:
    """A named shape and its fields."""

    name: str
    about: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class Outline:
    """Everything, in order."""

    introduction: tuple[str, ...]
    tags: tuple[Tag, ...]
    shapes: tuple[Shape, ...]
    errors: tuple[Schema, ...]
    scopes: tuple[Schema, ...]
    event_types: tuple[Schema, ...]
    tiers: tuple[Schema, ...]
    headers: tuple[Row, ...]


NOTHING = "nothing: it is open to anyone"
_NEEDS = {
    "client": "the client's id and secret, by HTTP Basic or in the body; a public client's id alone",
    "registration": "the client's registration token as Bearer",
    "sender": "a signature of the body, in the headers below: GitHub's, or that of a sender who holds our secret",
    "initial": "nothing, or the owner's initial token as Bearer where registration isn't open",
}


def outline(document: Schema) -> Outline:
    """Return the outline of a document."""
    return Outline(
        introduction=tuple(" ".join(part.split()) for part in document["info"]["description"].split("\n\n")),
        tags=tuple(
            Tag(tag["name"], tag["description"], tuple(_operations_of(document, tag["name"])))
            for tag in document["tags"]
        ),
        shapes=tuple(
            Shape(name, shape["description"], _rows(shape)) for name, shape in document["components"]["schemas"].items()
        ),
        errors=tuple(document["x-errors"]),
        scopes=tuple(document["x-scopes"]),
        event_types=tuple(document["x-event-types"]),
        tiers=tuple(document["x-tiers"]),
        headers=tuple(
            Row(name, schema_labels.kind_of(told["schema"]), told["description"], told["required"], "")
            for name, told in document["components"]["headers"].items()
        ),
    )


def _operations_of(document: Schema, tag: str) -> Iterator[Operation]:
    for path, operations in document["paths"].items():
        for method, told in operations.items():
            if tag in told["tags"]:
                yield _operation(document, method.upper(), path, told)


def _operation(document: Schema, method: str, path: str, told: Schema) -> Operation:
    content: Schema = told.get("requestBody", {}).get("content", {})
    media = next(iter(content), "")
    body: Schema = content.get(media, {})
    replies = [_reply(document, status, response) for status, response in told["responses"].items()]
    example = body.get("example")
    parameters = told.get("parameters", [])
    in_path = tuple(_parameter(each) for each in parameters if each["in"] == "path")
    needs, flags = _needs(told)
    return Operation(
        id=told["operationId"],
        method=method,
        path=path,
        summary=told["summary"],
        more=_beyond(told["description"], told["summary"]),
        needs=needs,
        takes_key="bearer" in _schemes(told),
        in_path=in_path,
        in_query=tuple(_parameter(each) for each in parameters if each["in"] == "query"),
        in_headers=tuple(_parameter(each) for each in parameters if each["in"] == "header"),
        media=media,
        fields=_rows(_one_of(body.get("schema", {}))),
        body="" if example is None else json.dumps(example, indent=2, ensure_ascii=False),
        replies=tuple(reply for reply in replies if reply.status < "400"),
        refusals=tuple(reply for reply in replies if reply.status >= "400"),
        curl=_curl(document["servers"][0]["url"] + _filled(path, in_path), method, flags, media, example),
    )


def _one_of(schema: Schema) -> Schema:
    """Return what a body is, or what each is that it lists."""
    each: Schema = schema.get("items", schema)
    return each


def _schemes(told: Schema) -> list[str]:
    return [name for choice in told["security"] for name in choice]


def _needs(told: Schema) -> tuple[str, str]:
    """Return what an operation needs in words, and how curl is given it."""
    schemes = _schemes(told)
    if "bearer" in schemes:
        token = " or an access token" if "oauth" in schemes else ""
        return f"an API key{token} with the scope `{told['x-required-scope']}`", '-H "Authorization: Bearer $API_KEY"'
    if "client" in schemes:
        return _NEEDS["client"], '-u "$CLIENT_ID:$CLIENT_SECRET"'
    if "sender" in schemes:
        return _NEEDS["sender"], '-H "Latchkey-Timestamp: $TIMESTAMP" -H "Latchkey-Signature: v1=$SIGNATURE"'
    if "initial" in schemes:
        return _NEEDS["initial"], ""
    if "registration" in schemes:
        return _NEEDS["registration"], '-H "Authorization: Bearer $REGISTRATION_TOKEN"'
    return NOTHING, ""


def _beyond(description: str, summary: str) -> str:
    """Return what a description says that the summary and the line about scopes don't."""
    whole = description.removeprefix(summary).lstrip(". \n")
    return "\n\n".join(part for part in whole.split("\n\n") if part and not part.startswith("Needs a credential"))


def _parameter(told: Schema) -> Row:
    schema = told["schema"]
    example = str(schema.get("examples", [schema.get("default", "")])[0])
    return Row(told["name"], schema_labels.kind_of(schema), told.get("description", ""), told["required"], example)


def _rows(schema: Schema) -> tuple[Row, ...]:
    required = schema.get("required", [])
    return tuple(
        Row(name, schema_labels.kind_of(field), field.get("description", ""), name in required, "")
        for name, field in schema.get("properties", {}).items()
    )


def _reply(document: Schema, status: str, response: Schema) -> Reply:
    if "$ref" in response:
        response = document["components"]["responses"][response["$ref"].rpartition("/")[2]]
    media: Schema = next(iter(response.get("content", {}).values()), {})
    shown = [media["example"]] if "example" in media else [each["value"] for each in media.get("examples", {}).values()]
    example = "\n".join(json.dumps(each, indent=2, ensure_ascii=False) for each in shown[:1] if each)
    return Reply(status, response["description"], tuple(schema_labels.shapes_of(media.get("schema", {}))), example)


def _filled(path: str, rows: tuple[Row, ...]) -> str:
    for row in rows:
        path = path.replace(f"{{{row.name}}}", row.example or f"{{{row.name}}}")
    return path


def _curl(url: str, method: str, flags: str, media: str, example: Any) -> str:
    lines = [f'curl {"" if method == "GET" else f"-X {method} "}"{url}"']
    if flags:
        lines.append(flags)
    if example and media == FORM:
        lines.append(f"-d '{urlencode(_plain(example))}'")
    elif example:
        told = json.dumps(example, ensure_ascii=False).replace("'", "'\\''")
        lines += [f'-H "Content-Type: {media}"', f"-d '{told}'"]
    return " \\\n  ".join(lines)


def _plain(example: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in example.items() if isinstance(value, str)}
