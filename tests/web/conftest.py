"""The tests of the pages see their own folder and billing's, so that fixtures, world and town are plain modules."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
for folder in (HERE, HERE.parent / "billing"):
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
