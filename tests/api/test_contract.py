"""The description of the API and the API itself are one: drawn requests, good and bad, get only answers that are described, and none without sign-in."""

import pytest
import schemathesis
from api_world import with_key
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode, checks
from schemathesis.specs.openapi import checks as openapi

from mains.app import create_app
from mains.settings import Settings

CHECKS = [
    checks.not_a_server_error, openapi.status_code_conformance, openapi.content_type_conformance, openapi.response_schema_conformance, openapi.response_headers_conformance,
]  # fmt: skip


def operations_of(app):
    schema = schemathesis.openapi.from_dict(app.openapi())
    schema.app = app
    return [found.ok() for found in schema.get_all_operations()]


def draw_requests(app, office, *, examples: int) -> int:
    """Send each operation so many requests that fit its description and so many that do not; without a key, none may succeed."""
    there, stranger_key, key = office.ids(), {}, {"Authorization": f"Bearer {office.writes}"}
    sent = 0
    with with_key(app, office.writes):
        for operation in operations_of(app):
            for mode in GenerationMode:
                try:
                    strategy = operation.as_strategy(generation_mode=mode)
                    strategy.validate()
                except Exception:  # noqa: BLE001 - an operation without parameters has no wrong ones
                    continue

                @settings(max_examples=examples, deadline=None, database=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), derandomize=True)
                @given(case=strategy, is_known=st.sampled_from([True, True, True, False]), is_there=st.booleans())
                def send(case, is_known, is_there):
                    nonlocal sent
                    sent += 1
                    if is_there:  # ask for something that exists
                        case.path_parameters.update({name: str(there[name]) for name in case.path_parameters if name in there})
                    answer = case.call(headers=key if is_known else stranger_key)
                    if not is_known:
                        assert answer.status_code >= 400, (case.method, case.path, answer.status_code)
                    case.validate_response(answer, checks=CHECKS)

                send()
    return sent


def test_drawn_requests_get_only_described_answers(database, riverbend):
    assert draw_requests(create_app(database, Settings()), riverbend, examples=8) >= 150


@pytest.mark.nightly
def test_many_drawn_requests_get_only_described_answers(database, riverbend):
    assert draw_requests(create_app(database, Settings()), riverbend, examples=120) >= 5000
