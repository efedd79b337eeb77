"""All that Dagster loads but the alerts: assets, partitions, jobs, schedules, sensors, checks, resources.

Thin: what an asset does is in `sync/`, `analysis/` or `reports/`; here is when, for which chart-days, and how it is
recorded. `partitions.py` has all arithmetic of keys and ranges, `run_requests.py` the one way to request a run,
`failures.py` the one translation of our errors to Dagster's. The room `embedding/` puts everything together. A new
asset belongs in `assets/`, a new check in `checks.py`, a new reason to run in `sensors.py` or `schedules.py`.
"""
