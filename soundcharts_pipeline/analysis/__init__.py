"""The stored data as tidy pandas frames, for notebooks and scripts; and trends, computed from it. Makes no call.

`door.py` is what users see, one method for each question; the questions are in `charts.py` and `audience.py`,
and what a question is asked with in `asked.py` and `days.py`. The
formulas of trends are in `growth.py`, on matrices and without SQL; `trends.py` fills the table `audience_trends`. A
new frame is a function in the file of its subject and a method of `Analysis`. Pictures and workbooks are in
`reports/`.

from soundcharts_pipeline.analysis import connect

with connect() as music:
    music.movers("global-28")
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from soundcharts_pipeline.analysis.door import Analysis, connect

__all__ = ["Analysis", "connect"]


def __getattr__(name: str) -> object:
    """The door is loaded when somebody goes through it: pandas takes half a second, and trends need none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from soundcharts_pipeline.analysis import door

    return getattr(door, name)
