"""The demo utility from nothing: an empty home folder to 2,000 customers, 80 million readings, thirteen months of bills, the ledger, and every bill made again.

There is nothing to compare it with: the goals are the project's own. Installation and the compiling of kernels are not counted; making the database is.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

CUSTOMERS = 2000


def run(home: Path, *words: str) -> dict:
    """What a command of mains answers, as JSON, in a home of its own."""
    done = subprocess.run(
        [sys.executable, "-c", "import sys; from mains.cli import main; sys.exit(main())", *words, "--json"],
        env={name: value for name, value in os.environ.items() if not name.startswith("MAINS_")} | {"MAINS_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(done.stdout)


def claim(what: str, ours: float, unit: str, goal: float, *, holds: bool) -> dict:
    return {"claim": what, "ours": ours, "theirs": None, "unit": unit, "ratio": None, "goal": goal, "holds": holds}


def measure(customers: int) -> list[dict]:
    with tempfile.TemporaryDirectory(prefix="mains-demo-", ignore_cleanup_errors=True) as folder:
        home = Path(folder)
        home.chmod(0o711)  # as root, the account that runs the server passes through
        try:
            began = time.monotonic()
            made = run(home, "demo", "--no-serve", "--customers", str(customers))
            took = time.monotonic() - began
            began = time.monotonic()
            again = run(home, "demo", "--no-serve", "--customers", str(customers))
            second = time.monotonic() - began
            verified = run(home, "bills", "verify", "--all")
        finally:
            run(home, "db", "stop")
    assert again["bills"] == made["bills"]
    what = f"{made['customers']:,} customers, {made['interval_readings'] / 1e6:.1f} M readings"
    return [
        claim(f"demo from an empty home: {what}, {made['bills']:,} bills, ledger", round(took, 1), "s", 60, holds=took < 60),
        claim("a second run finds everything", round(second, 1), "s", 10, holds=second < 10),
        claim("readings on disk with their indexes, quarter hours", round(made["bytes_a_quarter_hour"], 2), "bytes a reading", 5, holds=made["bytes_a_quarter_hour"] < 5),
        claim("readings on disk with their indexes, dial reads included", round(made["bytes_a_reading"], 2), "bytes a reading", 5, holds=made["bytes_a_reading"] < 5),
        claim(f"bills made again to the byte, of {verified['bills']:,}", verified["same"], "bills", verified["bills"], holds=verified["same"] == verified["bills"]),
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--json", action="store_true", help="print the claims as JSON")
    asked.add_argument("--customers", type=int, default=CUSTOMERS)
    options = asked.parse_args()
    claims = measure(options.customers)
    if options.json:
        print(json.dumps({"claims": claims}, indent=1))
    else:
        for one in claims:
            print(f"{one['claim']}: {one['ours']} {one['unit']} (goal {one['goal']}{'' if one['holds'] else ', not held'})")


if __name__ == "__main__":
    main()
