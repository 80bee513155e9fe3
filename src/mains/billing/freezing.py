"""What a bill was made from and what it says, as hashes: the proof that it can be made again, byte for byte."""

import hashlib
import json
from typing import Any

from mains.billing.model import ENGINE_VERSION, Draft, Service


def frozen_segments(service: Service) -> list[dict[str, str]]:
    """The segments ready for JSON."""
    return [
        {
            "rate_version_id": str(s.rate_version_id),
            "document_sha256": s.document_sha256,
            "from_date": s.from_date.isoformat(),
            "to_date": s.to_date.isoformat(),
        }
        for s in service.segments
    ]


def input_hash(draft: Draft) -> bytes:
    """SHA-256 over everything the bill was made from; 32 bytes."""
    service = draft.service
    whole: dict[str, Any] = {
        "account": str(service.account_id),
        "commodity": service.commodity,
        "timezone": service.timezone,
        "from": service.from_date.isoformat(),
        "to": service.to_date.isoformat(),
        "purpose": service.purpose,
        "revision": service.revision,
        "segments": frozen_segments(service),
        "channels": draft.frozen_channels,
        "engine": ENGINE_VERSION,
    }
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).digest()


def output_hash(draft: Draft) -> bytes:
    """SHA-256 over the lines and the total; 32 bytes."""
    text = "\x1e".join([*(line.canonical() for line in draft.lines), f"total\x1f{draft.total}\x1f{draft.currency}"])
    return hashlib.sha256(text.encode()).digest()
