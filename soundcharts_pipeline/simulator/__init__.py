"""A local Soundcharts: the same paths, bodies, limits, errors and oddities, with a truth to compare with.

`Simulator` runs it in a thread, `serve` in the foreground; `World` says what a faultless client stores.
"""

from soundcharts_pipeline.simulator.counters import Counters
from soundcharts_pipeline.simulator.faults import Fault
from soundcharts_pipeline.simulator.oddities import ODDITIES
from soundcharts_pipeline.simulator.routes import ENDPOINTS
from soundcharts_pipeline.simulator.server import Simulator, serve
from soundcharts_pipeline.simulator.world import World

__all__ = ["ENDPOINTS", "ODDITIES", "Counters", "Fault", "Simulator", "World", "serve"]
