"""How charts and runs are doing, and who is told: health, tasks at work, alerts, messages.

`facts.py` turns what Dagster records of a run into facts; `chart_status.py` has the rules of a chart's status,
`health.py` the words, `task_progress.py` percent and speed, `as_json.py` how programs get them. `alert_events.py` and
`alert_sensor.py` find what newly failed or recovered, `notifications.py` sends it. A new rule of status belongs in
`chart_status.py` and in the table of docs/operations.md. Not here: pages (`admin/`) and what a failure means
(`troubleshooting.py`).
"""
