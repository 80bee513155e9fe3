"""The data dictionary is what would be made from the database now, and says something of everything."""

from pathlib import Path

from schema_checks import tables

from mains.docs import dictionary

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_would_be_made_now(admin):
    assert (ROOT / dictionary.FILE).read_text(encoding="utf-8") == dictionary.page(admin)


def test_every_table_has_its_place(admin):
    page = dictionary.page(admin)
    assert [name for name in tables(admin) if f"\n### {name}\n" not in page] == []
    assert "None" not in page
