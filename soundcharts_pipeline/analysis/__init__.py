"""The stored data as tidy pandas frames, for notebooks, workbooks and plots. Reads only.

from soundcharts_pipeline.analysis import connect

with connect() as music:
    music.movers("global-28")
"""

from soundcharts_pipeline.analysis.door import Analysis, connect

__all__ = ["Analysis", "connect"]
