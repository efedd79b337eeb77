"""The dashboard and the internal HTTP API: one program on one port, beside a Dagster that runs already.

It launches and reads runs through Dagster's GraphQL alone, and answers from a snapshot in memory, so that no request
waits for Dagster or SQL. `app.py` puts it together, `serve.py` runs it, `refusals.py` is how it says no. Who may ask
is in `access/`, what is known at this moment in `state/`, answers for programs in `internal_api/`, pages in `pages/`
(those of charts.yaml in `configuration/`) with their `templates/` and `static/` files. Not here: how a chart is doing
(`monitoring/`), what a file or a picture looks like (`reports/`).
"""
