"""Secrets at rest: AES-256-GCM with a key from a passphrase, in the form of Pulumi's passphrase provider.

Pulumi, `sdk/go/common/resource/config/crypt.go`: PBKDF2-HMAC-SHA256 with 1,000,000 rounds; a secret is
`v1:<nonce>:<ciphertext>` in base64, and the state keeps the salt with a known text encrypted, to check a passphrase.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
from functools import cache
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from pilotlight.engine.values import MARK, SECRET, marked
from pilotlight.runtime.errors import PassphraseWrong

ROUNDS = 1_000_000
SALT_BYTES = 8
NONCE_BYTES = 12
KNOWN = "pulumi"


class Secrets:
    """Encrypts and decrypts for one stack."""

    def __init__(self, passphrase: str, salt: str | None, stack: str) -> None:
        self._passphrase, self._stack = passphrase, stack
        raw = base64.b64decode(salt.split(":")[1]) if salt else _salt(passphrase)
        self._key = AESGCM(_key(passphrase, raw))
        if salt:
            self._check(salt)
        self.salt = salt or f"v1:{base64.b64encode(raw).decode()}:{self.encrypt(KNOWN)}"

    def _check(self, salt: str) -> None:
        if self.decrypt(salt.split(":", 2)[2]) != KNOWN:
            raise PassphraseWrong(stack=self._stack)

    def encrypt(self, text: str) -> str:
        """Never the same twice for the same text."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._key.encrypt(nonce, text.encode(), None)
        return f"v1:{base64.b64encode(nonce).decode()}:{base64.b64encode(sealed).decode()}"

    def decrypt(self, text: str) -> str:
        """The inverse; a wrong passphrase or a changed text is PassphraseWrong."""
        try:
            _, nonce, sealed = text.split(":")
            return self._key.decrypt(base64.b64decode(nonce), base64.b64decode(sealed), None).decode()
        except (InvalidTag, ValueError) as problem:
            raise PassphraseWrong(stack=self._stack) from problem

    def seal(self, value: Any) -> Any:
        """Every secret inside as ciphertext."""
        if marked(value, SECRET) and "value" in value:
            return {MARK: SECRET, "ciphertext": self.encrypt(json.dumps(value["value"]))}
        if isinstance(value, dict):
            return {key: self.seal(item) for key, item in value.items()}
        return [self.seal(item) for item in value] if isinstance(value, list) else value

    def unseal(self, value: Any) -> Any:
        """The inverse of `seal`."""
        if marked(value, SECRET) and "ciphertext" in value:
            return {MARK: SECRET, "value": json.loads(self.decrypt(value["ciphertext"]))}
        if isinstance(value, dict):
            return {key: self.unseal(item) for key, item in value.items()}
        return [self.unseal(item) for item in value] if isinstance(value, list) else value


@cache
def _key(passphrase: str, salt: bytes) -> bytes:
    return hashlib.pbkdf2_hmac("sha256", passphrase.encode(), salt, ROUNDS, 32)


@cache
def _salt(passphrase: str) -> bytes:
    """The stacks that one command makes share a salt: each key costs a million rounds, now and in every command."""
    return os.urandom(SALT_BYTES)
