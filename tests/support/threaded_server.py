"""Servers in tests, on a machine that may be busy: how many may knock at one, and how long the engine is waited for."""

from http.server import ThreadingHTTPServer

ENGINE_TIMEOUT_S = 60
"""A call that is given up and sent twice would count twice."""


class ThreadedServer(ThreadingHTTPServer):
    """One thread for each connection, and room for those that come at the same time."""

    request_queue_size = 128
    """With the usual five a connection that finds no place among those that wait is made a second later."""
