"""Fetch the front end's few third-party files with the npm client, keep what is served, lock name, version, file, sha256, licence.

python scripts/vendor_web.py           fetch into src/mains/web/static/vendor and rewrite vendor.lock
python scripts/vendor_web.py --check   only compare the files that are there with the lock
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).resolve().parent.parent / "src/mains/web/static/vendor"
LOCK = VENDOR / "vendor.lock"
KEPT = {
    ("htmx.org", "4.0.1"): {"package/dist/htmx.min.js": "htmx.min.js", "package/LICENSE": "htmx.LICENSE"},
    ("uplot", "1.6.32"): {
        "package/dist/uPlot.iife.min.js": "uplot.min.js",
        "package/dist/uPlot.min.css": "uplot.min.css",
        "package/LICENSE": "uplot.LICENSE",
    },
    ("@fontsource-variable/inter", "5.3.0"): {
        "package/files/inter-latin-wght-normal.woff2": "inter-latin.woff2",
        "package/LICENSE": "inter.LICENSE",
    },
}
"""(package, version) → {file in its tarball: file served here}."""


def fetch(name: str, version: str, files: dict[str, str]) -> list[dict[str, str]]:
    """Unpack the kept files of one package; the lock entries of what was written."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--json", f"{name}@{version}"]
        packed = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)  # noqa: S603 - fixed words
        described = json.loads(packed.stdout)
        tarball = Path(folder) / next(iter(described if isinstance(described, list) else described.values()))["filename"]
        with tarfile.open(tarball) as tar:
            licence = json.loads(_read(tar, "package/package.json"))["license"]
            return [
                _write(target, _read(tar, source)) | {"name": name, "version": version, "licence": licence}
                for source, target in files.items()
            ]


def _read(tar: tarfile.TarFile, member: str) -> bytes:
    opened = tar.extractfile(member)
    if opened is None:
        raise SystemExit(f"{member} is not a file of the tarball")
    return opened.read()


def _write(target: str, content: bytes) -> dict[str, str]:
    kept = (
        b"\n".join(line for line in content.split(b"\n") if not line.startswith(b"//# sourceMappingURL"))
        if target.endswith(".js")
        else content
    )
    (VENDOR / target).write_bytes(kept)
    return {"file": target, "sha256": hashlib.sha256(kept).hexdigest()}


def differences() -> list[str]:
    """What differs between the lock and the folder, one sentence each."""
    locked = {entry["file"]: entry["sha256"] for entry in json.loads(LOCK.read_text())}
    there = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in VENDOR.iterdir() if path != LOCK}
    return [
        f"{name}: {'not locked' if name not in locked else 'missing' if name not in there else 'changed'}"
        for name in sorted(locked.keys() | there.keys())
        if locked.get(name) != there.get(name)
    ]


def main() -> int:
    """Fetch, or check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare the files with the lock, fetch nothing")
    if not parser.parse_args().check:
        VENDOR.mkdir(parents=True, exist_ok=True)
        entries = [entry for (name, version), files in KEPT.items() for entry in fetch(name, version, files)]
        LOCK.write_text(json.dumps([dict(sorted(entry.items())) for entry in entries], indent=2) + "\n")
    found = differences()
    sys.stderr.writelines(line + "\n" for line in found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
