"""What an answer held that could not be taken as it came stands with the materialisation, and in the terminal."""

from datetime import timedelta
from typing import Any

import dagster as dg
import pytest

from soundcharts_pipeline.api.remarks import RemarkCount
from soundcharts_pipeline.cli.run_in_process import _notes, _outcome, _remarks
from soundcharts_pipeline.orchestration.assets.remarks import KINDS_IN_SHORT, KINDS_IN_TABLE, as_metadata, in_short
from soundcharts_pipeline.orchestration.failures import REMARKS_IN_SHORT
from soundcharts_pipeline.simulator import Simulator
from soundcharts_pipeline_tests.orchestration.assets.recorded import checks_of, everything_recorded, facts_of
from soundcharts_pipeline_tests.support.altered import altered
from soundcharts_pipeline_tests.support.project import chart, open_project
from soundcharts_pipeline_tests.support.today import TODAY


def test_a_run_over_odd_records_goes_on_to_its_end_and_says_what_it_left_out(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    odd: dict[str, object] = {}

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/api/v2.25/song/" in path and not odd:
            records = [item.get("object", item) for item in body["items"]]
            for record, field, value in zip(
                records, ("duration", "duration", "name"), (215.4, "<b>|", None), strict=False
            ):
                odd[record["uuid"]] = record[field] = value
        return status, body

    with altered(simulator.url, change) as url:
        one = chart(track_audience_platforms=("spotify",), artist_audience_platforms=())
        with open_project(simulator, {**environ, "SOUNDCHARTS_BASE_URL": url}, monkeypatch, one) as project:
            result = project.run(project.span(1))
            day = str(project.newest())
            facts = facts_of(project, result)
            recorded = everything_recorded(project, result.run_id)
            again = facts_of(project, project.run(project.span(1)))

    assert result.success, "all below the track that could not be read goes on"
    found = facts["track_metadata", day]
    assert found["remarks"] == 3
    table = str(found["remarks_table"])
    for uuid in odd:
        assert uuid in table
    assert "| track | duration | left empty | 2 |" in table
    assert "| track | name | left out | 1 |" in table
    assert "&lt;b&gt;&#124;" in table
    assert "remarks" not in facts["artist_metadata", day]
    assert checks_of(result)["track_metadata: every_ranked_track_has_metadata"] is False
    assert "remarks on answers: track duration: 215.4 of" in recorded
    notes = [note for note in _notes(result.all_events) if "Soundcharts sent" in note]
    assert [note.partition(" of ")[0] for note in notes] == [
        "track_metadata: Soundcharts sent track duration: 215.4",
        "track_metadata: Soundcharts sent track name: null",
    ]
    assert "remarks" not in again["track_metadata", day], "nothing was asked, so nothing is remarked"


def test_a_step_that_fails_tells_its_remarks_and_is_not_listed_as_not_run(
    simulator: Simulator, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: set[str] = set()

    def change(path: str, status: int, body: Any) -> tuple[int, Any]:
        if "/audience/line-music" in path:
            seen.add(path)
            if len(seen) > 1:
                return 400, {"errors": [{"code": 400, "message": "no"}]}
            return 200, {
                "items": [{"date": 7}, {"date": str(TODAY - timedelta(days=1)), "plots": []}],
                "page": {"total": 2},
            }
        return status, body

    with altered(simulator.url, change) as url:
        one = chart(track_audience_platforms=("line-music",), artist_audience_platforms=())
        with open_project(simulator, {**environ, "SOUNDCHARTS_BASE_URL": url}, monkeypatch, one) as project:
            outcome = _outcome(project.run(project.span(1)), ["chart_rankings", "track_audience/line-music"])

    assert [failure.asset for failure in outcome.failures] == ["track_audience/line-music"]
    assert outcome.not_run == []
    (note,) = [note for note in outcome.notes if "line-music: Soundcharts sent" in note]
    assert note.startswith("track_audience/line-music: Soundcharts sent track_audience date: 7 of ")


def test_what_is_said_of_the_kinds_that_are_left_out_is_no_remark() -> None:
    kinds = [RemarkCount("track", f"field{n}", "left empty", 1, [("uuid", "x")]) for n in range(KINDS_IN_SHORT + 1)]
    notes = list(_remarks("track_metadata", {REMARKS_IN_SHORT: dg.MetadataValue.text(in_short(kinds))}))

    assert notes[0].startswith("track_metadata: Soundcharts sent track field0")
    assert notes[-1] == "track_metadata: and 1 more kind of remarks"


def test_the_facts_are_bounded_however_many_kinds_there_are() -> None:
    kinds = [RemarkCount("track", f"field{n}", "left empty", 5, [("uuid", "x" * 80)] * 3) for n in range(500)]

    facts = as_metadata(kinds, 30)
    assert facts["remarks_of_30_days"] == 2500
    assert in_short(kinds).splitlines()[-1] == f"and {500 - KINDS_IN_SHORT} more kinds of remarks"
    assert len(facts["remarks_table"].value.splitlines()) == KINDS_IN_TABLE + 2
    assert as_metadata([]) == {}
