"""What the internal API says, as JSON: the status of a chart, and errors with their remedy."""

from collections.abc import Mapping

from starlette.responses import Response

from soundcharts_pipeline.monitoring.as_json import as_json


class HttpRefusal(Exception):
    """A request that is not done: the status, what is wrong, what to do, and more fields of the answer."""

    def __init__(
        self,
        status: int,
        error: str,
        remedy: str,
        *,
        headers: Mapping[str, str] | None = None,
        more: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(error)
        self.status, self.headers = status, headers
        self.body = {"error": error, "remedy": remedy, **(more or {})}

    def answer(self) -> Response:
        return json_answer(self.body, self.status, self.headers)


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    return Response(as_json(content), status, headers, media_type="application/json")
