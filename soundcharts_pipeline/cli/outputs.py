"""The two streams that a command prints to, where one takes nothing more: a log on a full disk, say.

The command goes on, for its work is worth more than its words; what was lost is said at the end, and its exit code is
no 0. Where the reader of a pipe has gone (`| head`) the command ends, as others do.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedWriter, RawIOBase, TextIOWrapper
from typing import TYPE_CHECKING, Any, TextIO

from soundcharts_pipeline.cli.exit import FAILED, OK, complain

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


@contextmanager
def told_outputs() -> Iterator[None]:
    """Raises SystemExit with the command's own code, or FAILED where that would be 0 and its output was lost."""
    kept = sys.stdout, sys.stderr
    (sys.stdout, out), (sys.stderr, err) = _watched(sys.stdout), _watched(sys.stderr, always=True)
    code: Any = OK
    try:
        yield
    except SystemExit as exited:
        code = exited.code
    finally:
        for stream in (sys.stdout, sys.stderr):
            with suppress(BrokenPipeError):
                if stream is not None:
                    stream.flush()
        for watched in (out, err):
            watched.is_over = True
        sys.stdout, sys.stderr = kept
    if out.lost:
        complain(
            "Error",
            f"standard output cannot be written ({os.strerror(out.lost)}): what the command printed is lost, what it "
            "did is not; make room there, or send it elsewhere",
        )
    sys.exit(FAILED if (out.lost or out.is_unread) and code in (None, OK) else code)


class _Watched(RawIOBase):
    """A stream that keeps its first failure to itself; `always`: also that its reader has gone."""

    def __init__(self, raw: Any, *, always: bool) -> None:
        self._raw, self._always = raw, always
        self.lost = 0
        self.is_unread = self.is_over = False

    def writable(self) -> bool:
        return True

    def isatty(self) -> bool:
        return bool(self._raw.isatty())

    def fileno(self) -> int:
        return int(self._raw.fileno())

    def write(self, data: "ReadableBuffer") -> int | None:
        if not (self.lost or self.is_over):
            try:
                written: int | None = self._raw.write(data)
            except BrokenPipeError:
                self.is_unread = True
                if not self._always:
                    raise
            except OSError as error:
                self.lost = error.errno or FAILED
            else:
                return written
        return memoryview(data).nbytes


def _watched(stream: TextIO, *, always: bool = False) -> tuple[TextIO, _Watched]:
    buffer = getattr(stream, "buffer", None)
    raw = _Watched(getattr(buffer, "raw", buffer), always=always)
    if not isinstance(stream, TextIOWrapper):  # none, or a test's
        return stream, raw
    stream.flush()
    text = TextIOWrapper(
        BufferedWriter(raw),
        encoding=stream.encoding,
        errors=stream.errors,
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
    return text, raw
