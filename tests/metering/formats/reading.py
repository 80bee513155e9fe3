"""Reading bytes in a test, with the account of every reading checked."""

import io

from mains.metering.formats import parse


def read(data, **options):
    """All parts of some bytes; each must account for every reading it found."""
    parts = list(parse(io.BytesIO(data), **{"name": "input"} | options))
    for part in parts:
        assert part.accepted + part.quarantined == part.found, (part.found, part.accepted, part.quarantined, part.issues[:5])
        for channel in part.channels:
            assert len(channel.starts) == len(channel.values) == len(channel.quality) == len(channel.lines) > 0
            assert (channel.starts[1:] - channel.starts[:-1] >= channel.interval_s).all()
            assert ((channel.starts + channel.utc_offset_min * 60) % channel.interval_s == 0).all()
    return parts


def read_one(data, **options):
    parts = read(data, **options)
    assert len(parts) == 1
    return parts[0]


def codes(part):
    """{issue code: readings taken out}."""
    found = {}
    for issue in part.issues:
        found[issue.code] = found.get(issue.code, 0) + issue.count
    return found
