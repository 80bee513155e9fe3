"""Secrets that machines carry: session tokens, API keys, sign-in links. Each has 256 random bits; the database keeps only its SHA-256."""

import re
import secrets
from dataclasses import dataclass, field
from hashlib import sha256

_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")
_KEY = re.compile(r"[a-z2-7]{8}\.[A-Za-z0-9_-]{43}")
_LETTERS = "abcdefghijklmnopqrstuvwxyz234567"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A new secret: the text that is shown once, and the digest that is kept. The text stays out of `repr` and so out of logs."""

    text: str = field(repr=False)
    digest: bytes


def digest(text: str) -> bytes:
    """What is kept of a secret: SHA-256, 32 bytes. A fast hash is enough for 256 random bits."""
    return sha256(text.encode()).digest()


def new_token() -> Token:
    """A session token or the secret of a sign-in link: 43 characters that an address or a cookie can hold."""
    text = secrets.token_urlsafe(32)
    return Token(text=text, digest=digest(text))


def new_key() -> Token:
    """An API key: eight characters to recognise it by, a dot, and 43 random ones."""
    text = "".join(secrets.choice(_LETTERS) for _ in range(8)) + "." + secrets.token_urlsafe(32)
    return Token(text=text, digest=digest(text))


def is_token(text: str) -> bool:
    """Whether a text has the form of a token; what has not is never looked up.

    >>> is_token("x" * 43), is_token("x" * 42), is_token("é" * 43)
    (True, False, False)
    """
    return _TOKEN.fullmatch(text) is not None


def is_key(text: str) -> bool:
    """Whether a text has the form of an API key."""
    return _KEY.fullmatch(text) is not None
