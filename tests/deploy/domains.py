"""Custom domains of API Gateway, where moto lacks calls that Chalice makes or accepts calls that AWS rejects.

- moto separates the domains of its two API versions. Chalice creates domains with version 1 and reads them with
  version 2.
- moto can't change a domain or its tags, and can't list the base paths of a domain that has none.
- moto maps a base path to a second API, and deletes an API that a domain is mapped to.
- moto creates no nested base path. API Gateway's version 2 creates such paths, and version 1 then rejects the domain.
"""

import json
import re
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from moto.apigateway.models import APIGatewayBackend, BasePathMapping, DomainName, apigateway_backends

Json = dict[str, Any]
DOMAIN = re.compile(r"(?:/v2)?/domainnames/([^/]+)(?:/(basepathmappings|apimappings)(?:/([^/]+))?)?$")


class Answer(NamedTuple):
    """Status and body of a response, with the name of the error if it is an error."""

    status: str
    body: Json
    error: str = ""


def supplied(account: str, region: str, method: str, path: str, asked: str, body: bytes) -> Answer | None:
    """Return the response to a call that moto lacks or handles differently, or None for any other call."""
    backend = apigateway_backends[account][region]
    if path.startswith("/v2/tags/"):
        return _tagged(backend.domain_names[path.rpartition("/")[2]], method, asked, body)
    if method == "DELETE" and path.startswith("/restapis/"):
        return _refusal(backend, path.split("/")[2])
    found = DOMAIN.match(path)
    domain = backend.domain_names.get(found[1]) if found else None
    if found is None or domain is None:
        return None
    mappings = backend.base_path_mappings.setdefault(domain.domain_name, {})
    if found[2] == "apimappings":
        return _mapped(mappings, method, domain.domain_name, found[3], body)
    match method, path.startswith("/v2"), found[2]:
        case "GET" | "DELETE", False, "basepathmappings" if any("/" in each for each in mappings):
            why = "The domain name has a mapping of several parts. Use the API of version 2."
            return _error("400 Bad Request", "BadRequestException", why)
        case "DELETE", True, None:
            del backend.domain_names[domain.domain_name], backend.base_path_mappings[domain.domain_name]
            return Answer("204 No Content", {})
        case "PATCH", False, None:
            return _changed(domain, json.loads(body)["patchOperations"])
        case "POST", False, "basepathmappings" if json.loads(body)["basePath"] in mappings:
            return _error("409 Conflict", "ConflictException", "Base path already exists for this domain name")
    return None


def _tagged(domain: DomainName, method: str, asked: str, body: bytes) -> Answer:
    """Return the response of API version 2 to a call about tags."""
    removed = {value for name, value in parse_qsl(asked) if name == "tagKeys"} if method == "DELETE" else set()
    added = json.loads(body)["tags"] if method == "POST" else {}
    domain.tags = {name: value for name, value in (domain.tags or {}).items() if name not in removed} | added
    return Answer("204 No Content" if method == "DELETE" else "200 OK", {"tags": domain.tags})


def _mapped(mappings: dict[str, BasePathMapping], method: str, domain: str, mapping: str | None, body: bytes) -> Answer:
    """Return the response of API version 2 to a call about mappings."""
    if method == "GET":
        return Answer("200 OK", {"items": [_newer(each) for each in mappings.values()]})
    if method == "DELETE":
        del mappings[bytes.fromhex(str(mapping)).decode()]
        return Answer("204 No Content", {})
    asked = json.loads(body)
    key = asked["apiMappingKey"]
    mappings[key] = BasePathMapping(domain, asked["apiId"], basePath=key, stage=asked["stage"])
    return Answer("201 Created", _newer(mappings[key]))


def _newer(mapping: BasePathMapping) -> Json:
    """Return a mapping in the format of API version 2."""
    path = mapping.base_path
    key = "" if path == "(none)" else path
    return {"apiMappingId": path.encode().hex(), "apiMappingKey": key, "apiId": mapping.rest_api_id, "stage": "api"}


def _refusal(backend: APIGatewayBackend, api: str) -> Answer | None:
    leading = [
        name
        for name, mappings in backend.base_path_mappings.items()
        if api in [mapping.rest_api_id for mapping in mappings.values()]
    ]
    if not leading:
        return None
    why = f"Please remove all base path mappings related to the RestApi in your domains: {', '.join(leading)}"
    return _error("400 Bad Request", "BadRequestException", f"Deleting RestApi {api} failed. {why}")


def _changed(domain: DomainName, operations: list[Json]) -> Answer:
    for each in operations:
        assert each["op"] == "replace"
        setattr(domain, re.sub(r"(?<!^)(?=[A-Z])", "_", each["path"].lstrip("/")).lower(), each["value"])
    return Answer("200 OK", domain.to_json())


def _error(status: str, name: str, message: str) -> Answer:
    return Answer(status, {"message": message}, name)
