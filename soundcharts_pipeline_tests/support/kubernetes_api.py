"""As much of Kubernetes as a launcher of runs sees: its API over HTTP, and a process of this host for each pod.

A Job is refused that the cluster's own schema would refuse. Its one container is started with the environment that the
image, ConfigMaps and Secrets give it, and with nothing of the test's.
"""

import json
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import kubernetes_validate  # type: ignore[import-untyped]

# The oldest that somebody may reasonably have.
OLDEST = "1.25"
KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "current-context": "test",
    "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
    "users": [{"name": "test", "user": {}}],
}


@dataclass
class Cluster:
    """What there is. `sources` are the variables of ConfigMaps and Secrets by name, `image` those of the image."""

    url: str
    folder: Path
    image: Mapping[str, str]
    sources: Mapping[str, Mapping[str, str]]
    jobs: dict[str, Any] = field(default_factory=dict)
    pods: "dict[str, subprocess.Popen[bytes]]" = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    is_away: bool = False

    @property
    def kubeconfig(self) -> Path:
        """The file by which clients find this cluster."""
        return self.folder / "kubeconfig"

    def create(self, job: dict[str, Any]) -> Mapping[str, Any]:
        """Start the Job's pod."""
        kubernetes_validate.validate(job, OLDEST, strict=True)
        name = job["metadata"]["name"]
        [container] = job["spec"]["template"]["spec"]["containers"]
        with (self.folder / f"{name}.log").open("w") as log:
            self.pods[name] = subprocess.Popen(
                [*container.get("command", ()), *container["args"]],
                cwd=self.folder,
                env=self._environ(container),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.jobs[name] = job
        return job

    def delete_pod(self, name: str) -> dict[str, Any]:
        """Tell its process to end, as the kubelet does."""
        self.pods[name].send_signal(signal.SIGTERM)
        return self.pod(name)

    def job(self, name: str) -> Mapping[str, Any]:
        code = self.pods[name].poll()
        state = {"active": 1} if code is None else {"succeeded": 1} if code == 0 else {"failed": 1}
        return {**self.jobs[name], "status": state}

    def pod(self, name: str) -> dict[str, Any]:
        code = self.pods[name].poll()
        phase = "Running" if code is None else "Succeeded" if code == 0 else "Failed"
        return {"metadata": {"name": name}, "status": {"phase": phase}}

    def _environ(self, container: Mapping[str, Any]) -> dict[str, str]:
        found = dict(self.image)
        for source in container["envFrom"]:
            [reference] = source.values()
            found |= self.sources[reference["name"]]
        for variable in container["env"]:
            secret = variable.get("valueFrom", {}).get("secretKeyRef")
            found[variable["name"]] = self.sources[secret["name"]][secret["key"]] if secret else variable["value"]
        return found


@contextmanager
def running_cluster(
    folder: Path, image: Mapping[str, str], sources: Mapping[str, Mapping[str, str]]
) -> Iterator[Cluster]:
    """A cluster without Jobs, on loopback; every process of it is gone at the end."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    cluster = Cluster(f"http://127.0.0.1:{server.server_port}", folder, image, sources)
    found_by = KUBECONFIG | {"clusters": [{"name": "test", "cluster": {"server": cluster.url}}]}
    cluster.kubeconfig.write_text(json.dumps(found_by))
    server.RequestHandlerClass = type("Handler", (_Handler,), {"cluster": cluster})
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield cluster
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        for process in cluster.pods.values():
            process.kill()
            process.wait()


class _Handler(BaseHTTPRequestHandler):
    """Paths as the API has them: .../namespaces/NAMESPACE/KIND[/NAME[/status]]."""

    cluster: Cluster
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def log_message(self, *_: object) -> None:
        """Tests fail by what was asked, not by a log."""

    def _answer(self) -> None:
        address = urlsplit(self.path)
        words = address.path.partition("/namespaces/")[2].split("/")[1:]
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.cluster.asked.append(f"{self.command} {words[0]}")
        if self.cluster.is_away:
            self.close_connection = True
            return
        found = self._found(words, parse_qs(address.query), body)
        status = 404 if found is None else 200
        text = json.dumps(found or {"kind": "Status", "apiVersion": "v1", "code": status}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def _found(self, words: list[str], query: dict[str, list[str]], body: bytes) -> Mapping[str, Any] | None:
        """None: there is no such thing."""
        cluster, kind, name = self.cluster, words[0], words[1] if len(words) > 1 else ""
        if self.command == "POST":
            return cluster.create(json.loads(body))
        if kind == "events":
            return {"items": []}
        if not name:
            selected = "".join(query.get("labelSelector", []) + query.get("fieldSelector", [])).partition("=")[2]
            found = cluster.pods if kind == "pods" else cluster.jobs
            return {"items": [getattr(cluster, kind[:-1])(one) for one in found if one == selected]}
        if name not in cluster.jobs and not (kind == "pods" and name in cluster.pods):
            return None
        if self.command == "DELETE":
            return cluster.delete_pod(name) if kind == "pods" else cluster.jobs.pop(name)
        return cluster.pod(name) if kind == "pods" else cluster.job(name)
