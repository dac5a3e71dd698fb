"""Ports that lead to a server for as long as they may: the network in front of databases, and between regions.

A lost region drops packets; what a client of it sees in the end is a refused or a reset connection (RFC 9293, 3.5.3),
and that is what it gets here at once. The port stays reserved while it is closed, so it comes back as the same one.
A delay in one direction stands for the distance between regions: what is still under way when the line is cut is lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from typing import Any

LOOPBACK = "127.0.0.1"
CHUNK_BYTES = 1 << 16
BACKLOG = 128
LATE_CHUNKS_MAX = 256
"""Chunks under way on a delayed line, 16 MiB; beyond that the sender waits, as with a full TCP window."""

ORDER_SECONDS_MAX = 10.0
"""How long opening or closing may take; it takes milliseconds unless the machine stands still."""

RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with time zero: close() sends RST instead of FIN."""


class Observation(ConnectionError):
    """The line may carry nothing any more."""


class Lines:
    """One thread that carries the bytes of every proxy of a cloud."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, name="tcp proxies", daemon=True)
        self._thread.start()

    def do(self, act: Coroutine[Any, Any, None]) -> None:
        """Carry out an order in the thread and wait until it is done."""
        asyncio.run_coroutine_threadsafe(act, self.loop).result(ORDER_SECONDS_MAX)

    def end(self) -> None:
        """Stop the thread."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(ORDER_SECONDS_MAX)
        self.loop.close()


class TcpProxy:
    """A loopback port. `may_pass` is asked before every connection and every chunk; `delay` is that of answers."""

    def __init__(self, lines: Lines, may_pass: Callable[[], bool], delay: Callable[[], float] = lambda: 0.0) -> None:
        self._lines = lines
        self._may_pass = may_pass
        self._delay = delay
        self._holder = _bound(0)
        self.port = int(self._holder.getsockname()[1])
        self._target: int | None = None
        self._listener: socket.socket | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def open(self, target_port: int) -> None:
        """Lead to this port from now on; connections to another one are reset."""
        if self._target != target_port or self._listener is None:
            self.close()
            self._lines.do(self._open(target_port))

    def close(self) -> None:
        """Refuse new connections and reset those that are open; on return nothing passes any more."""
        self._lines.do(self._close())

    def end(self) -> None:
        """Close, and give the port back."""
        self.close()
        self._holder.close()

    async def _open(self, target_port: int) -> None:
        self._target = target_port
        self._listener = _bound(self.port)
        self._listener.listen(BACKLOG)
        self._keep(self._accept(self._listener))

    async def _close(self) -> None:
        self._target = None
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._lines.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self, listener: socket.socket) -> None:
        while True:
            client, _ = await self._lines.loop.sock_accept(listener)
            client.setblocking(False)
            self._keep(self._carry(client))

    async def _carry(self, client: socket.socket) -> None:
        """One connection, both ways, until either side ends it or the line is cut."""
        server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        server.setblocking(False)
        try:
            self._check()
            await self._lines.loop.sock_connect(server, (LOOPBACK, self._target or 0))
            for each in (client, server):
                each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.TaskGroup() as ways:
                ways.create_task(self._pump(client, server))
                ways.create_task(self._pump_late(server, client))
        except* OSError:
            _reset_on_close(client, server)
        except* asyncio.CancelledError:
            _reset_on_close(client, server)
            raise
        finally:
            client.close()
            server.close()

    async def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        while data := await self._lines.loop.sock_recv(source, CHUNK_BYTES):
            self._check()
            await self._lines.loop.sock_sendall(sink, data)
        _end_writing(sink)

    async def _pump_late(self, source: socket.socket, sink: socket.socket) -> None:
        """As `_pump`, each chunk as much later as the delay says at that moment."""
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(LATE_CHUNKS_MAX)
        async with asyncio.TaskGroup() as both:
            both.create_task(self._take(source, under_way))
            both.create_task(self._give(under_way, sink))

    async def _take(self, source: socket.socket, under_way: asyncio.Queue[tuple[float, bytes]]) -> None:
        loop = self._lines.loop
        data = b"?"
        while data:
            data = await loop.sock_recv(source, CHUNK_BYTES)
            await under_way.put((loop.time() + self._delay(), data))

    async def _give(self, under_way: asyncio.Queue[tuple[float, bytes]], sink: socket.socket) -> None:
        loop = self._lines.loop
        while True:
            due, data = await under_way.get()
            if (wait := due - loop.time()) > 0:
                await asyncio.sleep(wait)
            self._check()
            if not data:
                return _end_writing(sink)
            await loop.sock_sendall(sink, data)

    def _check(self) -> None:
        if not self._may_pass():
            raise Observation("the line is cut")


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _bound(port: int) -> socket.socket:
    """A socket on the port that does not listen: it holds the port, and connections to it are refused."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setblocking(False)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind((LOOPBACK, port))
    return bound


def _end_writing(sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _reset_on_close(*connections: socket.socket) -> None:
    for each in connections:
        with contextlib.suppress(OSError):
            each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
