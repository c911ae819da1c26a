"""A DNS server on this machine whose answer changes between queries, and a resolver that queries it."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address

_A, _AAAA = 1, 28


@dataclass
class NameServer:
    """A DNS server with answers to consecutive queries. The last answer is repeated."""

    answers: list[list[str]]
    port: int = 0
    asked: list[str] = field(default_factory=list)

    def resolve(self, host: str, _port: int) -> list[str]:
        """Resolve a name with a query over UDP (RFC 1035 §4)."""
        labels = b"".join(bytes([len(label)]) + label.encode() for label in host.split("."))
        query = struct.pack(">6H", 7, 0x0100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", _A, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
            asking.settimeout(5)
            asking.sendto(query, ("127.0.0.1", self.port))
            return list(_addresses(asking.recv(4096), len(query)))

    def answer(self, query: bytes) -> bytes:
        """Return the answer to a query for any name."""
        self.asked.append(_name(query))
        addresses = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        records = b"".join(_record(ip_address(address)) for address in addresses)
        return query[:2] + struct.pack(">5H", 0x8180, 1, len(addresses), 0, 0) + query[12:] + records


@contextmanager
def run_name_server(*answers: list[str]) -> Iterator[NameServer]:
    """Run a DNS server during a `with` block."""
    server = NameServer(list(answers))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listening:
        listening.bind(("127.0.0.1", 0))
        server.port = listening.getsockname()[1]

        def serve() -> None:
            while True:
                query, asker = listening.recvfrom(4096)
                if not query:
                    return
                listening.sendto(server.answer(query), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ending:
            ending.sendto(b"", ("127.0.0.1", server.port))
        thread.join()


def _name(query: bytes) -> str:
    at, labels = 12, []
    while query[at]:
        labels.append(query[at + 1 : at + 1 + query[at]].decode())
        at += query[at] + 1
    return ".".join(labels)


def _record(address: IPv4Address | IPv6Address) -> bytes:
    kind = _A if isinstance(address, IPv4Address) else _AAAA
    # The name is a pointer to the name in the question, and a TTL of 0 forbids caching.
    return struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(address.packed)) + address.packed


def _addresses(answer: bytes, at: int) -> Iterator[str]:
    while at < len(answer):
        size = struct.unpack(">H", answer[at + 10 : at + 12])[0]
        yield str(ip_address(answer[at + 12 : at + 12 + size]))
        at += 12 + size
