"""The assets: one `Stage` for each of the cascade, and the step that all of them share.

`stage.py` says what a stage is, and `step.py` takes the partitions of a run through one; what came of them is recorded
by `recording.py`. The files beside them hold the stages (`rankings.py`, `tracks.py`, `artists.py`, `analytics.py`; what
the audience assets share is in `audience.py`) or are a part of the step (`day_record.py`, `by_chart.py`, `dry_run.py`).
`chart_report.py` has a step of its own, `housekeeping.py` the assets without partitions. A new asset of the cascade is
a subclass of Stage, its key in `config/cascade.py`, and a line in `embedding/build.py`. No SQL, no URL, no JSON key
here.
"""
