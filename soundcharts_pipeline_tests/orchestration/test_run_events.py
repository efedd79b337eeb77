"""What a run that never began its steps is said to have failed by."""

import traceback

import dagster as dg
import pytest

from soundcharts_pipeline.definitions import defs
from soundcharts_pipeline.orchestration.dagster_internals import SerializableErrorInfo
from soundcharts_pipeline.orchestration.jobs import FULL_SYNC
from soundcharts_pipeline.orchestration.run_events import SaidOfRun, chain_of, failed_as_a_whole


def test_a_run_that_was_queued_for_a_platform_that_is_taken_out_names_the_charts_file() -> None:
    gone = dg.AssetKey(["track_audience", "gone"])
    with pytest.raises(dg.DagsterError) as raised:
        defs.resolve_job_def(FULL_SYNC).get_subset(asset_selection={gone, dg.AssetKey("chart_rankings")})
    told = SerializableErrorInfo.from_traceback(traceback.TracebackException.from_exception(raised.value))
    said = [SaidOfRun("An exception was thrown during execution that is likely a framework error", chain_of(told))]

    error = failed_as_a_whole(said)

    assert error.kind == "SettingsError"
    assert error.message == "charts.yaml was changed after this was requested, and asks for track_audience/gone no more"
