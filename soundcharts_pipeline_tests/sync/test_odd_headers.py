"""What the server says of its limits, in numbers that nobody could work with: the answer is taken all the same."""

import pytest

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.account import open_client
from soundcharts_pipeline_tests.api.calling import Says, answering
from soundcharts_pipeline_tests.api.recorded import payload


@pytest.mark.parametrize("value", ["100000000000", "1e30", "-1e30", "1e309", "nan", "many", ""])
def test_no_answer_is_lost_for_a_header(environ: dict[str, str], warehouse: Warehouse, value: str) -> None:
    limits = {"x_ratelimit_limit": value, "x_ratelimit_remaining": value, "x_ratelimit_reset": value}
    says = Says.json(payload("ranking"), 200, **limits, x_quota_remaining=value)
    with answering(lambda _: says) as stub:
        client = open_client(read_environment({**environ, "SOUNDCHARTS_BASE_URL": stub.url}), warehouse=warehouse)
        for _ in range(3):
            assert client.newest_ranking("global-28")[0].slug == "global-28"
        client.rest()
