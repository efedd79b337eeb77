"""deploy/kubernetes/ as far as it can be used without a cluster: its files, and the dagster.yaml that the chart makes
of its values."""

import re
from typing import Any

from ruamel.yaml import YAML

from soundcharts_pipeline_tests.end_to_end.postgres_site import DEPLOY, variables_of

FOLDER = DEPLOY / "kubernetes"
CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
STORAGES = {
    "run_storage": ("run_storage", "PostgresRunStorage"),
    "event_log_storage": ("event_log", "PostgresEventLogStorage"),
    "schedule_storage": ("schedule_storage", "PostgresScheduleStorage"),
}


def values() -> dict[str, Any]:
    """What Helm is given."""
    found: dict[str, Any] = YAML(typ="safe").load(FOLDER / "values.yaml")
    return found


def manifests() -> list[dict[str, Any]]:
    """What kubectl is given."""
    files = [path for path in sorted(FOLDER.glob("*.yaml")) if path.name != "values.yaml"]
    return [one for path in files for one in YAML(typ="safe").load_all(path)]


def launcher() -> dict[str, Any]:
    """How runs are launched."""
    found: dict[str, Any] = values()["runLauncher"]["config"]["customRunLauncher"]
    return found


def instance() -> dict[str, Any]:
    """The dagster.yaml that the chart renders; compared with that of the chart itself by hand, for no package index
    has it."""
    given = values()
    postgresql = given["postgresql"]
    config = {
        "postgres_db": {
            "username": postgresql["postgresqlUsername"],
            "password": {"env": "DAGSTER_PG_PASSWORD"},
            "hostname": postgresql["postgresqlHost"],
            "db_name": postgresql["postgresqlDatabase"],
            "port": 5432,
            "params": postgresql["postgresqlParams"],
            "scheme": postgresql["postgresqlScheme"],
        }
    }
    storages = {
        name: {"module": f"dagster_postgres.{module}", "class": storage, "config": config}
        for name, (module, storage) in STORAGES.items()
    }
    no_logs = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    return {
        "scheduler": {"module": "dagster._core.scheduler", "class": "DagsterDaemonScheduler"},
        **storages,
        "run_launcher": launcher(),
        "compute_logs": no_logs,
        "telemetry": given["telemetry"],
        **given["additionalInstanceConfig"],
    }


def image_variables() -> dict[str, str]:
    """What the image sets."""
    [lines] = re.findall(r"^ENV ((?:.+\\\n)*.+)$", CONTAINERFILE, re.MULTILINE)
    return dict(word.split("=", 1) for word in lines.replace("\\\n", " ").split())


def sources() -> dict[str, dict[str, str]]:
    """Variables by the name of the ConfigMap or Secret, the Secrets as docs/production.md makes them."""
    maps = {one["metadata"]["name"]: one["data"] for one in manifests() if one["kind"] == "ConfigMap"}
    return {
        **maps,
        "soundcharts": variables_of(FOLDER / "secret.example"),
        "soundcharts-owner": variables_of(DEPLOY / "postgres" / "owner.example"),
        "soundcharts-dagster-postgresql": {"postgresql-password": "DAGSTER_PASSWORD"},
    }
