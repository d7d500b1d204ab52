"""The warehouse file: opening it under the one writer lock, building it with dbt, publishing it for readers.

The file is a build product: delete it, build again, and every number comes back. Belongs here: connections, the lock, the raw and
ledger views, running dbt, publishing. Does not belong here: any rule (that is `dbt_project/`) and what is done with the result.
"""

from __future__ import annotations

import gc
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from filelock import FileLock, Timeout

from ratehouse import lineage, publishes
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.ledger import ledger_files
from ratehouse.ledger_schema import RELATIONS
from ratehouse.preview import publish_models
from ratehouse.settings import Settings
from ratehouse.stream_schema import STREAMS, empty

LOCK_TIMEOUT_SECONDS = 600.0
# Leaves the manifest and the compiled SQL of the last whole build, which previews and people read; writing all takes a second.
NO_ARTIFACTS = ("--no-write-json",)
_EXTRA_STREAMS = ("rejected",)
# In the order in which they stand on each other; the serving file has them as views, not as copies.
_PUBLISHED_VIEWS = (
    "raw.usage_events",
    "staging.stg_ratehouse__usage_events",
    "marts.usage_events",
    "marts.metered_events",
)


class WarehouseBusy(RatehouseError):
    """Another process is writing the warehouse file."""


class BuildFailed(RatehouseError):
    """dbt refused or failed; the message holds its own words about each failed node."""


@contextmanager
def writer(settings: Settings, *, timeout: float = LOCK_TIMEOUT_SECONDS) -> Iterator[None]:
    """Hold the one writer lock of the warehouse file.

    Raises:
        WarehouseBusy: another writer did not finish within `timeout` seconds.
    """
    settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(str(settings.lock_path))
    try:
        lock.acquire(timeout=timeout)
    except Timeout as error:
        raise WarehouseBusy(
            f"Another run is writing {settings.warehouse_path}; wait for it to finish, then start again."
        ) from error
    try:
        yield
    finally:
        lock.release()


