"""Which database URLs are taken, and what is said of the others."""

import traceback

import pytest

from soundcharts_pipeline.storage.engine import parse_url
from soundcharts_pipeline.storage.errors import StorageUnavailable, place


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///file:x?mode=memory&uri=true"])
def test_an_in_memory_database_is_refused(url: str) -> None:
    with pytest.raises(StorageUnavailable, match="needs a database file"):
        parse_url(url)


@pytest.mark.parametrize(
    "url", ["mysql://h/d", "postgresql://h/d", "postgresql+psycopg://h/d", "sqlite+aiosqlite:///x"]
)
def test_another_database_or_driver_is_refused(url: str) -> None:
    with pytest.raises(StorageUnavailable, match=r"use sqlite:/// or postgresql\+psycopg2://"):
        parse_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3cret",
        "postgresql+psycopg2://user:p:s3cret@host:s3cret/db",
        "postgresql+psycopg2://user:s3cret@s3cret@host/db",
        "postgresql+psycopg2://user:p@s3cret:x@host/db",
    ],
)
def test_a_url_that_cannot_be_read_is_not_repeated(url: str) -> None:
    with pytest.raises(StorageUnavailable) as caught:
        parse_url(url)
    assert "s3cret" not in "".join(traceback.format_exception_only(caught.value))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("sqlite:////data/x.db", "the SQLite database /data/x.db"),
        ("postgresql+psycopg2://u:p@db:5433/m", "PostgreSQL at db:5433, database 'm', user 'u'"),
        ("postgresql+psycopg2://u@/m?host=/run/pg", "PostgreSQL at /run/pg, database 'm', user 'u'"),
        ("postgresql+psycopg2://u@/m", "PostgreSQL at the local socket, database 'm', user 'u'"),
    ],
)
def test_a_place_is_described_without_secrets(url: str, expected: str) -> None:
    assert place(parse_url(url)) == expected
