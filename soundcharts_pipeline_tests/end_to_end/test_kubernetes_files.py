"""What can be said of deploy/kubernetes/ without a cluster, and without Dagster's chart, which no package index has:
Kubernetes takes it, and what it names is in the code, the image and compose.yaml."""

import re
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import kubernetes_validate  # type: ignore[import-untyped]
import pytest
import requests
from ruamel.yaml import YAML

from soundcharts_pipeline.config.environment import read_environment
from soundcharts_pipeline_tests.admin.site import serving
from soundcharts_pipeline_tests.end_to_end.kubernetes_site import (
    CONTAINERFILE,
    FOLDER,
    image_variables,
    launcher,
    manifests,
    sources,
    values,
)
from soundcharts_pipeline_tests.end_to_end.postgres_site import SETTINGS, compose
from soundcharts_pipeline_tests.support.command_line import CHARTS
from soundcharts_pipeline_tests.support.dagster_site import PROJECT
from soundcharts_pipeline_tests.support.kubernetes_api import OLDEST

NEWEST = "1.37"
NAMES = {one["metadata"]["name"]: one for one in manifests() if one["kind"] in ("Deployment", "Job")}
# Of the chart, as rendered by hand for a release called soundcharts.
OF_THE_CHART = {
    "soundcharts-dagster-instance",
    "soundcharts-dagster-workspace-yaml",
    "soundcharts-dagster",
    "soundcharts-runs",
}
# Made by the commands of docs/production.md.
BY_HAND = {"soundcharts-charts", "soundcharts", "soundcharts-owner", "soundcharts-dagster-postgresql"}
GUIDE = (PROJECT / "docs" / "production.md").read_text()


