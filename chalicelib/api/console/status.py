"""The status page. It must work while the database is down, so its requests aren't counted and its view reads no
session.
"""

from chalice.app import Response

from chalicelib.api.console import render_response
from chalicelib.api.request_context import RequestContext
from chalicelib.uptime.report import NAMES, report


def show_status(context: RequestContext) -> Response:
    """Show the state of each component, its last 90 days, and incidents."""
    return render_response.plain_page(context, "status", report=report(), names=NAMES)
