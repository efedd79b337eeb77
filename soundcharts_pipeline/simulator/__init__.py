"""A local Soundcharts: the same paths, bodies, limits, errors and oddities, with a truth to compare with.

`Simulator` runs it in a thread, `serve` in the foreground; `World` says what a faultless client stores. What is true
is in `world/`, how it is answered in `service/`. It imports nothing of the pipeline but its records and its clock, so
that both cannot share a mistake.
"""

from soundcharts_pipeline.simulator.service.counters import Counters
from soundcharts_pipeline.simulator.service.faults import Fault
from soundcharts_pipeline.simulator.service.routes import ENDPOINTS
from soundcharts_pipeline.simulator.service.server import Simulator, serve
from soundcharts_pipeline.simulator.world.oddities import ODDITIES
from soundcharts_pipeline.simulator.world.world import World

__all__ = ["ENDPOINTS", "ODDITIES", "Counters", "Fault", "Simulator", "World", "serve"]