def _pods() -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each pod that stands in the files: its name, the whole of it, its one container, as Kubernetes spells them."""
    for name, one in NAMES.items():
        spec = one["spec"]["template"]["spec"]
        [container] = spec["containers"]
        yield name, spec, container
    given, config = values(), launcher()["config"]
    [code] = given["dagster-user-deployments"]["deployments"]
    for name, of_chart in (("code", code), ("webserver", given["dagsterWebserver"])):
        yield name, {**of_chart, "securityContext": of_chart["podSecurityContext"]}, of_chart
    pod = {"securityContext": config["run_k8s_config"]["pod_spec_config"]["security_context"]}
    container = {"securityContext": config["security_context"], "volumeMounts": config["volume_mounts"]}
    yield "run", {**pod, "volumes": config["volumes"]}, {**container, "resources": config["resources"]}


PODS = {name: (pod, container) for name, pod, container in _pods()}


PLAIN = {
    *("claimName", "serviceAccountName", "service_account_name", "postgresqlSecretName"),
    *("instance_config_map", "postgres_password_secret"),
}


def _named(found: Any) -> Iterator[str]:
    """Names of ConfigMaps, Secrets, claims and accounts that are asked for."""
    for key, value in found.items() if isinstance(found, dict) else enumerate(found if isinstance(found, list) else ()):
        if key in ("configMap", "configMapRef", "secretRef", "secretKeyRef"):
            yield value["name"]
        elif key in PLAIN:
            yield value
        elif key in ("envSecrets", "envConfigMaps"):
            yield from (one["name"] for one in value)
        elif key in ("env_secrets", "env_config_maps"):
            yield from value
        else:
            yield from _named(value)


@pytest.mark.parametrize("kubernetes", [OLDEST, NEWEST])
def test_kubernetes_takes_every_manifest(kubernetes: str) -> None:
    kinds = []
    for one in manifests():
        kubernetes_validate.validate(one, kubernetes, strict=True)
        kinds.append(one["kind"])

    assert kinds.count("Deployment") == 2
    assert all(one["metadata"].get("namespace", "soundcharts") == "soundcharts" for one in manifests())
    assert launcher()["config"]["job_namespace"] == "soundcharts"


def test_whatever_is_named_is_made_by_somebody() -> None:
    made = {one["metadata"]["name"] for one in manifests()} | OF_THE_CHART | BY_HAND

    named = {*_named(manifests()), *_named(values())}

    assert named >= BY_HAND
    assert named <= made
    assert {name for name in BY_HAND if re.search(rf"create (secret generic|configmap) {name} ", GUIDE)} == BY_HAND
    assert "helm upgrade --install soundcharts dagster/dagster --namespace soundcharts" in GUIDE


@pytest.mark.parametrize("name", PODS)
def test_a_pod_has_no_more_rights_than_it_needs(name: str) -> None:
    pod, container = PODS[name]

    assert container["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    user = re.search(r"useradd .*--uid (\d+)", CONTAINERFILE)
    assert user is not None
    uid = int(user[1])
    of_pod = pod["securityContext"]
    assert (of_pod["runAsNonRoot"], of_pod["runAsUser"], of_pod["fsGroup"]) == (True, uid, uid)
    assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}


@pytest.mark.parametrize("name", PODS)
def test_a_pod_writes_where_the_image_says_and_reads_the_charts_where_they_are_kept_current(name: str) -> None:
    pod, container = PODS[name]
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    variables = image_variables()

    assert mounts["/tmp"].get("emptyDir") == {}  # noqa: S108  # of the container
    if name != "soundcharts-admin":
        assert mounts[variables["DAGSTER_HOME"]].get("emptyDir") == {}
    if name not in ("soundcharts-daemon", "soundcharts-migrate"):
        assert "persistentVolumeClaim" in mounts[variables["SOUNDCHARTS_DATA_DIR"]]
    if name != "soundcharts-daemon":
        charts = PurePosixPath(sources()["soundcharts-environment"]["SOUNDCHARTS_CHARTS"])
        assert mounts[str(charts.parent)]["configMap"]["name"] == "soundcharts-charts"
        assert f"--from-file={charts.name}" in GUIDE
    assert container["resources"]["requests"]["memory"]
    assert container["resources"]["limits"]["memory"]


def test_a_run_has_room_for_what_it_takes() -> None:
    resources = launcher()["config"]["resources"]

    assert resources["requests"]["memory"] == "350Mi"
    assert "Runs take up to 350 MB each" in GUIDE
    assert (
        launcher()["config"]["dagster_home"] == values()["global"]["dagsterHome"] == image_variables()["DAGSTER_HOME"]
    )


def test_every_pod_is_of_one_image_which_has_what_launches_runs() -> None:
    image = values()["dagsterWebserver"]["image"]
    [code] = values()["dagster-user-deployments"]["deployments"]

    assert code["image"] == image
    ours = {container["image"] for name, (_, container) in PODS.items() if name in NAMES}
    assert ours == {f"{image['repository']}:{image['tag']}"}
    assert image["tag"] == version("soundcharts-pipeline")
    needed = f"dagster-k8s=={version('dagster-k8s')}"
    assert needed in CONTAINERFILE
    assert needed in GUIDE
    assert f"version {version('dagster')}" in (FOLDER / "values.yaml").read_text()
    assert f"--version {version('dagster')}" in GUIDE


def test_processes_are_those_of_compose() -> None:
    there = {name: service.get("command") for name, service in compose()["services"].items()}
    here = {
        name.removeprefix("soundcharts-"): container["args"] for name, (_, container) in PODS.items() if name in NAMES
    }
    places = {
        "/dagster-workspace/workspace.yaml": "workspace.yaml",
        "http://soundcharts-webserver:3000": "http://webserver:3000",
    }

    assert {name: [places.get(word, word) for word in words] for name, words in here.items()} == {
        name: there[name] for name in ("admin", "daemon", "migrate")
    }
    # The chart begins its command with what is ahead of these.
    [code] = values()["dagster-user-deployments"]["deployments"]
    assert there["code"][-2:] == code["codeServerArgs"]
    assert (str(code["port"]), str(values()["dagsterWebserver"]["service"]["port"])) == (there["code"][-3], "3000")
    [server] = values()["dagsterWebserver"]["workspace"]["servers"]
    [known] = YAML(typ="safe").load(SETTINGS / "workspace.yaml")["load_from"]
    assert server == {"host": code["name"], "port": code["port"], "name": known["grpc_server"]["location_name"]}


def test_dagsters_instance_is_that_of_deploy_postgres_but_for_storage_launcher_and_output() -> None:
    theirs = YAML(typ="safe").load(SETTINGS / "dagster.yaml")
    del theirs["storage"]

    assert {**values()["additionalInstanceConfig"], "telemetry": values()["telemetry"]} == theirs
    assert values()["dagsterDaemon"] == {"enabled": False}
    assert values()["postgresql"]["enabled"] is False
    assert values()["postgresql"]["postgresqlScheme"] == "postgresql+psycopg2"


def test_every_variable_is_one_of_ours_and_secrets_are_in_secrets() -> None:
    given = sources()
    ours = re.findall(r'"([A-Z_]+)"', (PROJECT / "soundcharts_pipeline" / "config" / "environment.py").read_text())
    commented = re.findall(r"^#([A-Z_]+)=", (FOLDER / "secret.example").read_text(), re.MULTILINE)

    assert {*given["soundcharts"], *given["soundcharts-environment"], *commented} <= set(ours)
    assert not given["soundcharts"].keys() & given["soundcharts-environment"].keys()
    assert not re.search("PASSWORD|KEY|TOKEN", " ".join(given["soundcharts-environment"]))
    read_environment({**image_variables(), **given["soundcharts-environment"], **given["soundcharts"]})
    for ignored in (".gitignore", ".dockerignore"):
        assert "deploy/kubernetes/secret" in (PROJECT / ignored).read_text().splitlines()


def test_the_owners_password_is_with_the_migration_alone_and_counts_there() -> None:
    secrets = {
        name: [source["secretRef"]["name"] for source in container["envFrom"] if "secretRef" in source]
        for name, (_, container) in PODS.items()
        if name in NAMES
    }

    assert secrets.pop("soundcharts-migrate") == ["soundcharts", "soundcharts-owner"]
    assert set(map(tuple, secrets.values())) == {("soundcharts",)}


def test_the_api_is_known_to_be_well_also_while_all_others_are_away(tmp_path: Path, sqlite_url: str) -> None:
    _, container = PODS["soundcharts-admin"]
    charts = tmp_path / "charts.yaml"
    charts.write_text(CHARTS)

    with serving(charts, sqlite_url) as client:
        for probe in ("readinessProbe", "livenessProbe"):
            answer = requests.get(client.url + container[probe]["httpGet"]["path"], timeout=60)
            assert (answer.status_code, answer.history) == (200, [])
        assert client.get("/health/").status_code == 503


def test_only_the_daemon_and_the_web_server_may_ask_the_cluster() -> None:
    tokens = {name: pod.get("automountServiceAccountToken") for name, (pod, _) in PODS.items() if name in NAMES}

    assert tokens == {"soundcharts-daemon": True, "soundcharts-admin": False, "soundcharts-migrate": False}
    assert launcher()["config"]["run_k8s_config"]["pod_spec_config"]["automount_service_account_token"] is False
    assert values()["dagster-user-deployments"]["rbacEnabled"] is False
