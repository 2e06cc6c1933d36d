"""The tests' own network does what its methods say."""

import socket
import socketserver
import threading
import time
from collections.abc import Iterator

import pytest

from tests.faults.proxy import Net, Proxy


class Echo(socketserver.BaseRequestHandler):
    """Says what it is told, after the server's name."""

    def handle(self) -> None:
        while said := self.request.recv(65_536):
            self.request.sendall(self.server.name + said)  # type: ignore[attr-defined]


class Server(socketserver.ThreadingTCPServer):
    daemon_threads = allow_reuse_address = True

    def __init__(self, name: bytes = b"") -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.name = name
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Server() as server, Proxy(server.address) as made:
        yield made
        server.shutdown()


def connect(proxy: Proxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def ask(connection: socket.socket, said: bytes) -> bytes:
    connection.sendall(said)
    heard = b""
    while len(heard) < len(said):
        if not (piece := connection.recv(65_536)):
            raise ConnectionResetError
        heard += piece
    return heard


def test_bytes_go_through_unchanged_both_ways(proxy: Proxy) -> None:
    said = bytes(range(256)) * 4_000
    with connect(proxy) as one, connect(proxy) as other:
        assert ask(one, said) == said
        assert ask(other, b"x") == b"x"


def test_a_cut_ends_connections_and_refuses_new_ones_until_it_is_restored(proxy: Proxy) -> None:
    with connect(proxy) as before:
        assert ask(before, b"x") == b"x"
        proxy.cut()
        with pytest.raises(ConnectionError):
            ask(before, b"x")
        with pytest.raises(ConnectionError), connect(proxy) as during:
            ask(during, b"x")
    proxy.restore()
    with connect(proxy) as after:
        assert ask(after, b"x") == b"x"


def test_a_hole_says_nothing_and_gives_back_what_it_took(proxy: Proxy) -> None:
    with connect(proxy) as before, connect(proxy) as during:
        assert ask(before, b"x") == b"x"
        proxy.hole()
        for each in (before, during):
            each.settimeout(0.2)
            with pytest.raises(TimeoutError):
                ask(each, b"held")
            each.settimeout(5)
        proxy.restore()
        for each in (before, during):
            assert each.recv(10) == b"held"


def test_delay_and_throttle_take_their_time(proxy: Proxy) -> None:
    with connect(proxy) as connection:
        proxy.delay(0.1)
        began = time.monotonic()
        assert ask(connection, b"x") == b"x"
        assert time.monotonic() - began >= 0.2
        proxy.restore()
        proxy.throttle(1_000)
        began = time.monotonic()
        ask(connection, b"x" * 100)
        assert time.monotonic() - began >= 0.2


def test_redirected_connections_reach_somebody_else() -> None:
    with Server(b"") as one, Server(b"2") as two, Proxy(one.address) as proxy:
        with connect(proxy) as before:
            assert ask(before, b"x") == b"x"
            proxy.redirect(two.address)
            with pytest.raises(ConnectionError):
                ask(before, b"x")
        with connect(proxy) as after:
            assert ask(after, b"x").startswith(b"2")
        one.shutdown()
        two.shutdown()


def test_in_a_process_of_its_own_it_does_the_same() -> None:
    with Server(b"") as one, Server(b"2") as two, Net(one.address) as net:
        with socket.create_connection(("127.0.0.1", net.port), timeout=5) as connection:
            assert ask(connection, b"x") == b"x"
            net.delay(0.1)
            began = time.monotonic()
            ask(connection, b"x")
            assert time.monotonic() - began >= 0.2
            net.restore()
            net.throttle(1e9)
            net.hole()
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                ask(connection, b"held")
            net.restore()
            net.cut()
            with pytest.raises(ConnectionError):
                ask(connection, b"x")
        net.restore()
        net.redirect(two.address)
        with socket.create_connection(("127.0.0.1", net.port), timeout=5) as connection:
            assert ask(connection, b"x").startswith(b"2")
        net.close()
        with pytest.raises(ConnectionError):
            socket.create_connection(("127.0.0.1", net.port), timeout=5)
        one.shutdown()
        two.shutdown()
