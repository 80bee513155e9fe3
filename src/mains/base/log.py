"""The log, on stderr: one JSON object a line for machines, one plain line for a person at a terminal.

It names requests, people by key and places in the code; never tokens, addresses with secrets, or what a message may quote of a person.
"""

import logging
import sys
import traceback

import structlog


def configure_log(level: str = "info") -> None:
    """Write lines from this level on, our own and those of the libraries: JSON, or plain where stderr is a terminal."""
    last = structlog.dev.ConsoleRenderer(pad_event_to=0) if sys.stderr.isatty() else structlog.processors.JSONRenderer(ensure_ascii=False)
    shared = [structlog.contextvars.merge_contextvars, structlog.stdlib.add_log_level, structlog.processors.TimeStamper(fmt="iso", utc=True)]
    structlog.configure(
        processors=[*shared, last],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_: structlog.WriteLogger(sys.stderr),  # the stderr of the moment: what it was may have been closed since
        cache_logger_on_first_use=False,
    )
    foreign = logging.StreamHandler(sys.stderr)
    foreign.setFormatter(structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, last],
    ))
    logging.basicConfig(handlers=[foreign], level=level.upper(), force=True)


def facts_of(error: BaseException) -> dict[str, object]:
    """What may be logged of an error: its kind, the database's code and constraint, and where it came from; not its message, which may quote a person's data."""
    diagnosis = getattr(error, "diag", None)
    frames = [f"{frame.filename.rpartition('/mains/')[2]}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)]
    facts = {
        "error": type(error).__qualname__,
        "sqlstate": getattr(error, "sqlstate", None),
        "constraint": getattr(diagnosis, "constraint_name", None),
        "table": getattr(diagnosis, "table_name", None),
        "cause": type(error.__cause__).__qualname__ if error.__cause__ else None,
        "frames": frames[-12:],
    }
    return {key: value for key, value in facts.items() if value is not None}
