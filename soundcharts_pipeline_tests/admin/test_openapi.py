"""The API does what its own OpenAPI document says, whatever it is sent. Dagster is not there, so nothing starts."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from soundcharts_pipeline.admin.internal_api.openapi import document
from soundcharts_pipeline_tests.admin.site import Client, serving
from soundcharts_pipeline_tests.support.command_line import CHARTS
from soundcharts_pipeline_tests.support.helpers import SLUG

OPERATIONS = [(path, method) for path, of_path in document([SLUG])["paths"].items() for method in of_path]
# 503 is an answer of this API while Dagster is away; any other 5xx is not in the document, and fails.
# A date that fits its pattern may well be no day of the chart. So many wrong tokens in a minute are 429, not 401.
LEFT_OUT = [not_a_server_error, positive_data_acceptance, ignored_auth]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    charts = tmp_path_factory.mktemp("openapi") / "charts.yaml"
    charts.write_text(CHARTS)
    with serving(charts, f"sqlite:///{charts.parent}/soundcharts.db") as client:
        yield client


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_one_that_the_document_describes(client: Client, path: str, method: str) -> None:
    schema = schemathesis.openapi.from_dict(client.get("/openapi.json").json())
    schema.config.update(base_url=client.url)
    headers = {"Authorization": f"Bearer {client.token}"}

    @settings(max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(case=schema[path][method.upper()].as_strategy())
    def sends_anything(case: Any) -> None:
        answer = case.call(headers=headers)
        assert answer.status_code < 500 or answer.status_code == 503, answer.text
        case.validate_response(answer, excluded_checks=LEFT_OUT)

    sends_anything()
