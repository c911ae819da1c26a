"""The local server before the stand-in gateway."""

import http.client
import json
import threading

from infra.server import Server
from tests.house import House


def test_method_that_no_route_has_is_the_gateways_to_refuse(home: House) -> None:
    """Whatever it is called, even one that Python's own server has never heard of."""
    with Server(home.gateway.app, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        try:
            for method in ("TRACE", "QUERY", "BREW"):
                connection = http.client.HTTPConnection("127.0.0.1", server.server_port)
                connection.request(method, "/v1/users/me")
                answer = connection.getresponse()
                assert (answer.status, json.load(answer)["error"]) == (404, "not_found")
                connection.close()
        finally:
            server.shutdown()
