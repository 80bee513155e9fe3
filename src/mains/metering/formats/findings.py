"""Why readings were refused: every issue code of the formats with its cure, and the collector that counts them.

A code appears in docs/reference/formats.md with its cure; a test holds the two together.
"""

from collections.abc import Iterable

from mains.base.problems import Issue

MOST_PER_CODE = 1000
"""Issues of one code kept singly in one part of a file; the rest is summed in one more."""

CURES: dict[str, str] = {
    # the file as a whole
    "empty-file": "send the file again; this one holds no bytes, or nothing but blank lines",
    "unreadable-file": "check the path and the permissions, then import again",
    "unknown-format": "send one of the documented formats, or name the format; a CSV file of another layout needs a map (--map)",
    "file-too-large": "split the file: a document that has to be held whole may have 32 MiB",
    "unsupported-format": "ask for this format to be added, or export one of the supported formats",
    "wrong-encoding": "save the file as UTF-8 and import again",
    "line-too-long": "check how the file was written: no record is longer than 1 MiB",
    # archives
    "truncated-archive": "transfer the zip again in binary mode; its directory or a member is cut off or damaged",
    "encrypted-archive": "unpack it with its password and import the files inside",
    "archive-too-large": "unpack it, check what it holds, and import the files inside one by one",
    "nested-archive": "unpack the inner zip and import the files inside",
    # XML
    "xml-entities": "remove the DOCTYPE and its entities: meter data needs none, and they are a way to attack a reader",
    "malformed-xml": "transfer the file again: it is cut off or not well-formed XML",
    "unresolved-link": "give each IntervalBlock a link to a MeterReading that names its ReadingType",
    "unsupported-accumulation": "send interval deltas (accumulationBehaviour 4); dial positions and instantaneous values are not usage",
    "unknown-commodity": "name the commodity: electricity, gas or water",
    "no-local-time": "name the time zone, or put LocalTimeParameters in the file; days are cut at UTC until then",
    "unsupported-reading-type": "send energy or volume of intervals, of a stretch of time, or of a dial; other kinds of reading are not usage",
    "missing-meter": "name the meter or the usage point of each MeterReading",
    # JSON, telegrams, frames, EDIFACT
    "malformed-json": "transfer the file again: it is cut off or not well-formed JSON",
    "missing-element": "send the element: the format or the market's rules ask for it",
    "bad-position": "number the points of a period from 1 to the last, each once",
    "missing-positions": "send the points that are left out, or name them with quality A02; the readings that are there were taken",
    "bad-checksum": "transfer the file again in binary mode; what was sent is not what stands here",
    "malformed-telegram": "transfer the file again: this telegram is cut off, or a line of it is not of its form",
    "missing-time": "put the time of reading before the telegram or frame (2026-01-05T00:00:00+01:00), or let the meter send its own",
    "malformed-frame": "transfer the file again in binary mode: this frame is cut off, or its structure is broken",
    "malformed-edifact": "transfer the file again: it is cut off, or its segments are not of their form",
    "unsupported-message": "send MSCONS messages of UN/EDIFACT D.04B; others are not read here",
    "bad-map": "correct the map where it is named: docs/reference/formats.md has its members and what each may hold",
    "not-imported": "nothing to do: this part of the file is not usage and is left aside",
    # records
    "missing-header": "put the 100 record with NEM12 first",
    "truncated-file": "transfer the file again: its 900 record is missing, so its end may be too",
    "record-after-end": "split the file: nothing may follow the 900 record",
    "unknown-record": "remove the line, or repair its record indicator (100, 200, 300, 400, 500, 900; in NEM13 100, 250, 550, 900)",
    "bad-record": "repair the record: a field is missing or not of its kind",
    "orphan-record": "put the 200 record with NMI and suffix before its 300 records",
    "wrong-interval-count": "send one value for each interval of the day, as the interval length says",
    "bad-date": "write the date as the format asks, and one that the calendar has",
    "date-order": "send the days of a channel in order; they were sorted here",
    "bad-quality": "use the quality flags of the format: A, N, V, or E, F, S with a two-digit method",
    "quality-not-covered": "let the 400 records cover interval 1 to the last, in order, without gap or overlap",
    "quantity-differs": "check the quantity against the two reads; it was stored as it stands",
    "bad-period": "let a stretch of time end after it begins",
    "missing-column": "name the columns in the first line, as the layout asks",
    "missing-field": "fill the field; each row needs its meter, register, start and unit",
    "wrong-field-count": "give each row as many fields as the first line names",
    "unknown-quality": "use one of the documented quality words",
    "unknown-flow": "use delivered, received, net or total",
    "unknown-unit": "use a documented unit; convert others before sending",
    "unsupported-interval": "use an interval of whole minutes that divides the day",
    "unknown-interval": "add the column interval_minutes: the spacing of the rows does not tell it",
    # tables
    "malformed-table": "write the Parquet file again: it is cut off, damaged or encrypted",
    "unknown-column": "leave the column out; the layout names the columns that are read",
    "wrong-type": "write the column in the type that the layout names: text, whole numbers, decimals, dates, timestamps with a zone, lists of whole numbers; no floats",
    "null-value": "leave the row out, or give it a list with a null for each missing reading",
    # readings
    "missing-value": "send the value, or leave the reading out until there is one",
    "not-a-number": "write plain decimal digits with a point: no exponent, no thousands separator, no NaN",
    "negative-value": "send exported energy on a channel of its own (received), or name the flow net",
    "absurd-value": "check unit, multiplier and decimal point: no meter measures this",
    "finer-than-storable": "round to a thousandth of the base unit",
    "off-grid": "let each reading start on a multiple of its interval, counted from standard-time midnight",
    "overlapping-intervals": "send each stretch of time once, at one interval length",
    "mixed-interval-lengths": "keep one interval length in a day; change it at midnight",
    "duplicate-in-file": "nothing to do: the same reading came twice and one was kept",
    "conflicting-in-file": "send the one that is right: two different values for one interval were both refused",
    "missing-offset": "write the time with its offset (2026-07-01T00:00-05:00), or name the time zone",
    "ambiguous-local-time": "write the time with its offset: the clock shows this hour twice when summer time ends",
    "nonexistent-local-time": "write the time with its offset: the clock skips this hour when summer time begins",
    "bad-time": "write the time as 2026-07-01T00:00-05:00",
}


