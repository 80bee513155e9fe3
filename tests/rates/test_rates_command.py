"""The command that tries a tariff on a load."""

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from tariffs import energy, fixed, ladder, rate
from test_rates_known_bad import document
from typer.testing import CliRunner

from mains.rates.cli import app
from mains.rates.documents import to_document
from mains.rates.model import Percent

HOURLY = "kwh\n" + "0.5\n" * 8760


def run(tmp_path, rate_document, load=HOURLY, *more, start="2018-01-01T00:00", zone="Etc/GMT+8", as_json=True):
    rate_file, load_file = tmp_path / "rate.json", tmp_path / "load.csv"
    rate_file.write_text(rate_document if isinstance(rate_document, str) else json.dumps(rate_document, default=float))
    load_file.write_text(load)
    words = ["price", str(rate_file), str(load_file), "--start", start, "--timezone", zone, *(["--json"] if as_json else []), *more]
    result = CliRunner().invoke(app, words)
    return result.exit_code, (json.loads(result.stdout) if as_json else result.stdout)


def test_a_year_by_month(tmp_path):
    code, answer = run(tmp_path, document(fixedchargefirstmeter=9.5, fixedchargeunits="$/month"))
    assert code == 0
    assert answer["issues"] == []
    assert [month["month"] for month in answer["months"]] == [f"2018-{month:02}" for month in range(1, 13)]
    january = answer["months"][0]
    assert {key: january[key] for key in ("energy", "demand", "fixed", "minimum", "total", "billed_total")} == {
        "energy": "37.20",
        "demand": "0.00",
        "fixed": "9.50",
        "minimum": "0.00",
        "total": "46.70",
        "billed_total": "46.70",
    }
    assert [line["title"] for line in january["lines"]] == ["Energy", "Customer charge"]


@pytest.mark.parametrize(("count", "months"), [(35040, 12), (17520, 12), (744, 1), (2976, 1), (2160, 3)])
def test_any_count_of_rows_that_is_whole_months(tmp_path, count, months):
    code, answer = run(tmp_path, document(), "kwh\n" + "0.25\n" * count)
    assert code == 0, answer
    assert len(answer["months"]) == months


def test_a_leap_year_and_a_zone_with_summer_time(tmp_path):
    code, answer = run(tmp_path, document(), "kwh\n" + "1\n" * 8784, start="2020-01-01T00:00", zone="America/New_York")
    assert code == 0
    assert [Decimal(month["kwh"]) for month in answer["months"]][:3] == [744, 696, 743]


@pytest.mark.parametrize(
    ("load", "line", "what"),
    [
        ("kwh\n1\ntwo\n", 3, "not a number"),
        ("kwh\n1\n\n1\n", 3, "not a number"),
        ("kwh\n-1\n", 2, "negative"),
        ("kwh\nNaN\n", 2, "not finite"),
        ("kwh\n1,2\n", 2, "not a number"),
        ("wh\n1\n", 1, "header"),
        ("", 1, "header"),
        ("kwh\n", 2, "no reading"),
        ("kwh\n" + "1\n" * 8759, 8760, "not whole months"),
        ("kwh\n1e12\n", 2, "absurd"),
    ],
)
def test_a_bad_load_names_its_line_and_cure(tmp_path, load, line, what):
    code, answer = run(tmp_path, document(), load)
    assert code == 1
    assert answer["months"] == []
    assert what in answer["problem"]["detail"]
    assert answer["problem"]["line"] == line
    assert answer["problem"]["cure"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": "x"}', '{"items": []}', "nonsense", '{"format": "mains-rate/1"}'])
def test_a_file_that_is_no_rate_is_a_problem(tmp_path, text):
    code, answer = run(tmp_path, text)
    assert code == 1
    assert answer["problem"]["cure"]


def test_a_refused_rate_has_no_months_and_its_reasons(tmp_path):
    code, answer = run(tmp_path, document(lookbackpercent=0.8))
    assert (code, answer["months"]) == (1, [])
    assert answer["issues"][0]["field"] == "lookbackpercent"


def test_fine_readings_are_kept_and_finer_ones_told(tmp_path):
    _, answer = run(tmp_path, document(), "kwh\n" + "0.123456789\n" * 744)
    assert answer["months"][0]["kwh"] == "91.851851016"
    assert answer["issues"] == []
    _, answer = run(tmp_path, document(), "kwh\n" + "0.12345678949\n" * 744)
    assert answer["months"][0]["kwh"] == "91.851851016"
    assert answer["issues"][0]["code"] == "load-rounded"
    assert answer["issues"][0]["count"] == 744


def test_our_own_document_with_a_tax(tmp_path):
    version = rate(
        fixed("10"),
        energy(ladder((None, "0.1"))),
        Percent(id="t", label="Tax", rate=Decimal("0.1"), of=("fixed", "energy"), tags=("tax",)),
        timezone="Etc/GMT+8",
    )
    _, answer = run(tmp_path, to_document(version))
    assert answer["months"][0]["taxes"] == "4.72"
    assert answer["months"][0]["total"] == "51.92"


def test_a_table_for_people(tmp_path):
    code, text = run(tmp_path, document(), as_json=False)
    assert code == 0
    assert "2018-12" in text
    assert "37.20" in text


def test_check_says_what_is_wrong(tmp_path):
    file = tmp_path / "rate.json"
    file.write_text(json.dumps(document(lookbackpercent=0.8), default=float))
    result = CliRunner().invoke(app, ["check", str(file), "--json"])
    assert result.exit_code == 1
    assert json.loads(result.stdout)["can_be_priced"] is False


@pytest.mark.skipif("MAINS_REAL_DATA" not in os.environ, reason="MAINS_REAL_DATA names no folder with real tariffs")
@pytest.mark.parametrize("count", [8760, 35040])
def test_every_published_tariff_is_priced(tmp_path, count):
    load = tmp_path / "load.csv"
    load.write_text("kwh\n" + "0.75\n" * count)
    for path in sorted(Path(os.environ["MAINS_REAL_DATA"], "tariffs").glob("*.json")):
        words = ["price", str(path), str(load), "--start", "2018-01-01T00:00", "--timezone", "Etc/GMT+8", "--json"]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 0, (path, result.stdout[:500])
        answer = json.loads(result.stdout)
        assert len(answer["months"]) == 12
        assert answer["issues"] == []


@pytest.mark.nightly
def test_the_benchmark_prints_its_claims():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.pricing", "--json"], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2]
    )
    assert all(claim["holds"] for claim in json.loads(done.stdout)["claims"])


def test_readings_beyond_64_bits_are_still_exact(tmp_path):
    code, answer = run(tmp_path, document(), "kwh\n" + "999999999.123456789\n" * 744)
    assert code == 0
    assert answer["months"][0]["energy"] == "74399999934.79"
    assert answer["months"][0]["billed_total"] == "74399999934.79"
