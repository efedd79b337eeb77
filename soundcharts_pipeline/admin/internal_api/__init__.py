"""Answers for programs: JSON routes under a bearer token, metrics, and the OpenAPI document.

A new route is a handler in `routes.py` and its description in `openapi.py`, what it takes and answers a type in
`answers.py`. Starting a cascade is `trigger.py`, which the dashboard's button uses too. How a chart's status reads as
JSON is `monitoring/as_json.py`.
"""