@contextmanager
def connect(settings: Settings, *, read_only: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the warehouse file in UTC with the limits of the settings. Writers hold `writer` around it."""
    settings.warehouse_path.parent.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {"preserve_insertion_order": "false"}
    if settings.memory_limit:
        config["memory_limit"] = settings.memory_limit
    if settings.threads:
        config["threads"] = settings.threads
    connection = duckdb.connect(str(settings.warehouse_path), read_only=read_only, config=config)
    try:
        connection.execute("set TimeZone = 'UTC'")
        Lake(settings.lake_url).register(connection)
        yield connection
    finally:
        connection.close()


def prepare(settings: Settings, lake: Lake) -> None:
    """Point the `raw` and `ledger` views at the lake's files as they are now."""
    with connect(settings) as connection:
        for schema in ("raw", "ledger", "staging", "intermediate", "marts"):
            connection.execute(f"create schema if not exists {schema}")
        for name in (*STREAMS, *_EXTRA_STREAMS):
            _view(connection, f"raw.{name}", lake.files(f"raw/{name}"), empty(name).schema)
        for name, files in ledger_files(lake).items():
            _view(connection, f"ledger.{name}", files, RELATIONS[name])


def build(
    settings: Settings,
    *,
    select: Sequence[str] = (),
    exclude: Sequence[str] = (),
    selector: str | None = None,
    command: str = "build",
    variables: Mapping[str, Any] | None = None,
    flags: Sequence[str] = (),
    target: Path | None = None,
    callbacks: Sequence[Callable[[Any], None]] = (),
) -> None:
    """Run dbt in this process on the warehouse file.

    Args:
        settings: where the file and the project are.
        select: dbt selectors; none selects everything.
        exclude: dbt selectors to leave out.
        selector: one of those that the project names, instead of both.
        command: `run` (models), `build` (seeds, models, tests), `seed`, `test`, `compile`, `parse`.
        variables: dbt variables.
        flags: further arguments of dbt.
        target: where dbt leaves its artifacts; by default beside the warehouse file.
        callbacks: called with every event of dbt, as it happens.

    Raises:
        BuildFailed: a node failed; what dbt said about it is in the message.
    """
    # Imported late: it takes a second, and few commands need it.
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager
    from dbt.cli.main import dbtRunner

    project = str(settings.dbt_project_dir)
    target = target or settings.warehouse_path.parent / "dbt_target"
    arguments = [command, "--project-dir", project, "--profiles-dir", project, "--target-path", str(target)]
    # What failed is in the error, and what a model was, in the target: twenty lines on each are a tenth of a small build.
    arguments += ["--log-level", "none", "--log-level-file", "none", "--log-path", str(target)]
    if select:
        arguments += ["--select", *select]
    if exclude:
        arguments += ["--exclude", *exclude]
    if selector:
        arguments += ["--selector", selector]
    if variables:
        import json

        arguments += ["--vars", json.dumps(dict(variables))]
    arguments += flags
    with environment(settings), _without_collections(), _parsed_once(settings, target):
        try:
            result = dbtRunner(callbacks=list(callbacks)).invoke(arguments)
        finally:
            # dbt keeps its connection open; the file must be free for the next step and for other processes.
            DuckDBConnectionManager.close_all_connections()
    if not result.success:
        raise BuildFailed(_explain(command, result)) from result.exception


def build_on_ledger(settings: Settings, lake: Lake, relations: Sequence[str] = ()) -> None:
    """Build what reads the ledger again, or only what reads the given relations of it, after something was appended."""
    prepare(settings, lake)
    select = [f"source:ledger.{name}+" for name in relations or ("*",)]
    build(settings, command="run", select=select, flags=NO_ARTIFACTS)


def seed(settings: Settings) -> None:
    """Load the reference tables, unless the file has them as they are now."""
    with connect(settings) as connection:
        for path in sorted((settings.dbt_project_dir / "seeds").glob("*.csv")):
            found = connection.execute(
                "select count(*) from duckdb_tables() where schema_name = 'intermediate' and table_name = ?",
                [path.stem],
            ).fetchone()
            if not found or not found[0]:
                break
            fresh = f"select * from read_csv('{path}', header = true)"
            differing = connection.execute(
                f"select count(*) from ((select * from intermediate.{path.stem} except {fresh})"
                f" union all ({fresh} except select * from intermediate.{path.stem}))"
            ).fetchone()
            if differing and differing[0]:
                break
        else:
            return
    build(settings, command="seed", flags=NO_ARTIFACTS)


def publish(settings: Settings) -> Path:
    """Copy the public schema to a new serving file and rename it over the old one; open readers keep what they have.

    Events are not copied: their views are published as views, which read the lake's files where they lie. Beside the
    marts stand the SQL that made them and what a preview of a change runs on. The marts with money in them stay for
    comparison when the next file takes this one's place.
    """
    settings.serving_dir.mkdir(parents=True, exist_ok=True)
    fresh = settings.serving_dir / f".publishing-{os.getpid()}.duckdb"
    for abandoned in settings.serving_dir.glob(".publishing-*"):
        abandoned.unlink()
    with connect(settings) as connection:
        connection.execute(f"attach '{fresh}' as serving")
        try:
            connection.execute("create schema serving.marts")
            for (name,) in connection.execute(
                "select table_name from information_schema.tables"
                " where table_catalog = current_database() and table_schema = 'marts' order by all"
            ).fetchall():
                if f"marts.{name}" not in _PUBLISHED_VIEWS:
                    connection.execute(f'create table serving.marts."{name}" as from marts."{name}"')
            _publish_views(connection)
            publish_models(connection, settings, "serving")
            models = lineage.built(settings)
            lineage.publish(connection, models, "serving")
            kept = publishes.keep(connection, settings, models, "serving")
        except BaseException:
            connection.execute("detach serving")
            fresh.unlink()
            raise
        connection.execute("detach serving")
    fresh.replace(settings.serving_path)
    if kept is not None:
        publishes.finish(settings, kept)
    return settings.serving_path


def _publish_views(connection: duckdb.DuckDBPyConnection) -> None:
    definitions = {
        f"{schema}.{name}": sql
        for schema, name, sql in connection.execute(
            "select schema_name, view_name, sql from duckdb_views() where database_name = current_database()"
        ).fetchall()
    }
    ((warehouse,),) = connection.execute("select current_database()").fetchall()
    connection.execute("use serving")
    try:
        for view in _PUBLISHED_VIEWS:
            if view in definitions:
                schema = view.split(".")[0]
                connection.execute(f"create schema if not exists {schema}")
                # The definition names no database, so its names mean the serving file's own relations.
                connection.execute(definitions[view])
    finally:
        connection.execute(f'use "{warehouse}"')


def remove(settings: Settings) -> None:
    """Delete the warehouse file; the lake is the truth. What dbt remembers of the project's own files stays."""
    for path in (
        settings.warehouse_path,
        settings.warehouse_path.with_name(settings.warehouse_path.name + ".wal"),
    ):
        path.unlink(missing_ok=True)


def _view(
    connection: duckdb.DuckDBPyConnection, relation: str, files: Sequence[str], schema: pa.Schema
) -> None:
    present: set[str] = set()
    source = "(select 1 where false)"
    if files:
        listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        source = f"read_parquet([{listed}], union_by_name = true, hive_partitioning = false)"
        present = {name for name, *_ in connection.execute(f"describe select * from {source}").fetchall()}
    # A column that came with a later version is in none of the files of an earlier one.
    values = {name: f'"{name}"' if name in present else "null" for name in schema.names}
    columns = ", ".join(
        f'cast({values[field.name]} as {_duckdb_type(field.type)}) as "{field.name}"' for field in schema
    )
    connection.execute(f"create or replace view {relation} as select {columns} from {source}")


def _duckdb_type(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamp with time zone"
    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision}, {kind.scale})"
    names = {pa.string(): "varchar", pa.date32(): "date", pa.int64(): "bigint", pa.bool_(): "boolean"}
    return names[kind]


