"""A threaded server with a long queue of connections, and the database timeout for tests on busy machines."""

from http.server import ThreadingHTTPServer

ENGINE_TIMEOUT_S = 60
"""A long timeout, because a call that is retried after a timeout counts twice."""


class ThreadedServer(ThreadingHTTPServer):
    """A server with a thread for each connection, and a queue for simultaneous connections."""

    request_queue_size = 128
    """A long queue, because a client waits for a second if the queue is full. The default length is five."""
