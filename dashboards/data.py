"""The one door between the pages and the published marts.

Belongs here: opening the serving file, running the queries of `queries/*.sql` for one tenant, caching. Does
not belong here: SQL text, and what a page does with the rows. The warehouse file is never opened.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import streamlit as st

from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

QUERIES = Path(__file__).with_name("queries")
TTL_SECONDS = 600

Row = dict[str, Any]
Version = tuple[str, int, int]
"""Path, inode and modification time: what tells one published file from the next."""

Result = TypeVar("Result")


class NothingPublished(RatehouseError):
    """There is no serving file yet."""


def version() -> Version:
    """Which published file the pages read now.

    Raises:
        NothingPublished: none has been published.
    """
    path = Settings.load().serving_path
    try:
        found = path.stat()
    except FileNotFoundError as error:
        raise NothingPublished(f"There is no serving file at {path}.") from error
    return str(path), found.st_ino, found.st_mtime_ns


def published_at() -> datetime:
    """When the file that is read now was published (UTC)."""
    return datetime.fromtimestamp(version()[2] / 1_000_000_000, UTC)


def cursor() -> duckdb.DuckDBPyConnection:
    """A cursor of its own on the published file; threads share the connection, never a cursor."""
    opened = _connection(version()).cursor()
    opened.execute("use serving")
    return opened


def tenants() -> list[Row]:
    """Who a finance user may choose: tenant_id, name, currency, timezone and the two clocks (UTC)."""
    return _tenants(version())


def query(name: str, tenant_id: str, **parameters: Any) -> list[Row]:
    """The rows of `queries/<name>.sql` for one tenant.

    Args:
        name: the file, without its ending.
        tenant_id: whose rows; every query asks for it.
        parameters: what the query names further, as `$name`. Amounts come back as Decimal, instants in UTC.
    """
    return _query(version(), name, tenant_id, tuple(sorted(parameters.items())))


def text_of(name: str) -> str:
    """The SQL of `queries/<name>.sql`."""
    return _sql(name)


def remembered(key: tuple[Any, ...], make: Callable[[duckdb.DuckDBPyConnection], Result]) -> Result:
    """What `make` reads from the published file, kept as long as that file is the newest.

    Args:
        key: tells one result from another; the tenant belongs in it.
        make: reads with the cursor it is given.
    """
    result: Result = _remembered(version(), key, make)
    return result


@st.cache_resource(ttl=TTL_SECONDS * 6, max_entries=2, show_spinner=False)
def _connection(of: Version) -> duckdb.DuckDBPyConnection:
    # Attached to an instance of its own: a second `duckdb.connect` of the same path would share the file that
    # is open already, also after another was renamed over it.
    connection = duckdb.connect(":memory:")
    connection.execute("set global TimeZone = 'UTC'")
    path = of[0].replace("'", "''")
    connection.execute(f"attach '{path}' as serving (read_only)")
    return connection


@st.cache_data(ttl=TTL_SECONDS, max_entries=50, show_spinner=False)
def _tenants(of: Version) -> list[Row]:
    return _rows(of, _sql("tenants"), {})


@st.cache_data(ttl=TTL_SECONDS, max_entries=1000, show_spinner=False)
def _query(of: Version, name: str, tenant_id: str, parameters: tuple[tuple[str, Any], ...]) -> list[Row]:
    return _rows(of, _sql(name), {"tenant": tenant_id, **dict(parameters)})


@st.cache_data(ttl=TTL_SECONDS, max_entries=200, show_spinner=False)
def _remembered(of: Version, key: tuple[Any, ...], _make: Callable[[duckdb.DuckDBPyConnection], Any]) -> Any:
    return _make(cursor())


def _rows(of: Version, sql: str, parameters: dict[str, Any]) -> list[Row]:
    own = _connection(of).cursor()
    own.execute("use serving")
    own.execute(sql, parameters)
    names = [column[0] for column in own.description or ()]
    return [dict(zip(names, row, strict=True)) for row in own.fetchall()]


@cache
def _sql(name: str) -> str:
    return (QUERIES / f"{name}.sql").read_text(encoding="utf-8")
