import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def real():
    """The folder of real meter files."""
    folder = os.environ.get("MAINS_REAL_DATA")
    if not folder:
        pytest.skip("MAINS_REAL_DATA is not set: no real files to read")
    return Path(folder)
