"""Pages for a browser: the dashboard, and those of charts, tracks and artists.

A handler asks who is there, takes what it shows from the snapshot or the warehouse, and fills a template; what stands
on a page is prepared in a module that knows no web (`overview.py`, `entity_views.py`). The dashboard is sent in pieces
(`board.py`), its table found and ordered by `chart_table.py`. Every page works without JavaScript. A new page is an
address in `pages.py` or `entity_pages.py` and a file in `admin/templates/`. Pages of charts.yaml are in
`admin/configuration/`, pictures in `reports/pictures/`.
"""
