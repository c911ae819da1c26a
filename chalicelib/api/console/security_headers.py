"""The headers of every page: what it may load, where its forms may lead, who may frame it."""

FORMS_STAY, FORMS_MAY_LEAVE = " form-action 'self';", ""
"""What a page's policy says of its forms.

Chrome applies `form-action` to every redirect that follows a form, also to those of the client that a person is sent
back to, and nobody can list these beforehand. So the pages from which a form may lead there have no such directive.
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
