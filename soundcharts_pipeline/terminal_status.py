"""`soundcharts-pipeline status`: the facts of the internal API, read from Dagster's state and the warehouse."""

import json
import os
from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import dagster as dg
from dagster._utils.schedules import cron_string_iterator
from rich.console import Console
from rich.markup import escape

from soundcharts_pipeline.cascade import schedule_names
from soundcharts_pipeline.chart_facts import chart_facts
from soundcharts_pipeline.environment import read_environment
from soundcharts_pipeline.health import STRIP_DAYS, ChartHealth, RunFacts, Task, chart_health
from soundcharts_pipeline.launch import open_instance, prepare_home
from soundcharts_pipeline.remedies import remedy_of
from soundcharts_pipeline.run_facts import read_runs
from soundcharts_pipeline.settings import ChartSettings, Settings, load_settings
from soundcharts_pipeline.storage.chart_states import ChartState, chart_states, progress_of_runs
from soundcharts_pipeline.storage.warehouse import Warehouse
from soundcharts_pipeline.sync.context import utc_now
from soundcharts_pipeline.task_progress import Meter, task_of
from soundcharts_pipeline.terminal import print_table
from soundcharts_pipeline.terminal_sync import find_chart

TASKS_SHOWN = 20
COLOURS = {"healthy": "green", "never_synced": "dim", "degraded": "yellow", "failing": "red"}
GOOD = ("healthy", "never_synced")
