"""Security headers of every page, with its Content-Security-Policy."""

FORMS_STAY, FORMS_MAY_LEAVE = " form-action 'self';", ""
"""The `form-action` directive of a page.

Chrome applies `form-action` to every redirect after a form, including redirects by an OAuth client that can't be known
in advance. Pages whose form redirects to a client therefore omit the directive.
"""


def of_page(forms: str, *, secure: bool) -> dict[str, str]:
    """Return the headers of every page."""
    policy = (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; base-uri 'none';"
        f"{forms} frame-ancestors 'none'"
    )
    headers = {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": policy,
        "Referrer-Policy": "same-origin",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }
    if secure:
        headers["Strict-Transport-Security"] = "max-age=63072000; includeSubDomains"
    return headers
