"""Loopback addresses for instances and load balancers: blocks of 127.a.b.0/24 that no other cloud on this machine uses.

All of 127.0.0.0/8 is loopback on Linux (RFC 1122, 3.2.1.3). A block is reserved for as long as the cloud runs by
holding a socket bound to its first address, so two clouds side by side never share one.
"""

from __future__ import annotations

import random
import socket
import threading

LOCK_PORT = 47_127
"""Bound on 127.a.b.1 while the block is held; below Linux's ephemeral ports' upper end, above the privileged ones."""

BLOCK_TRIES_MAX = 200
"""Blocks tried before giving up; there are about 64,000."""

LAST_HOST = 254


class Addresses:
    """Hands out each address once."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = random.Random(rng.random())
        self._locks: list[socket.socket] = []
        self._prefix = ""
        self._next = LAST_HOST + 1
        self._guard = threading.Lock()

    def take(self) -> str:
        """A fresh address."""
        with self._guard:
            if self._next > LAST_HOST:
                self._prefix = self._reserve()
                self._next = 2
            self._next += 1
            return f"{self._prefix}.{self._next - 1}"

    def close(self) -> None:
        """Give the blocks back."""
        for lock in self._locks:
            lock.close()

    def _reserve(self) -> str:
        for _ in range(BLOCK_TRIES_MAX):
            prefix = f"127.{self._rng.randint(1, 254)}.{self._rng.randint(1, 254)}"
            lock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                lock.bind((f"{prefix}.1", LOCK_PORT))
                lock.listen(1)
            except OSError:
                lock.close()
                continue
            self._locks.append(lock)
            return prefix
        raise OSError(f"no free block of loopback addresses after {BLOCK_TRIES_MAX} tries")
