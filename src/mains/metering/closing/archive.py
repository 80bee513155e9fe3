"""Months of readings as Parquet files: one a utility and month, a row a block, readable by anything that reads Parquet, and restorable to the byte.

    SELECT meter, sum(total) FROM 'town-readings-2026-03-0a1b2c3d.parquet' GROUP BY meter;                                   -- DuckDB
    SELECT meter, block_start, unnest("values") AS raw FROM 'town-readings-2026-03-0a1b2c3d.parquet';                        -- a row a reading

Rows are in order of channel and start; a value in `unit` is raw x `step`; a missing value is null; `qualities` is null where every reading of the block has `quality`.
Columns hold all that the store keeps, so versions, deliveries and fingerprints are the same after a restore. Beside the file lies a manifest with its SHA-256.
"""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from psycopg import Connection

from mains.base.db import Actor, Database
from mains.base.problems import NotFound, Problem
from mains.base.sql import Statements
from mains.metering.closing import merging, operations, packing, queries
from mains.metering.closing.operations import Progress, month_start
from mains.metering.closing.packing import Kept
from mains.metering.model import MISSING
from mains.metering.rollups.operations import Additions

_sql = Statements("mains.metering.closing", "operations.sql")
LAYOUT = "mains readings, a row a block, version 1"
_CHANNELS = 1_000
_NAMES = ("meter", "register", "commodity", "flow", "unit", "step")
SCHEMA = pa.schema(
    [
        pa.field("channel_id", pa.int64(), nullable=False),
        *(pa.field(name, pa.string()) for name in _NAMES),
        pa.field("block_start", pa.timestamp("us", "UTC"), nullable=False),
        pa.field("interval_s", pa.int32(), nullable=False),
        pa.field("utc_offset_min", pa.int16(), nullable=False),
        pa.field("version", pa.int16(), nullable=False),
        pa.field("batch_id", pa.int32(), nullable=False),
        pa.field("quality", pa.int16(), nullable=False),
        pa.field("width", pa.int8(), nullable=False),
        pa.field("n_valid", pa.int16(), nullable=False),
        pa.field("total", pa.int64(), nullable=False),
        pa.field("peak", pa.int32(), nullable=False),
        pa.field("values", pa.list_(pa.int32()), nullable=False),
        pa.field("qualities", pa.list_(pa.uint8())),
    ],
    metadata={"mains.layout": LAYOUT},
)


class NothingToArchive(NotFound):
    """There are no readings in the month."""


class ArchiveNotKnown(Problem):
    """The file is not an archive that was recorded here, or it was changed since."""

    status = 409


class ArchiveDamaged(Problem):
    """The file does not hold what its manifest says."""

    status = 422


