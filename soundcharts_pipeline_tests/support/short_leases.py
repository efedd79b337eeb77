"""The project as a code server loads it, but for times: a run that is silent for some seconds is over, and sensors look
whenever the daemon does."""

from soundcharts_pipeline.definitions import defs
from soundcharts_pipeline.orchestration.resources import WarehouseResource
from soundcharts_pipeline.storage.leases import Lengths

__all__ = ["defs"]

WarehouseResource.lengths = Lengths(beat=1.0, lease=8.0, between_looks=1.0)
for sensor in defs.sensors or ():
    sensor._min_interval = 1
