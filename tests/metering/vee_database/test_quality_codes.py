"""Quality codes of the formats: what goes out comes back, and what is unknown is refused by name."""

import pytest

from mains.metering import quality
from mains.metering.model import Quality


@pytest.mark.parametrize("each", list(Quality))
def test_every_quality_comes_back_from_iec_codes(each: Quality):
    assert quality.from_iec(quality.to_iec(each)) is each


@pytest.mark.parametrize("each", [Quality.ESTIMATED, Quality.SUBSTITUTED, Quality.FINAL_SUBSTITUTE])
@pytest.mark.parametrize("method", sorted(quality.METHODS.values()))
def test_an_estimate_keeps_its_method_in_iec_and_nem12(each: Quality, method: int):
    code = quality.to_iec(each, method=method)
    assert (quality.from_iec(code), quality.method_of_iec(code)) == (each, method)
    flag = quality.to_nem12(each, method=method)
    assert quality.method_of_nem12(flag) == method
    assert quality.from_nem12(flag) is (Quality.EDITED if flag == "S16" else each)


def test_a_failed_check_names_its_rule():
    code = quality.to_iec(Quality.FAILED_CHECK, rule=9)
    assert (code, quality.rule_of_iec(code), quality.from_iec(code)) == ("3.6.1009", 9, Quality.FAILED_CHECK)


@pytest.mark.parametrize("each", quality.SAME_IN_ESPI)
def test_espi_numbers_come_back(each: Quality):
    assert quality.from_espi(quality.to_espi(each)) is each


def test_a_linear_estimate_is_9_in_espi():
    assert quality.to_espi(Quality.ESTIMATED, method=17) == 9
    assert quality.to_espi(Quality.ESTIMATED, method=14) == 8


@pytest.mark.parametrize("code", ["1.0.0", "2.7.0", "3.6.1012", "1.4.131", "2.5.259", "1.5.258", "2.11.0"])
def test_codes_of_meters_and_head_ends_are_read(code: str):
    assert isinstance(quality.from_iec(code), Quality)


@pytest.mark.parametrize("code", ["", "3.0", "9.0.0", "3.9.0", "3.8.55555", "3.10.7", "1.1.1.1", "٣.0.0", "6.0.0", "3.8.120"])
def test_codes_that_mean_nothing_are_refused_by_name(code: str):
    with pytest.raises(quality.UnknownQualityCode) as refusal:
        quality.from_iec(code)
    assert code in refusal.value.detail


@pytest.mark.parametrize("flag", ["", "B", "V", "A14", "E", "E1", "E99", "S1٦", "e14"])
def test_flags_that_mean_nothing_are_refused(flag: str):
    with pytest.raises(quality.UnknownQualityCode):
        quality.from_nem12(flag)


def test_other_codes_are_refused_too():
    with pytest.raises(quality.UnknownQualityCode):
        quality.from_espi(3)
    with pytest.raises(quality.UnknownQualityCode):
        quality.from_cim("A07")
    with pytest.raises(quality.UnknownQualityCode):
        quality.method_type("guess")
    with pytest.raises(quality.UnknownQualityCode):
        quality.method_name(20)


@pytest.mark.parametrize("each", [Quality.EDITED, Quality.MISSING, Quality.ESTIMATED, Quality.ACTUAL, Quality.QUESTIONABLE, Quality.DERIVED])
def test_cim_points_come_back(each: Quality):
    assert quality.from_cim(quality.to_cim(each)) is each


def test_what_a_format_cannot_say_is_refused():
    for refusing in (lambda: quality.to_nem12(Quality.FAILED_CHECK), lambda: quality.to_espi(Quality.MISSING), lambda: quality.to_cim(Quality.FORECAST)):
        with pytest.raises(quality.QualityNotExpressible):
            refusing()
