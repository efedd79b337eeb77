"""charts.yaml in the pages: a chart is found in the catalog, added, given other settings, switched off, removed.

Here are the forms, what a change would cost, who changed what, and the pages. What the file means, and how its text
is edited, is for `config/`: a new key of a chart is added in `config/chart_keys.py` and appears in the form by
itself. A new address belongs in `routes.py`.
"""
