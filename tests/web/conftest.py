"""The tests of the pages see their own folder, so that fixtures and world are plain modules."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
