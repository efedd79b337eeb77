"""Speaks HTTP with Soundcharts: calls in, records out. Knows no Dagster, no SQL and no chart's settings.

A call goes from a method of `client.py` through `transport.py`, the one place where a request leaves and is retried.
JSON becomes records in `parsing.py` and `series.py`, by the shapes of `payloads.py`; what cannot be taken as it came
is a remark. Errors are named by what to do, in `errors.py`. A new endpoint is a path in `endpoints.py`, a shape, and
a method. When a call may leave is asked of a `Gate` in `throttle.py`, which `storage/rate_gate.py` implements: the
two rooms do not know each other.
"""
