"""What the database holds: every table, column, key and view, once, for both databases.

Music is in `schema.py`, the work on it in `bookkeeping.py`, views are in `views.py` and `audience_views.py`.
What a column means is its comment, from here or from `meanings.py`: Dagster's UI and docs/tables.md show it, and
`comments.py` writes it into PostgreSQL. A change here needs a step in `storage/migrations/`. No row is read or written
here.
"""
