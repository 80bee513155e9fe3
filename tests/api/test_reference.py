"""The committed pages say what the code says."""

from pathlib import Path

import pytest

from mains.docs import api, openapi, problems

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("module", [api, openapi, problems], ids=["api", "openapi", "problems"])
def test_the_committed_page_is_current(module):
    assert (ROOT / module.FILE).read_text(encoding="utf-8") == module.page(), f"{module.FILE} is out of date: make docs"
