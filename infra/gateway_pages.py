"""The 404 page that browsers get for unknown paths, instead of the JSON for API clients.

Gateway responses don't negotiate content, so this is a mock integration whose request template reads the headers. API
Gateway's template language is Velocity, so the page contains `#` and `$` only in API Gateway's variables.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.core import settings

ASKED = ("Accept", "accept", "Sec-Fetch-Dest", "sec-fetch-dest")
"""The headers that the template reads, in both spellings, since templates compare names case-sensitively."""
NOT_FOUND, PAGE = "404", "406"
"""The integration's internal statuses for JSON and for the page; the page's template overrides its status with 404.

API Gateway identifies an integration response by its status, so two responses can't have the same status.
"""
_AS_NOT_FOUND = f"#set($context.responseOverride.status = {NOT_FOUND})"
_STAGE = "$context.stage"
_BODIES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""The media types that the integration accepts. Requests with other types would get a 415."""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def are_wanted(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether a request comes from a browser: it requests a document or accepts HTML."""
    asked = " ".join(value for name, value in headers if name.lower() in ("accept", "sec-fetch-dest"))
    return "text/html" in asked or "document" in asked


def render(
    integration: dict[str, Any], request_headers: Iterable[tuple[str, str]], stage: str
) -> tuple[int, dict[str, str], str]:
    """Return status, headers and body of a mock integration's response in `stage`, for the local gateway.

    If several integration responses have the same status, the last one is used, as in API Gateway.
    """
    kept = {response["statusCode"]: (pattern, response) for pattern, response in integration["responses"].items()}
    by_pattern = dict(kept.values())
    chosen = PAGE if are_wanted(request_headers) else NOT_FOUND
    response = by_pattern[chosen if chosen in by_pattern else "default"]
    (template,) = response["responseTemplates"].values()
    status = NOT_FOUND if template.startswith(_AS_NOT_FOUND) else response["statusCode"]
    headers = {
        name.removeprefix("method.response.header."): value[1:-1]
        for name, value in response["responseParameters"].items()
    }
    return int(status), headers, template.removeprefix(_AS_NOT_FOUND).replace(_STAGE, stage)


def add_to(method: dict[str, Any], limits: Mapping[str, str]) -> None:
    """Add the page to a method with a mock integration. `limits` are additional headers of the page's response."""
    wanted = "".join(f" $!input.params('{name}')" for name in ASKED)
    asks = '$asked.contains("text/html") || $asked.contains("document")'
    template = f'#set($asked = "{wanted}")\n{{"statusCode": #if({asks}){PAGE}#{{else}}{NOT_FOUND}#end}}'
    integration, headers = method["x-amazon-apigateway-integration"], _HEADERS | dict(limits)
    integration["requestTemplates"] = dict.fromkeys(_BODIES, template)
    integration["responses"][PAGE] = response(PAGE, headers, {"text/html": _AS_NOT_FOUND + _page()})
    method["responses"][PAGE] = declared("not found, as a page: sent as 404", headers)


def response(status: str, headers: Mapping[str, str], templates: dict[str, str]) -> dict[str, Any]:
    """Build an integration response of the API document."""
    return {
        "statusCode": status,
        "responseParameters": {f"method.response.header.{name}": f"'{value}'" for name, value in headers.items()},
        "responseTemplates": templates,
    }


def declared(description: str, headers: Iterable[str]) -> dict[str, Any]:
    """Build a method response of the API document, which declares the headers that the integration may set."""
    return {"description": description, "headers": {name: {"type": "string"} for name in sorted(headers)}}


def _page() -> str:
    root = settings.current().public_url or f"/{_STAGE}"
    links = " ".join(
        f'<a href="{root}{path}">{label}</a>'
        for path, label in (("/", "Home"), ("/docs", "API reference"), ("/status", "Status"))
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Page not found · Latchkey</title><style>{_STYLE}</style></head><body>"
        f'<header><a href="{root}/">Latchkey</a><nav aria-label="Account"><a href="{root}/login">Log in</a> '
        f'<a href="{root}/signup">Sign up</a></nav></header><main>'
        "<h1>Page not found</h1><p>There is nothing at this address. Check it for typing mistakes.</p>"
        f'<nav aria-label="About">{links}</nav></main></body></html>'
    )


_STYLE = (
    "body{margin:0;min-height:100vh;display:grid;grid-template-rows:auto 1fr;place-items:center;"
    "background:rgb(246 247 249);color:rgb(23 27 36);font:1rem/1.55 system-ui,sans-serif}"
    "header{box-sizing:border-box;width:100%;display:flex;flex-wrap:wrap;justify-content:space-between;gap:1rem;"
    "padding:.875rem 1.5rem;border-bottom:1px solid rgb(227 230 235);background:white}"
    "header a{color:inherit;font-weight:600;text-decoration:none}"
    "main{box-sizing:border-box;width:min(26rem,100% - 2rem);padding:2rem;"
    "border:1px solid rgb(227 230 235);border-radius:12px;background:white}h1{margin:0;font-size:1.5rem}"
    "nav{display:flex;flex-wrap:wrap;gap:.5rem 1.25rem}main a{color:rgb(59 91 219)}"
    "@media (prefers-color-scheme:dark){body{background:rgb(14 16 21);color:rgb(232 234 239)}"
    "header,main{background:rgb(20 23 29);border-color:rgb(42 47 57)}main a{color:rgb(143 165 255)}}"
)
