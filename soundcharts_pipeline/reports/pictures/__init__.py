"""Pictures as SVG, for pages and for Dagster's metadata: one source for both.

`drawings.py` says which pictures there are and what each is told; all are drawn on the canvas of `canvas.py`. A
picture knows no SQL: it is given rows, a width, and nothing else. A new picture is a module with one function, and a
`Drawing` in `drawings.py`.
"""
