"""Use cases: worklist, fetch, save, report; one function for each asset. Knows no Dagster, no SQL text and no URL.

`rankings.py` (with `ranking_list.py`: which days are published), `metadata.py` and `audience.py` are the assets',
`catalog.py` and `chart_search.py` the commands'. They share `Worklist` in `worklist.py` (how questions of one kind are
asked, and their answers saved), `fan_out` in `fanout.py` (many questions side by side, each answer saved as it comes),
`shared_worklist.py` (claims) and `evidence.py` (which refusals may be believed). `coverage.py` is the arithmetic of
what is still to be asked. What a sync would cost is in `planning/`. A new asset's work is a module here; what it asks
belongs in `api/`, what it reads and writes in `storage/`.
"""
