"""XML read as a stream by lxml, with entities, DTDs and the network off; a DOCTYPE is refused."""

from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

from lxml import etree  # pyright: ignore[reportAttributeAccessIssue] - compiled, without stubs

from mains.metering.formats.findings import Findings


class DoctypeError(Exception):
    """The document has a DOCTYPE."""


Malformed = etree.XMLSyntaxError
"""The document is cut off or not well-formed."""


def elements(stream: BinaryIO, names: Sequence[str]) -> Iterator[tuple[str, str, Any]]:
    """Each element of the given local names, in any namespace, as (start or end, local name, element). The caller frees what it has read.

    Raises:
        DoctypeError: the document has a DOCTYPE.
        Malformed: it is not well-formed.
    """
    events = etree.iterparse(
        stream, events=("start", "end"), tag=[f"{{*}}{name}" for name in names], resolve_entities=False, load_dtd=False, no_network=True,
        huge_tree=False, remove_blank_text=True, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    is_first = True
    for event, element in events:
        if is_first:
            _refuse_doctype(element)
            is_first = False
        yield event, local(element), element
    if events.root is not None:
        _refuse_doctype(events.root)


def local(element: Any) -> str:
    """The name of an element without its namespace, or without its prefix where that was never declared."""
    return element.tag.rpartition("}")[2].rpartition(":")[2]


def child(element: Any, name: str) -> Any:
    """The first child of a local name, or None."""
    return next(element.iterchildren(f"{{*}}{name}"), None)


def text_of(element: Any, *path: str) -> str:
    """The text of the first element at a path of local names; empty where there is none."""
    for name in path:
        element = child(element, name)
        if element is None:
            return ""
    return (element.text or "").strip()


def drop_before(element: Any) -> None:
    """Empty an element and drop its earlier siblings of the same name, which have been read."""
    element.clear()
    parent, before = element.getparent(), element.getprevious()
    while parent is not None and before is not None and before.tag == element.tag:
        earlier = before.getprevious()
        parent.remove(before)
        before = earlier


def report(error: Exception, findings: Findings, count: int) -> None:
    """Say why a document was not read to its end; `count` readings are lost by it."""
    if isinstance(error, DoctypeError):
        findings.add("xml-entities", "the file has a DOCTYPE", line=1, count=count)
        return
    line = (getattr(error, "position", None) or (0, 0))[0]
    findings.add("malformed-xml", f"not well-formed: {str(error)[:200]}", line=line or None, count=count)


def _refuse_doctype(element: Any) -> None:
    if element.getroottree().docinfo.internalDTD is not None:
        raise DoctypeError
