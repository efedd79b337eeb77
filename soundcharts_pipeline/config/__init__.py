"""What the user writes: charts.yaml and the environment, read, checked and, for the file, edited.

`chart_keys.py` describes each key of a chart, `settings.py` holds the values and every default, `read_charts.py`
reads the file and names each mistake with its line; `edit_charts.py` changes it without touching another line.
Variables are in `environment.py`. `cascade.py` says which assets there are and which a chart's settings leave out. A
new key begins in `chart_keys.py`, a new variable in `environment.py`. Nothing is read at import, and nothing here
calls Soundcharts or a database.
"""
