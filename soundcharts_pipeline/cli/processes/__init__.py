"""Programs that stay until they are told to end: `dev`, `serve`, the local simulator, and what keeps them.

`supervisor.py` starts several as one and leaves none behind; `child.py` and `endings.py` are how each of them learns
that it is over. What a program does when it runs is elsewhere: the internal API in `admin/serve.py`, Dagster in
Dagster.
"""