class ArchiveConflicts(Problem):
    """Other readings stand than the archive's, or its channels are not there."""

    status = 409


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What an archive holds: `sha256` hex of the file, `readings` with values, `raw_sum` their sum; `written_at` ISO 8601."""

    layout: str
    utility: str
    month: str
    file: str
    sha256: str
    file_bytes: int
    channels: int
    blocks: int
    readings: int
    raw_sum: int
    written_at: str


# Writing -------------------------------------------------------------------------------------------------------------------------------------------------------


def archive_month(
    database: Database, actor: Actor, *, month: date | str, folder: Path, at: datetime, progress: Progress | None = None, channels_at_a_time: int = _CHANNELS
) -> Manifest:
    """Write the blocks of a UTC month, live and closed, as a Parquet file with its manifest into a folder, and record it; each channel as it stands when its turn comes.

    Raises:
        NothingToArchive: the month has no readings.
    """
    start = month_start(month)
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".{actor.utility_id}-{start:%Y-%m}.{os.getpid()}"
    counts = {"channels": 0, "blocks": 0, "readings": 0, "raw_sum": 0}
    try:
        with draft.open("wb") as file:
            _write(database, actor, start, file, counts, progress, channels_at_a_time)
            file.flush()
            os.fsync(file.fileno())
        if not counts["blocks"]:
            raise NothingToArchive(f"{start:%Y-%m} has no readings", cure="see mains readings show")
        digest = _sha256(draft)
        with database.transaction(actor=actor) as conn:
            code = queries.utility_code(conn)
        place = folder / f"{code}-readings-{start:%Y-%m}-{digest.hex()[:8]}.parquet"
        size = draft.stat().st_size
        draft.replace(place)
    finally:
        with suppress(FileNotFoundError):
            draft.unlink()
    manifest = Manifest(
        layout=LAYOUT, utility=code, month=f"{start:%Y-%m}", file=place.name, sha256=digest.hex(), file_bytes=size, written_at=at.astimezone(UTC).isoformat(), **counts
    )
    _write_manifest(place, manifest)
    recorded = {"month_start": start.date(), "location": str(place.resolve()), "sha256": digest, "file_bytes": size, "layout": LAYOUT, "written_at": at}
    with database.transaction(actor=actor) as conn:
        conn.execute(_sql.record_archive, recorded | {name: counts[name] for name in ("blocks", "readings", "raw_sum")})
    return manifest


def _write(
    database: Database, actor: Actor, month: datetime, file: Any, counts: dict[str, int], progress: Progress | None, channels_at_a_time: int
) -> None:
    """Write all row groups, some channels each."""
    lean = {"channel_id", "block_start", "version", "batch_id", "interval_s", "utc_offset_min", "quality", "width", "n_valid", "total", "peak"}
    encodings = dict.fromkeys(lean, "DELTA_BINARY_PACKED") | {"values.list.element": "BYTE_STREAM_SPLIT"}
    encodings |= {"width": "PLAIN"}
    with pq.ParquetWriter(
        file, SCHEMA, compression="zstd", compression_level=9, use_dictionary=[*_NAMES, "qualities.list.element"], column_encoding=encodings, version="2.6"  # pyright: ignore[reportArgumentType]
    ) as writer:
        after = -(2**63)
        while True:
            with database.transaction(actor=actor) as conn:
                chunk = queries.channels_in_month(conn, month, after=after, limit=channels_at_a_time)
                if not chunk:
                    return
                names = queries.channel_names(conn, chunk)
                blocks = stored_blocks(conn, chunk, month)
            after = chunk[-1]
            writer.write_table(table_of(blocks, names), row_group_size=1 << 30)
            counts["channels"] += len(chunk)
            for kept in blocks:
                counts["blocks"] += len(kept)
                counts["readings"] += int(kept.n_valid.sum(dtype=np.int64))
                counts["raw_sum"] += sum(kept.total.tolist())
            if progress:
                progress(counts["channels"], counts["readings"])


def stored_blocks(conn: Connection, channels: Sequence[int], month: datetime) -> list[Kept]:
    """Blocks of channels in a month from both tiers, written and moved by nobody until the transaction ends."""
    conn.execute(_sql.hold_month, {"month": month, "for_moving": True})
    return queries.live_blocks(conn, channels, month) + packing.unpack_rows(queries.closed_rows(conn, channels, month))


def table_of(blocks: Sequence[Kept], names: Mapping[int, Sequence[str]]) -> pa.Table:
    """Blocks as a table of `SCHEMA`, in order of channel and start; `names` are `_NAMES` by channel."""
    tables = []
    for kept in blocks:
        n, slots = kept.values.shape
        flat = kept.values.reshape(-1)
        gaps = flat == MISSING
        offsets = pa.array(np.arange(n + 1, dtype=np.int32) * slots)
        columns: dict[str, Any] = {name: pa.array([names[channel][i] for channel in kept.channel_id.tolist()], pa.string()) for i, name in enumerate(_NAMES)}
        for name in ("channel_id", "utc_offset_min", "version", "batch_id", "quality", "n_valid", "total", "peak"):
            columns[name] = pa.array(getattr(kept, name))
        columns["block_start"] = pa.array(kept.block_start * 1_000_000, pa.timestamp("us", "UTC"))
        columns["interval_s"] = pa.array(np.full(n, kept.interval_s, dtype=np.int32))
        columns["width"] = pa.array(kept.width.astype(np.int8))
        columns["values"] = pa.ListArray.from_arrays(offsets, pa.array(flat, mask=gaps if gaps.any() else None))
        columns["qualities"] = _qualities(kept)
        tables.append(pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA))
    whole = pa.concat_tables(tables)
    return whole.sort_by([("channel_id", "ascending"), ("block_start", "ascending")])


def _qualities(kept: Kept) -> pa.Array:
    """Quality of each reading of blocks of mixed quality, null for the others."""
    lengths = np.where(kept.is_mixed, kept.values.shape[1], 0)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int32)
    flat = kept.qual[kept.is_mixed].reshape(-1) if kept.is_mixed.any() else np.zeros(0, np.uint8)
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(flat), mask=pa.array(~kept.is_mixed))


def _write_manifest(place: Path, manifest: Manifest) -> None:
    """Write the manifest beside its file, in one step, and see both into the disk."""
    draft = place.with_name(f".{place.name}.json.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        json.dump(asdict(manifest), file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(manifest_place(place))
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(place.parent, os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def manifest_place(file: Path) -> Path:
    """Where the manifest of an archive lies."""
    return file.with_suffix(".json")


def _sha256(file: Path) -> bytes:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").digest()


# Reading -------------------------------------------------------------------------------------------------------------------------------------------------------


def read_archive(file: Path) -> Iterator[list[Kept]]:
    """The blocks of an archive, row group after row group, one `Kept` an interval length.

    Raises:
        ArchiveDamaged: it is no Parquet file of this layout.
    """
    try:
        opened = pq.ParquetFile(file)
        if opened.schema_arrow.names != SCHEMA.names or (opened.schema_arrow.metadata or {}).get(b"mains.layout") != LAYOUT.encode():
            raise ArchiveDamaged(f"{file} is not laid out as {LAYOUT!r}", cure="restore files that mains readings archive wrote")
        for i in range(opened.num_row_groups):
            table = opened.read_row_group(i)
            steps = table["interval_s"].to_numpy()
            yield [_kept(table.filter(pa.array(steps == step)), int(step)) for step in np.unique(steps)]
    except (pa.ArrowInvalid, OSError) as error:
        raise ArchiveDamaged(f"{file} cannot be read: {error}", cure="take another copy of the file") from error


def _kept(table: pa.Table, interval_s: int) -> Kept:
    """The rows of one interval length."""
    n, slots = len(table), 86_400 // interval_s
    values = pc.fill_null(table["values"].combine_chunks().flatten(), MISSING).to_numpy(zero_copy_only=False)
    mixed = table["qualities"].is_valid().to_numpy()
    qual = np.zeros((n, slots if mixed.any() else 0), dtype=np.uint8)
    guessed = table["qualities"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(values) != n * slots or len(guessed) != int(mixed.sum()) * slots:
        raise ArchiveDamaged(f"blocks of {interval_s} s do not have {slots} intervals each", cure="take another copy of the file")
    if mixed.any():
        qual[mixed] = guessed.reshape(-1, slots)
    plain = {name: table[name].to_numpy() for name in ("channel_id", "utc_offset_min", "version", "batch_id", "quality")}
    start = table["block_start"].cast(pa.int64()).to_numpy() // 1_000_000
    return Kept(
        interval_s=interval_s, block_start=start, width=table["width"].to_numpy().astype(np.int16), is_mixed=mixed,
        values=values.astype(np.int32).reshape(n, slots), qual=qual, **plain,
    )  # fmt: skip


def verify_archive(database: Database, actor: Actor, file: Path, *, sha256: str | None = None) -> Manifest:
    """Hold a file against what was recorded of it: its hash, and its counts and sums by its values. `sha256` (hex) stands in where this database has no record.

    Raises:
        ArchiveNotKnown: the hash is not that of an archive recorded here, nor the one given.
        ArchiveDamaged: the counts or sums are others.
    """
    if not file.is_file():
        raise ArchiveNotKnown(f"{file} is not there", cure="name a .parquet file that mains readings archive wrote")
    digest = _sha256(file)
    with database.transaction(actor=actor) as conn:
        recorded = queries.archive_of_hash(conn, digest)
        code = queries.utility_code(conn)
    if recorded is None and (sha256 or "").lower() != digest.hex():
        raise ArchiveNotKnown(
            f"{file} has the SHA-256 {digest.hex()}, which no archive of this utility has: it was changed, or it comes from elsewhere",
            cure="take another copy; for another database give the hash that you kept of it with --sha256",
        )
    counts = {"channels": 0, "blocks": 0, "readings": 0, "raw_sum": 0}
    months = set()
    for blocks in read_archive(file):
        counts["channels"] += len(set().union(*(set(kept.channel_id.tolist()) for kept in blocks)))
        for kept in blocks:
            counts["blocks"] += len(kept)
            counts["readings"] += int(kept.n_valid.sum(dtype=np.int64))
            counts["raw_sum"] += sum(kept.total.tolist())
            months |= {f"{queries.month_of(datetime.fromtimestamp(int(at), UTC))[0]:%Y-%m}" for at in (kept.block_start.min(), kept.block_start.max())}
    said = None if recorded is None else (f"{recorded['month_start']:%Y-%m}", recorded["blocks"], recorded["readings"], int(recorded["raw_sum"]))
    month = months.pop() if len(months) == 1 else ""
    if not month or (said and said != (month, counts["blocks"], counts["readings"], counts["raw_sum"])):
        raise ArchiveDamaged(f"{file} does not hold what was recorded of it", cure="take another copy of the file")
    at = recorded["written_at"] if recorded else datetime.fromtimestamp(file.stat().st_mtime, UTC)
    return Manifest(layout=LAYOUT, utility=code, month=month, file=file.name, sha256=digest.hex(), file_bytes=file.stat().st_size, written_at=at.isoformat(), **counts)


# Back, and out -------------------------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """What a restore brought back, and how many channels had the same readings already.

    `merged` days had readings since, and have the archived ones as their older version now; `left` days have intervals of another length, and stay as they are.
    """

    month: str
    channels: int
    blocks: int
    readings: int
    already_there: int
    merged: int = 0
    left: int = 0


def restore_archive(database: Database, actor: Actor, file: Path, *, at: datetime, sha256: str | None = None, progress: Progress | None = None) -> Restored:
    """Bring the blocks of an archive back with their versions, deliveries and qualities; again does what is left. `at` is now.

    Channels without readings in the month get closed rows, those with the same ones stay as they are, and for others see `merging.bring_back`.

    Raises:
        ArchiveNotKnown, ArchiveDamaged: see `verify_archive`; nothing was restored.
        ArchiveConflicts: channels are not there; what was restored before them stays.
    """
    manifest = verify_archive(database, actor, file, sha256=sha256)
    month, digest = month_start(manifest.month), bytes.fromhex(manifest.sha256)
    with database.transaction(actor=actor) as conn:
        source = merging.Source(file=file.name, sha256=digest, month=month, at=at, is_summed=queries.archive_of_hash(conn, digest) is not None)
    counts: dict[str, int] = dict.fromkeys(("channels", "blocks", "readings", "already_there", "merged", "left"), 0)
    for parts in read_archive(file):
        for name, count in _restore_some(database, actor, parts, source).items():
            counts[name] += count
        if progress:
            progress(counts["channels"] + counts["already_there"], counts["readings"])
    with database.transaction(actor=actor) as conn:
        conn.execute(_sql.note_restored, {"month_start": month.date(), "sha256": digest})
    return Restored(month=manifest.month, **counts)


def _restore_some(database: Database, actor: Actor, parts: Sequence[Kept], source: merging.Source) -> dict[str, int]:
    """Bring some channels back in one transaction; what became of them by the names of `Restored`."""
    wanted = digests(parts)
    with database.transaction(actor=actor) as conn:
        _refuse_unknown(source.file, wanted, set(queries.channel_names(conn, list(wanted))))
        stored = digests(stored_blocks(conn, list(wanted), source.month))
        missing = [kept.where(~np.isin(kept.channel_id, list(stored))) for kept in parts]
        rows = [row for kept in missing for row in packing.pack(kept, cuts=queries.cuts(conn, [kept], source.month))]
        operations.insert_closed(conn, rows)
        if rows and not source.is_summed:
            added = Additions(utility_id=actor.utility_id)
            for kept in missing:
                added.add_packed(conn, packing.as_packed(kept))
            added.post(conn)
        other = [channel for channel, digest in stored.items() if wanted[channel] != digest]
        beside = [kept for kept in (each.where(np.isin(each.channel_id, other)) for each in parts) if len(kept)]
        back = merging.bring_back(conn, beside, source, utility_id=actor.utility_id) if beside else merging.Outcome(channels=set())
    came = len(wanted) - len(stored) + len(back.channels)
    blocks, readings = sum(row.days for row in rows) + back.blocks, sum(row.n_valid for row in rows) + back.readings
    return {"channels": came, "blocks": blocks, "readings": readings, "already_there": len(wanted) - came, "merged": back.merged, "left": back.left}


def _refuse_unknown(file: str, wanted: dict[int, bytes], known: set[int]) -> None:
    """Refuse channels that are not there."""
    if unknown := sorted(set(wanted) - known):
        raise ArchiveConflicts(f"{file}: {len(unknown)} channels are not here, the first is {unknown[0]}", cure="register the channels under their keys, then restore again")


def _refuse_conflicts(file: Path, wanted: dict[int, bytes], stored: dict[int, bytes]) -> None:
    """Refuse channels that have other readings."""
    if other := sorted(channel for channel, digest in stored.items() if wanted[channel] != digest):
        raise ArchiveConflicts(
            f"{file.name}: {len(other)} channels have other readings in this month than the archive, the first is {other[0]}", cure="what is stored stands; see mains readings show"
        )


def remove_archived(database: Database, actor: Actor, file: Path, *, progress: Progress | None = None) -> int:
    """Take a closed month out of the database once the archive is seen to hold every block of it, to the byte; how many rows went.

    Bills of the month cannot be verified and its readings not be read until it is restored.

    Raises:
        ArchiveNotKnown, ArchiveDamaged: see `verify_archive`; nothing was removed.
        ArchiveConflicts: the month has live readings, or others than the archive; what was removed before them can be restored.
    """
    manifest = verify_archive(database, actor, file)
    month, digest = month_start(manifest.month), bytes.fromhex(manifest.sha256)
    with database.transaction(actor=actor) as conn:
        if queries.channels_with_blocks(conn, month, after=-(2**63), limit=1):
            raise ArchiveConflicts(f"{manifest.month} has live readings", cure=f"close it first: mains readings close --month {manifest.month}; then archive it again")
    removed = done = 0
    for parts in read_archive(file):
        wanted = digests(parts)
        with database.transaction(actor=actor) as conn:
            stored = digests(stored_blocks(conn, list(wanted), month))
            _refuse_conflicts(file, wanted, stored)
            row = conn.execute(_sql.remove_archived, {"channels": list(stored), "month": month, "sha256": digest}).fetchone()
            if row and row[0]:
                conn.execute(_sql.note_removed, {"sha256": digest})
        removed += row[0] if row else 0
        done += len(wanted)
        if progress:
            progress(done, 0)
    return removed


def digests(blocks: Sequence[Kept]) -> dict[int, bytes]:
    """SHA-256 by channel over all that is kept of its blocks, in order of interval length and time."""
    hashes: dict[int, Any] = {}
    for kept in sorted(blocks, key=lambda each: each.interval_s):
        ordered = kept.where(np.lexsort((kept.block_start, kept.channel_id)))
        names = ("block_start", "utc_offset_min", "version", "batch_id", "quality", "width", "is_mixed", "values")
        firsts = np.flatnonzero(np.diff(ordered.channel_id, prepend=ordered.channel_id[0] - 1 if len(ordered) else 0))
        for first, end in zip(firsts.tolist(), [*firsts.tolist()[1:], len(ordered)], strict=True):
            found = hashes.setdefault(int(ordered.channel_id[first]), hashlib.sha256())
            found.update(kept.interval_s.to_bytes(4))
            for name in names:
                found.update(np.ascontiguousarray(getattr(ordered, name)[first:end]).tobytes())
            found.update(ordered.qual[first:end][ordered.is_mixed[first:end]].tobytes())
    return {channel: found.digest() for channel, found in hashes.items()}
