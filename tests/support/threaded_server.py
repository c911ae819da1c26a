"""A threaded server with a longer accept queue, and the timeout of the local engine, for busy machines."""

from http.server import ThreadingHTTPServer

ENGINE_TIMEOUT_S = 60
"""Long, because a call that is retried after a timeout counts twice."""


class ThreadedServer(ThreadingHTTPServer):
    """A thread for each connection, and a queue for simultaneous connections."""

    request_queue_size = 128
    """With the default of five, a connection that finds the queue full is retried a second later."""
