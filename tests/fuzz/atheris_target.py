"""One parser under libFuzzer: `python tests/fuzz/atheris_target.py PARSER [libFuzzer options]`; `map` fuzzes the maps of CSV layouts.

The Python code of the parser is instrumented, so that the fuzzer sees which branches an input takes; what numba compiled is not. Seeds are those of
`fuzz_inputs`. Inputs reach the parser in turn as they are and with their checksums made right.
"""

import sys

import atheris
import fuzz_inputs

NAMES = {
    "cim": ("cim", "reading_type", "xml_stream", "gather"), "rsm012": ("rsm012", "xml_stream", "gather"), "p1": ("p1", "obis", "gather"),
    "sml": ("sml", "sml_frames", "obis", "gather"), "mscons": ("mscons", "obis", "gather"), "nem13": ("nem13", "gather"), "nem12": ("nem12", "gather"),
    "csv_mapped": ("csv_mapped", "gather"), "espi": ("espi", "espi_links", "espi_blocks"), "csv_long": ("csv_long", "csv_table"), "csv_wide": ("csv_wide", "csv_table"),
    "map": ("csv_map",),
}  # fmt: skip


def _instrument(kind: str) -> None:
    """Instrument every function of the parser's modules that is plain Python."""
    for name in NAMES[kind]:
        module = sys.modules[f"mains.metering.formats.{name}"]
        found = list(vars(module).values())
        found += [method for each in found if isinstance(each, type) and each.__module__ == module.__name__ for method in vars(each).values()]
        for each in found:
            if getattr(each, "__module__", None) == module.__name__ and hasattr(each, "__code__") and not hasattr(each, "py_func"):
                atheris.instrument_func(each)


def main() -> None:
    """Fuzz until the options of libFuzzer say to stop."""
    kind = sys.argv[1]
    _instrument(kind)
    turn = 0

    def one(data: bytes) -> None:
        nonlocal turn
        turn += 1
        if kind == "map":
            fuzz_inputs.check_map(data)
            return
        with fuzz_inputs.checksums_ignored(ignored=turn % 2 == 0):
            fuzz_inputs.check(kind, fuzz_inputs.with_checksums(kind, data) if turn % 2 else data, timezone=(None, "Europe/Berlin")[turn // 2 % 2])

    atheris.Setup([sys.argv[0], *sys.argv[2:]], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
