"""Chance that can be repeated: one source a thing, named by the seed, what it is and its number, so that no draw depends on another thing's
draws.
"""

from collections.abc import Sequence
from hashlib import sha256
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray


def chance(seed: int, *name: object) -> Random:
    """A source of pseudo-random numbers for one named thing.

    >>> chance(7, "customer", 1).random() == chance(7, "customer", 1).random() != chance(7, "customer", 2).random()
    True
    """
    return Random("\x1f".join(map(str, (seed, *name))))  # noqa: S311 - a demo wants repeatable numbers, not secret ones


def stream_key(seed: int, *name: object) -> int:
    """A 64-bit start for the interval kernel's own generator; same naming as `chance`."""
    return int.from_bytes(sha256("\x1f".join(map(str, (seed, *name))).encode()).digest()[:8])


def uniforms(key: int, count: int) -> NDArray[np.float64]:
    """The first `count` numbers in [0, 1) of the SplitMix64 stream that starts at `key`: the interval kernel's generator, whole series at
    once.
    """
    with np.errstate(over="ignore"):
        mixed = np.uint64(key) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 9007199254740992.0


def pick(source: Random, options: Sequence[tuple[Any, ...]]) -> tuple[Any, ...]:
    """One of the options, each with its share (they add up to one) in second place."""
    draw = source.random()
    for option in options:
        draw -= option[1]
        if draw < 0:
            return option
    return options[-1]
