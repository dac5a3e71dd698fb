"""The network in front of databases: what a lost region cuts off at once, and what never arrives.

If a byte passes after the loss, a row is acknowledged that no other region will ever have.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from pilotlight.local.wire.tcp_proxy import Lines, TcpProxy


@pytest.fixture
def echo() -> Iterator[int]:
    """The port of a server that sends back what it gets."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_send_back, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    yield listener.getsockname()[1]
    listener.close()


def _send_back(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        while data := connection.recv(65536):
            connection.sendall(data)


@pytest.fixture
def lines() -> Iterator[Lines]:
    started = Lines()
    yield started
    started.end()


def dial(proxy: TcpProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), timeout=5)


def test_a_line_carries_everything_both_ways(lines: Lines, echo: int) -> None:
    proxy = TcpProxy(lines, lambda: True)
    proxy.open(echo)
    sent = os.urandom(3_000_000)
    with dial(proxy) as connection, dial(proxy) as second:
        second.sendall(b"other")
        got = bytearray()

        threading.Thread(target=connection.sendall, args=(sent,), daemon=True).start()
        while len(got) < len(sent):
            got += connection.recv(65536)
        assert bytes(got) == sent
        assert second.recv(10) == b"other"
    proxy.end()


def test_a_cut_line_resets_connections_refuses_new_ones_and_comes_back_on_its_port(lines: Lines, echo: int) -> None:
    proxy = TcpProxy(lines, lambda: True)
    proxy.open(echo)
    connection = dial(proxy)
    connection.sendall(b"x")
    assert connection.recv(1) == b"x"
    proxy.close()
    with pytest.raises(ConnectionResetError):
        connection.recv(1)
    with pytest.raises(ConnectionRefusedError):
        dial(proxy)
    port = proxy.port
    proxy.open(echo)
    with dial(proxy) as again:
        again.sendall(b"y")
        assert again.recv(1) == b"y"
    assert proxy.port == port
    proxy.end()


def test_nothing_passes_from_the_moment_of_the_loss_even_before_the_line_is_closed(lines: Lines, echo: int) -> None:
    light = [True]
    proxy = TcpProxy(lines, lambda: light[0])
    proxy.open(echo)
    with dial(proxy) as connection:
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        light[0] = False
        connection.sendall(b"lost")
        with pytest.raises(ConnectionResetError):
            connection.recv(4)
    proxy.end()


def test_what_is_under_way_when_a_long_line_is_cut_never_arrives(lines: Lines, echo: int) -> None:
    proxy = TcpProxy(lines, lambda: True, delay=lambda: 0.3)
    proxy.open(echo)
    with dial(proxy) as connection:
        begin = time.monotonic()
        connection.sendall(b"x")
        assert connection.recv(1) == b"x"
        assert time.monotonic() - begin >= 0.3
        connection.sendall(b"lost")
        time.sleep(0.05)
        proxy.close()
        with pytest.raises(ConnectionResetError):
            connection.recv(4)
    proxy.end()
