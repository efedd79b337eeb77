"""What is true at this moment, kept in memory by one thread: runs, health, charts.yaml, what cannot be reached.

`live.py` looks every two seconds and hands out a snapshot: what the database says is kept in `stored.py`, how far the
runs are in `run_meters.py`. `dagster_client.py` is the only place that asks Dagster, by the GraphQL texts of
`dagster_queries.py`. The rules of health are in `monitoring/`; here is only when to look, and what to remember. A new
thing to watch is a field of `Snapshot` in `live.py`; a new sentence about the deployment belongs in `problems.py`.
"""
