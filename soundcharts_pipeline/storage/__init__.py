"""Speaks SQL, for SQLite and PostgreSQL alike. Knows no HTTP, no Dagster and no chart's settings.

`warehouse.py` is the door: one transaction at a time, tables brought up to date before the first. Writers: `saves.py`
(records to rows), `bulk.py` (many rows), `claims.py`, `leases.py`, `rate_gate.py`, `alerts.py`. What the tables are is
in `tables/`, how they came about in `migrations/`, all reading in `queries/`, archive and backup in `housekeeping/`.
Errors are in `errors.py`. A new column begins in `tables/schema.py`, a new question in `queries/`. Outside this
room only `analysis/` makes queries, to fill its frames.
"""
