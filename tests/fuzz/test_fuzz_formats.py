"""Every parser against mutated files: a few thousand in the suite, libFuzzer in the nightly set, each in a process whose memory is limited."""

import os
import re
import subprocess
import sys
from pathlib import Path

import fuzz_inputs
import pytest
from fuzz_inputs import KINDS, SEEDS, check_map
from hypothesis import given, settings
from hypothesis import strategies as st

HERE = Path(__file__).resolve().parent
SUITE_INPUTS = 1500
MEMORY_MIB = 4096
"""Address space of a fuzzing process; the compiled kernels alone map some 1.5 GiB of it."""

NIGHTLY_S = int(os.environ.get("MAINS_FUZZ_SECONDS", "60"))
"""Seconds of libFuzzer for each parser in the nightly set."""

NIGHTLY_INPUTS = 1_000_000


@pytest.mark.parametrize("kinds", [KINDS[::2], KINDS[1::2]], ids="+".join)
def test_thousands_of_mutated_files_are_read_or_refused_and_every_reading_is_accounted_for(kinds):
    found = subprocess.run(
        [sys.executable, str(HERE / "fuzz_inputs.py"), str(MEMORY_MIB), str(SUITE_INPUTS), *kinds], capture_output=True, text=True, timeout=300, check=False
    )
    assert found.returncode == 0, found.stderr[-3000:]
    counts = dict(line.split() for line in found.stdout.splitlines())
    assert set(counts) == set(kinds)
    assert all(int(count) > 0 for count in counts.values())


@settings(max_examples=300, deadline=None)
@given(st.sampled_from([kind for kind in KINDS if kind != "csv_mapped"]), st.binary(max_size=300), st.integers(0, 2000))
def test_bytes_spliced_into_a_valid_file_never_raise(kind, spliced, at):
    for seed in SEEDS[kind]:
        fuzz_inputs.check(kind, seed[:at] + spliced + seed[at:])


members = st.sampled_from((*fuzz_inputs.MAP.decode().replace(":", " ").split(), "wide", "first", "multiplier"))
plain = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
maps = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=6), max_leaves=20)


@settings(max_examples=300, deadline=None)
@given(maps)
def test_any_map_is_used_or_refused_with_its_faults(data):
    import yaml

    check_map(yaml.safe_dump(data, allow_unicode=True).encode())


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [*KINDS, "map"])
def test_libfuzzer_finds_nothing(kind, tmp_path):
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS.get(kind, [fuzz_inputs.MAP, fuzz_inputs.WIDE_MAP])):
        (corpus / str(number)).write_bytes(seed)
    options = [f"-max_total_time={NIGHTLY_S}", f"-runs={NIGHTLY_INPUTS // len(KINDS)}", f"-rss_limit_mb={MEMORY_MIB // 2}", "-timeout=20", "-max_len=20000", "-print_final_stats=1"]
    found = subprocess.run(
        [sys.executable, str(HERE / "atheris_target.py"), kind, *options, f"-artifact_prefix={tmp_path}/", str(corpus)],
        capture_output=True, text=True, timeout=NIGHTLY_S + 300, check=False, cwd=HERE,
    )  # fmt: skip
    assert found.returncode == 0, (found.stdout[-2000:], found.stderr[-3000:])
    done = re.search(r"Done (\d+) runs in (\d+) second", found.stderr)
    assert done is not None, found.stderr[-2000:]
    print(f"{kind}: {int(done[1]):,} inputs in {done[2]} s")
    assert int(done[1]) > len(SEEDS.get(kind, []))
