"""The documents hang together: every link leads somewhere, and every page is reached from its index."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
_LINK = re.compile(r"\]\(([^)\s]+)\)")


def links_of(page: Path) -> set[str]:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    return {link for link in _LINK.findall(text) if not re.match(r"[a-z]+:", link)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page):
    for link in links_of(page):
        name, _, place = link.partition("#")
        target = page if not name else (page.parent / name).resolve()
        assert target.exists(), link
        if place and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), flags=re.MULTILINE)
            assert place in {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}, link


@pytest.mark.parametrize("index", ["how-to", "explanation"])
def test_an_index_names_every_page(index):
    named = {(ROOT / "docs" / link).resolve() for link in links_of(ROOT / "docs" / f"{index}.md")}
    assert named >= {page.resolve() for page in (ROOT / "docs" / index).glob("*.md")}
