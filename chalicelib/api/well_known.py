"""Documents for browsers, crawlers and security researchers at fixed paths, served without the database."""

from chalice.app import Response

from chalicelib.api import client_address
from chalicelib.api.request_context import RequestContext
from chalicelib.core import clock, errors, settings
from chalicelib.pages import assets

EXPIRES_AFTER_S = 180 * clock.DAY_S
"""How long security.txt is valid: less than a year, as RFC 9116 §2.5.5 recommends."""
CACHED = {"Cache-Control": "public, max-age=86400"}
TEXT = {"Content-Type": "text/plain; charset=utf-8", **CACHED}


def favicon(_exchange: RequestContext) -> Response:
    """Return the icon. Browsers request it at a fixed path if a response, such as JSON, doesn't link to an icon."""
    icon = (assets.FOLDER / "icon.svg").read_text()
    return Response(icon, headers={"Content-Type": "image/svg+xml", "X-Content-Type-Options": "nosniff", **CACHED})


def robots(_exchange: RequestContext) -> Response:
    """Return robots.txt (RFC 9309). It allows crawlers to fetch only the public pages."""
    closed = ("/admin", "/settings", "/oauth", "/device", "/password", "/verify", "/v1")
    return Response("User-agent: *\n" + "".join(f"Disallow: {path}\n" for path in closed), headers=dict(TEXT))


def security(context: RequestContext) -> Response:
    """Return security.txt, which names the contact for vulnerability reports (RFC 9116); 404 if none is configured."""
    contact = settings.current().security_contact
    if not contact:
        raise errors.NotFound("There is nothing at this path.")
    uri = contact if contact.startswith(("https:", "mailto:", "tel:")) else f"mailto:{contact}"
    expires_s = clock.now_s() + EXPIRES_AFTER_S
    midnight = clock.iso((expires_s - expires_s % clock.DAY_S) * 1000)
    here = f"{client_address.base_url(context.request)}/.well-known/security.txt"
    fields = {"Contact": uri, "Expires": midnight, "Preferred-Languages": "en", "Canonical": here}
    return Response("".join(f"{name}: {value}\n" for name, value in fields.items()), headers=dict(TEXT))


def change_password(context: RequestContext) -> Response:
    """Redirect to the page that changes a password (W3C, "A well-known URL for changing passwords")."""
    return Response(
        "",
        status_code=303,
        headers={"Location": f"{client_address.base_url(context.request)}/settings/profile", **CACHED},
    )
