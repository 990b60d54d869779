"""What PostgreSQL stores of a password, so that the password itself is never sent to it."""

import base64
import hashlib
import hmac
import os

ITERATIONS = 4096
"""PostgreSQL's own default."""

_SALT_BYTES = 16


def is_plain(password: str) -> bool:
    """Return whether a password is visible ASCII: clients prepare others in different ways."""
    return password.isascii() and password.isprintable()


def scram_verifier(password: str) -> str:
    """Return the SCRAM-SHA-256 verifier of a plain password, which a statement may contain."""
    salt = os.urandom(_SALT_BYTES)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, ITERATIONS)
    client_key, server_key = (_mac(salted, word) for word in (b"Client Key", b"Server Key"))
    stored_key = hashlib.sha256(client_key).digest()
    return f"SCRAM-SHA-256${ITERATIONS}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _mac(key: bytes, word: bytes) -> bytes:
    return hmac.new(key, word, hashlib.sha256).digest()


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode()
