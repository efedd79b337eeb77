"""The client of these tests: plain calls, and pages walked by offset to the total."""

from typing import Any

import requests

from soundcharts_pipeline.simulator import Simulator

BAD_GUY = "7d534228-5165-11e9-9375-549f35161576"
BILLIE = "11e81bcc-9c1c-ce38-b96b-a0369fe50396"
TONES = "ca22091a-3c00-11e9-974f-549f35141000"
RANKING = "/api/v2.14/chart/song/{}/ranking/{}"


class Api:
    """Calls with the sandbox's header pair."""

    def __init__(self, simulator: Simulator) -> None:
        self.url = simulator.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers.update({"x-app-id": "soundcharts", "x-api-key": "soundcharts"})

    def call(self, path: str, **query: str | int) -> requests.Response:
        """One call, whatever it answers."""
        return self.session.get(self.url + path, params=query, timeout=60)

    def get(self, path: str, **query: str | int) -> Any:
        """The body of a call that must succeed."""
        response = self.call(path, **query)
        assert response.status_code == 200, response.text
        return response.json()

    def refused(self, path: str, **query: str | int) -> tuple[int, str]:
        """Status and message of a call that must not."""
        response = self.call(path, **query)
        error = response.json()["errors"][0]
        assert error["code"] == response.status_code
        return response.status_code, error["message"]

    def items(self, path: str, **query: str | int) -> list[Any]:
        """All items of a collection."""
        found: list[Any] = []
        while True:
            body = self.get(path, **query, offset=len(found))
            found += body["items"]
            if len(found) >= body["page"]["total"] or not body["items"]:
                assert len(found) == body["page"]["total"]
                return found

    def control(self, action: str, **settings: Any) -> requests.Response:
        """One of the controls."""
        return self.session.post(f"{self.url}/_simulator/{action}", json=settings, timeout=60)
