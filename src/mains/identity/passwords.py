"""Passwords: argon2id hashes, checked in equal time whether or not there is such a person, and never more than two at once (each takes 64 MiB)."""

import secrets
from functools import lru_cache
from threading import BoundedSemaphore

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from mains.base.problems import Problem

SHORTEST, LONGEST = 12, 256
"""Length of a password, in characters. Source: NIST SP 800-63B §3.1.1 (length counts, rules of composition do not)."""

_argon2id = PasswordHash((Argon2Hasher(),))
_two_at_once = BoundedSemaphore(2)


class PasswordNotAccepted(Problem):
    """The password is too short, too long, or cannot be typed."""

    status = 422


def hash_password(password: str) -> str:
    """The argon2id hash of a new password.

    Raises:
        PasswordNotAccepted: with the length that is asked.
    """
    if not SHORTEST <= len(password) <= LONGEST or not password.isprintable():
        raise PasswordNotAccepted(f"a password has {SHORTEST} to {LONGEST} characters that can be typed", cure="take four or five words that do not belong together")
    with _two_at_once:
        return _argon2id.hash(password)


def is_right(password: str, password_hash: str | None) -> bool:
    """Whether a password belongs to a hash; without a hash the same work is done and the answer is no."""
    if len(password) > LONGEST:
        return False
    known = password_hash or decoy()
    with _two_at_once:
        matches = _argon2id.verify(password, known)
    return matches and password_hash is not None


@lru_cache(maxsize=1)
def decoy() -> str:
    """A hash that no password has, made once; the server makes it before it answers anybody."""
    return _argon2id.hash(secrets.token_urlsafe(32))
