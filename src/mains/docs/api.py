"""The operations of the JSON API as a page to read: docs/reference/api.md, from the same description that is served."""

import json
from typing import Any

from mains.docs import openapi

FILE = "docs/reference/api.md"
_BEGINNING = """# JSON API

Everything is under `/v1` and needs somebody who is known: an API key (`mains keys make NAME --login LOGIN`), sent as `Authorization: Bearer KEY`, or the session of a browser.
A key reads; with the scope `write` it may change things too. The role is that of the person who answers for the key.

* Lists come in pages by key: `{"items": […], "next": "…"}` and a `Link` header (RFC 8288). Pass `next` on as `after`; `limit` is 1 to 500.
* Instants are RFC 3339 with their offset; periods are half-open; money and exact numbers are strings; a field's unit is in its name or beside it.
* A query parameter that an operation does not know is refused.
* Every refusal is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `detail`, mostly `cure`, and `request_id`; the kinds are in [problems.md](problems.md).
* A `GET` changes nothing: its transaction is read-only. Any other operation is one transaction, finished before the answer is sent.

The exact form of every answer is in [openapi.json](openapi.json), which a server gives at `/v1/openapi.json`. Open without sign-in are `/healthz` (the process is up),
`/readyz` (the database answers and fits this version), `/sign-in`, `/static/…` and `/problems/…`.
"""


def page() -> str:
    """The reference page of all operations, by subject."""
    document: dict[str, Any] = json.loads(openapi.page())
    subjects: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for verb, operation in operations.items():
            subjects.setdefault((operation.get("tags") or ["other"])[0], []).extend(_said(verb, path, operation))
    return _BEGINNING + "".join(f"\n## {subject.capitalize()}\n\n" + "\n".join(lines) + "\n" for subject, lines in sorted(subjects.items()))


def _said(verb: str, path: str, operation: dict[str, Any]) -> list[str]:
    """One operation: what it does, what may be asked, what it answers."""
    lines = [f"### `{verb.upper()} {path}`", "", " ".join((operation.get("description") or operation["summary"]).split()), ""]
    lines += [
        f"* `{parameter['name']}`: {_form(parameter['schema'])}{', needed' if parameter.get('required') else ''}{_dot(parameter.get('description'))}"
        for parameter in operation.get("parameters", [])
        if parameter["in"] != "path" and parameter["name"] not in ("limit", "after")
    ]
    if body := operation.get("requestBody"):
        lines.append(f"* body: {', '.join(_form(content['schema']) for content in body['content'].values())}")
    for status, answer in operation["responses"].items():
        if status.startswith("2"):
            forms = [_form(content["schema"]) for content in answer.get("content", {}).values() if content.get("schema")]
            lines.append(f"* answers {status}{': ' + ', '.join(forms) if forms else ''}")
    return [*lines, ""]


def _form(schema: dict[str, Any]) -> str:
    """The form of a value in a few words.

    >>> _form({"anyOf": [{"type": "string", "format": "uuid"}, {"type": "null"}]})
    'uuid'
    """
    if "$ref" in schema:
        return f"`{schema['$ref'].rpartition('/')[2]}`"
    if "enum" in schema or "const" in schema:
        return " or ".join(f"`{value}`" for value in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(_form(part) for part in schema["anyOf"] if part.get("type") != "null")
    if schema.get("type") == "array":
        return f"list of {_form(schema.get('items', {}))}"
    return str(schema.get("format") or schema.get("type") or "any value")


def _dot(description: str | None) -> str:
    return f". {description}" if description else ""
