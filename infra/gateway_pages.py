"""The page that a person is shown at a path there isn't: where a browser asks for it, instead of the JSON for programs.

Gateway responses choose no body by what is asked for, so this is a mock integration whose request template looks at the
headers (its language is Velocity's, so the page is without `#` and `$` but for the gateway's own variables).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from chalicelib.core import settings

ASKED = ("Accept", "accept", "Sec-Fetch-Dest", "sec-fetch-dest")
"""Over HTTP/2 the names of headers come in lower case, and templates read them letter by letter."""
PAGE = "406"
"""The status between the two halves of the integration that means: as a page. It is sent to nobody."""
_STAGE = "$context.stage"
_BODIES = ("application/json", "application/x-www-form-urlencoded", "multipart/form-data", "text/plain")
"""What a request may be without being refused for its media type before anything is answered."""
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def are_wanted(headers: Iterable[tuple[str, str]]) -> bool:
    """Return whether a person's browser asks: for a document, or for HTML."""
    asked = " ".join(value for name, value in headers if name.lower() in ("accept", "sec-fetch-dest"))
    return "text/html" in asked or "document" in asked


def rendered(limits: Mapping[str, str], stage: str) -> tuple[dict[str, str], str]:
    """Return headers and body of the page as the gateway would send them from `stage`, for the stand-in gateway."""
    return _HEADERS | dict(limits), _page().replace(_STAGE, stage)


def add_to(integration: dict[str, Any], limits: Mapping[str, str]) -> None:
    """Teach a mock integration to answer people with the page; `limits` are the headers of its other answer."""
    headers = "".join(f" $!input.params('{name}')" for name in ASKED)
    asks = '$asked.contains("text/html") || $asked.contains("document")'
    template = f'#set($asked = "{headers}")\n{{"statusCode": #if({asks}){PAGE}#{{else}}404#end}}'
    integration["requestTemplates"] = dict.fromkeys(_BODIES, template)
    integration["responses"][PAGE] = {
        "statusCode": "404",
        "responseParameters": {
            f"method.response.header.{name}": f"'{value}'" for name, value in (_HEADERS | dict(limits)).items()
        },
        "responseTemplates": {"text/html": _page()},
    }


def headers() -> Iterable[str]:
    """Return the names of the page's headers."""
    return _HEADERS


def _page() -> str:
    root = settings.current().public_url or f"/{_STAGE}"
    links = " ".join(
        f'<a href="{root}{path}">{label}</a>'
        for path, label in (("/", "Start"), ("/docs", "API reference"), ("/status", "Status"))
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>Page not found · Latchkey</title><style>{_STYLE}</style></head><body>"
        f'<header><a href="{root}/">Latchkey</a><nav aria-label="Account"><a href="{root}/login">Log in</a> '
        f'<a href="{root}/signup">Sign up</a></nav></header><main>'
        "<h1>Page not found.</h1><p>There is nothing at this address. Check it for typing mistakes.</p>"
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
