"""Readings as an Arrow stream or a Parquet file: the long layout, sorted by channel and start, values as exact decimals."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import IO, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from mains.metering.exporting.csv_layout import QUALITY_NAMES
from mains.metering.exporting.selecting import Stretch
from mains.metering.exporting.spans import Span, TooPreciseToExport, mantissa_and_power
from mains.metering.model import MISSING, Quality

PRECISION = 28
_LARGEST_FACTOR = 2**32
_NAMES = pa.dictionary(pa.int32(), pa.string())


def schema(stretches: Sequence[Stretch]) -> Any:
    """The columns, with as many decimals as the finest channel has; a missing reading is null."""
    scale = max((max(-mantissa_and_power(each.channel.step)[1], 0) for each in stretches), default=0)
    fields = [
        ("meter", _NAMES), ("register", _NAMES), ("start", pa.timestamp("us", "UTC")), ("value", pa.decimal128(PRECISION, scale)), ("unit", _NAMES),
        ("quality", _NAMES), ("interval_s", pa.int32()), ("utc_offset_min", pa.int16()), ("commodity", _NAMES), ("flow", _NAMES),
    ]  # fmt: skip
    return pa.schema([pa.field(name, kind, nullable=name == "value") for name, kind in fields])


def batches(found: Iterable[Span], columns: Any) -> Iterator[Any]:
    """A record batch a span."""
    for span in found:
        channel, n = span.stretch.channel, len(span.starts)
        words = sorted({QUALITY_NAMES[Quality(each)] for each in np.unique(span.quality).tolist()})
        code = np.zeros(256, dtype=np.int32)
        for each in np.unique(span.quality).tolist():
            code[each] = words.index(QUALITY_NAMES[Quality(each)])
        arrays = {
            "meter": _same(channel.meter_number, n), "register": _same(channel.register, n), "start": pa.array(span.starts * 1_000_000).cast(pa.timestamp("us", "UTC")),
            "value": _decimals(span, columns.field("value").type), "unit": _same(channel.unit, n),
            "quality": pa.DictionaryArray.from_arrays(pa.array(code[span.quality]), pa.array(words)), "interval_s": pa.array(np.full(n, span.interval_s, dtype=np.int32)),
            "utc_offset_min": pa.array(np.full(n, channel.utc_offset_min, dtype=np.int16)), "commodity": _same(channel.commodity, n), "flow": _same(channel.flow, n),
        }  # fmt: skip
        yield pa.RecordBatch.from_arrays([arrays[name] for name in columns.names], schema=columns)


def write_parquet(file: IO[bytes], found: Iterable[Span], columns: Any) -> int:
    """Write a Parquet file (zstd); how many readings have a value."""
    count = 0
    with pq.ParquetWriter(file, columns, compression="zstd", store_decimal_as_integer=False) as writer:
        for batch in batches(found, columns):
            writer.write_batch(batch)
            count += len(batch) - batch.column("value").null_count
    return count


def arrow_pieces(found: Iterable[Span], columns: Any) -> Iterator[tuple[bytes, int]]:
    """The bytes of an Arrow IPC stream, and how many readings with a value each piece holds."""
    sink = _Sink()
    with pa.ipc.new_stream(sink, columns, options=pa.ipc.IpcWriteOptions(emit_dictionary_deltas=False)) as writer:
        yield sink.taken(), 0
        for batch in batches(found, columns):
            writer.write_batch(batch)
            yield sink.taken(), len(batch) - batch.column("value").null_count
    yield sink.taken(), 0


class _Sink:
    """Bytes written since they were last taken."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: Any) -> int:
        """Take a piece."""
        self._pieces.append(bytes(piece))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Nothing waits here."""

    def writable(self) -> bool:
        """Yes."""
        return True

    def readable(self) -> bool:
        """No."""
        return False

    def seekable(self) -> bool:
        """No."""
        return False

    def close(self) -> None:
        """Nothing to let go."""

    def taken(self) -> bytes:
        """What came since."""
        whole, self._pieces = b"".join(self._pieces), []
        return whole


def _same(text: str, n: int) -> Any:
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, dtype=np.int32)), pa.array([text]))


def _decimals(span: Span, kind: Any) -> Any:
    """Values in the channel's unit as decimals, null where they are missing."""
    step = span.stretch.channel.step
    factor = step * Decimal(10) ** kind.scale
    if factor != int(factor) or factor >= _LARGEST_FACTOR:
        raise TooPreciseToExport(f"channel {span.stretch.channel.channel_id} counts steps of {step}, which a decimal of {PRECISION} digits does not hold", cure="export it as CSV")
    is_missing = span.values == MISSING
    words = np.empty((len(span.values), 2), dtype="<i8")
    words[:, 0] = np.where(is_missing, 0, span.values.astype(np.int64) * int(factor))
    words[:, 1] = words[:, 0] >> 63
    bits = np.packbits(~is_missing, bitorder="little").tobytes() if is_missing.any() else None
    return pa.Array.from_buffers(kind, len(span.values), [None if bits is None else pa.py_buffer(bits), pa.py_buffer(words.tobytes())])
