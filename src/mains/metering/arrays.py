"""Columns of numbers to the database and back as they are: numpy arrays in PostgreSQL's binary array format, without a Python number in between.

The format is that of `array_send` (header of dimensions, flag of nulls, element type, length and lower bound; then each element with its length before it, big-endian).
"""

import struct

import numpy as np
from numpy.typing import NDArray
from psycopg import Cursor
from psycopg.abc import Buffer
from psycopg.adapt import Dumper, Loader
from psycopg.pq import Format

_HEAD = struct.Struct(">iiIii")
_INT2, _INT4, _INT8 = 21, 23, 20
_ARRAYS = {1005: ">i2", 1007: ">i4", 1016: ">i8", 1185: ">i8"}
"""Array types that come back as columns; instants as microseconds from 2000-01-01 UTC."""


class SmallInts:
    """A column of smallint to send."""

    def __init__(self, values: NDArray[np.integer]) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.int16)


class Ints:
    """A column of integer to send."""

    def __init__(self, values: NDArray[np.integer]) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.int32)


class BigInts:
    """A column of bigint to send."""

    def __init__(self, values: NDArray[np.integer]) -> None:
        self.values = np.ascontiguousarray(values, dtype=np.int64)


class Instants:
    """A column of timestamptz to send, from epoch seconds."""

    def __init__(self, epoch_s: NDArray[np.integer]) -> None:
        self.values = (np.asarray(epoch_s, dtype=np.int64) - EPOCH_2000) * 1_000_000


EPOCH_2000 = 946_684_800
"""Epoch seconds of the instant from which PostgreSQL counts."""


class _Column(Dumper):
    format = Format.BINARY
    element = 0

    def dump(self, obj: "SmallInts | Ints | BigInts | Instants") -> Buffer:
        """The column as one array value."""
        values = obj.values
        rows = np.empty(len(values), dtype=[("length", ">i4"), ("value", values.dtype.newbyteorder(">"))])
        rows["length"], rows["value"] = values.dtype.itemsize, values
        return _HEAD.pack(1, 0, self.element, len(values), 1) + rows.tobytes()


class _SmallIntColumn(_Column):
    oid, element = 1005, _INT2


class _IntColumn(_Column):
    oid, element = 1007, _INT4


class _BigIntColumn(_Column):
    oid, element = 1016, _INT8


class _InstantColumn(_Column):
    oid, element = 1185, 1184


class _FromArray(Loader):
    format = Format.BINARY
    kind = ">i8"

    def load(self, data: Buffer) -> NDArray[np.generic]:
        """The elements of a one-dimensional array without nulls, in this machine's order of bytes."""
        raw = bytes(data)
        kind = np.dtype(_ARRAYS[self.oid])
        if len(raw) <= 12:
            return np.empty(0, dtype=kind.newbyteorder("="))
        rows = np.frombuffer(raw, dtype=[("length", ">i4"), ("value", kind)], offset=_HEAD.size)
        return rows["value"].astype(kind.newbyteorder("="))


def of_columns(cursor: Cursor) -> Cursor:
    """A cursor that takes the columns of this module as arguments and gives arrays of numbers back as numpy arrays; it must be binary for the latter."""
    for column, dumper in ((SmallInts, _SmallIntColumn), (Ints, _IntColumn), (BigInts, _BigIntColumn), (Instants, _InstantColumn)):
        cursor.adapters.register_dumper(column, dumper)
    for oid in _ARRAYS:
        cursor.adapters.register_loader(oid, _FromArray)
    return cursor