@contextmanager
def _parsed_once(settings: Settings, target: Path) -> Iterator[None]:
    """Start with what dbt parsed of the project for another home: parsing all of it takes as long as a small build.

    dbt compares it file by file with the project as it is and parses again what differs; that is left for the next home.
    """
    _parse_for_any_path()
    own = target / "partial_parse.msgpack"
    # Every relation is named with its database, which has the name of the file.
    shared = settings.dbt_project_dir / "target" / f"parsed_for_{settings.warehouse_path.stem}.msgpack"
    if not own.exists() and shared.exists():
        target.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(shared, own)
    before = _written(own)
    yield
    if _written(own) != before and os.access(settings.dbt_project_dir, os.W_OK):
        shared.parent.mkdir(exist_ok=True)
        fresh = shared.with_suffix(f".{os.getpid()}")
        shutil.copyfile(own, fresh)
        fresh.replace(shared)


def _written(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


@cache
def _parse_for_any_path() -> None:
    """No model asks where the warehouse file lies, but dbt would parse the whole project again for each place."""
    from dbt.adapters.duckdb.credentials import DuckDBCredentials

    keys = DuckDBCredentials._connection_keys
    DuckDBCredentials._connection_keys = lambda self: tuple(  # type: ignore[method-assign]
        key for key in keys(self) if key != "path"
    )


@contextmanager
def _without_collections() -> Iterator[None]:
    """Walking the objects of the whole project, which live until dbt ends, again and again is a sixth of a build."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


@contextmanager
def environment(settings: Settings) -> Iterator[None]:
    """What profiles.yml reads, for the time of one dbt call."""
    wanted = {
        "RATEHOUSE_LAKE": settings.lake_url,
        "RATEHOUSE_WAREHOUSE": str(settings.warehouse_path),
        "RATEHOUSE_THREADS": str(settings.threads or os.cpu_count() or 1),
        "RATEHOUSE_MEMORY_LIMIT": settings.memory_limit or "8GB",
        "RATEHOUSE_RULES": _rules(settings.dbt_project_dir),
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _rules(project: Path) -> str:
    """A hash of the project's SQL and reference tables: what was made under other rules is made again."""
    content = hashlib.sha256()
    for pattern in ("macros/**/*.sql", "models/**/*.sql", "seeds/*.csv"):
        for path in sorted(project.glob(pattern)):
            content.update(path.read_bytes())
    return content.hexdigest()


def _explain(command: str, result: Any) -> str:
    if result.exception is not None:
        return f"dbt {command} failed: {result.exception}"
    failed = [
        f"{node.node.name}: {(node.message or '').strip()}"
        for node in getattr(result.result, "results", [])
        if str(node.status) in ("error", "fail", "runtime error")
    ]
    return f"dbt {command} failed in {len(failed)} node(s):\n" + "\n".join(failed)
