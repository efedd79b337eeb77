"""What workers of Celery go by: put this file into the folder that they are started in."""

import os

broker_url = result_backend = os.environ["DAGSTER_CELERY_BROKER"]

# One run is one process, as with Dagster's own launcher: it reads charts.yaml and code anew, and gives its memory back.
worker_max_tasks_per_child = 1
# A run waits in the queue until a worker is free for it: one that a worker had taken along would be lost with it.
worker_prefetch_multiplier = 1
worker_disable_prefetch = True
# A run is never handed out twice: one that loses its worker is failed by its lease, and its days are requested again.
task_acks_late = False
# Dagster takes a run for dead whose state is forgotten: the longest run is shorter than this.
result_expires = 30 * 24 * 3600
