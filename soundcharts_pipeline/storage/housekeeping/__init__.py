"""Keeps the warehouse in order: archive of old months, backup and restore, report on its size.

Each takes a warehouse or its URL and does one thing whole or not at all; when it runs is for
`orchestration/assets/housekeeping.py` and the command. The two databases differ in `sqlite_backup.py` and
`postgres_backup.py` alone.
"""