class Findings:
    """The issues of one part of a file, in the order found, with bounded memory however many there are."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._kept: list[Issue] = []
        self._seen: dict[str, int] = {}
        self._more: dict[str, list[int]] = {}

    def add(
        self, code: str, message: str, *, line: int | None = None, count: int = 0, field: str | None = None, severity: str = "error"
    ) -> None:
        """One issue; `count` readings are quarantined by it."""
        seen = self._seen[code] = self._seen.get(code, 0) + 1
        if seen > MOST_PER_CODE:
            places = self._more.setdefault(code, [0, 0])
            places[0] += 1
            places[1] += count
            return
        issue = Issue(code=code, message=message, cure=CURES[code], file=self.file, line=line, field=field, count=count, severity=severity)
        self._kept.append(issue)

    def add_lines(self, code: str, message: str, *, lines: Iterable[int], counts: Iterable[int]) -> None:
        """One issue for each line, `count` readings each; a line of 0 means the place is not known."""
        for line, count in zip(lines, counts, strict=True):
            self.add(code, message, line=int(line) or None, count=int(count))

    def issues(self) -> list[Issue]:
        """All of them, the summed ones last."""
        rest = [
            Issue(code=code, message=f"{places} more of the same, {count} readings in all", cure=CURES[code], file=self.file, count=count)
            for code, (places, count) in self._more.items()
        ]
        return self._kept + rest

    def quarantined(self) -> int:
        """Readings that the issues took out."""
        return sum(issue.count for issue in self._kept) + sum(count for _, count in self._more.values())
