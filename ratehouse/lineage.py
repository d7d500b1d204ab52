"""The SQL that made each published number: compiled models and what each stands on, up to the facts.

Publishing copies it beside the marts (schema `made` of the serving file), so that what is shown is what was run. Belongs here:
taking it from what dbt left, and reading it back. Does not belong here: what a model computes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from ratehouse.errors import RatehouseError
from ratehouse.ledger import digest
from ratehouse.settings import Settings

# Models of what is only kept for Great Expectations or previews have no place in the story of a number.
_KINDS = ("model", "seed", "source")


class NotMade(RatehouseError):
    """Nothing is known about how a relation was made."""


@dataclass(frozen=True)
class Model:
    """One step of the way from facts to a number.

    Attributes:
        relation: schema and name, as in marts.invoices.
        kind: model, seed (a reference table) or source (facts of the lake, documents of the ledger).
        description: what it is.
        path: the file in the project that says it; empty for a source.
        sql: what the engine ran, macros and references resolved; empty where nothing runs.
        parents: the relations that it reads.
        key: the columns that identify a row, tested; none where no test says so.
        sql_hash: of its SQL and of all that it stands on.
    """

    relation: str
    kind: str
    description: str
    path: str
    sql: str
    parents: tuple[str, ...]
    key: tuple[str, ...]
    sql_hash: str


def built(settings: Settings) -> dict[str, Model]:
    """Every relation of the project as dbt built it last, by its name; nothing where dbt never ran."""
    target = settings.warehouse_path.parent / "dbt_target"
    manifest = target / "manifest.json"
    if not manifest.exists():
        return {}
    document = json.loads(manifest.read_text(encoding="utf-8"))
    nodes = {
        unique_id: node
        for unique_id, node in (document["nodes"] | document["sources"]).items()
        if node["resource_type"] in _KINDS
    }
    names = {unique_id: f"{node['schema']}.{node['name']}" for unique_id, node in nodes.items()}
    keys = dict(_keys(document["nodes"].values()))
    texts = {unique_id: _sql(target, node) for unique_id, node in nodes.items()}
    hashes: dict[str, str] = {}

    def hash_of(unique_id: str) -> str:
        if unique_id not in hashes:
            parents = sorted(_parents(nodes[unique_id], nodes))
            hashes[unique_id] = digest([texts[unique_id], *(hash_of(parent) for parent in parents)])
        return hashes[unique_id]

    return {
        names[unique_id]: Model(
            relation=names[unique_id],
            kind=node["resource_type"],
            description=" ".join(str(node["description"]).split()),
            path="" if node["resource_type"] == "source" else f"dbt_project/{node['original_file_path']}",
            sql=texts[unique_id],
            parents=tuple(sorted(names[parent] for parent in _parents(node, nodes))),
            key=keys.get(unique_id, ()),
            sql_hash=hash_of(unique_id),
        )
        for unique_id, node in nodes.items()
    }


def publish(connection: duckdb.DuckDBPyConnection, models: dict[str, Model], database: str) -> None:
    """Write the models to `database`.made.models."""
    connection.execute(f"create schema {database}.made")
    connection.execute(
        f"create table {database}.made.models (relation varchar, kind varchar, description varchar, path varchar,"
        " sql varchar, parents varchar[], key varchar[], sql_hash varchar)"
    )
    if models:
        connection.executemany(
            f"insert into {database}.made.models values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (one.relation, one.kind, one.description, one.path, one.sql, list(one.parents), list(one.key), one.sql_hash)
                for one in models.values()
            ],
        )  # fmt: skip


def published(connection: duckdb.DuckDBPyConnection, database: str = "serving") -> dict[str, Model]:
    """The models of a published file, by relation.

    Args:
        connection: with the file open or attached.
        database: its name in the connection.

    Raises:
        NotMade: the file was published by a version that kept no SQL.
    """
    try:
        rows = connection.execute(
            f"select relation, kind, description, path, sql, parents, key, sql_hash from {database}.made.models"
        ).fetchall()
    except duckdb.CatalogException as error:
        raise NotMade("What is published holds no SQL; the next `ratehouse run` publishes it.") from error
    return {
        relation: Model(
            relation, kind, description, path, sql, tuple(parents or ()), tuple(key or ()), sql_hash
        )
        for relation, kind, description, path, sql, parents, key, sql_hash in rows
    }


def ancestry(models: dict[str, Model], relation: str) -> list[tuple[int, Model]]:
    """A relation and all that it stands on, nearest first, each with how many steps away it is.

    Raises:
        NotMade: there is no such relation.
    """
    if relation not in models:
        raise NotMade(f"There is no relation {relation}; `ratehouse sql` without a name lists them.")
    distance = {relation: 0}
    waiting = [relation]
    while waiting:
        name = waiting.pop(0)
        for parent in models[name].parents:
            if parent in models and parent not in distance:
                distance[parent] = distance[name] + 1
                waiting.append(parent)
    return sorted(
        ((steps, models[name]) for name, steps in distance.items()), key=lambda one: (one[0], one[1].relation)
    )


def _parents(node: dict[str, Any], nodes: dict[str, Any]) -> list[str]:
    return [one for one in node.get("depends_on", {}).get("nodes", []) if one in nodes]


def _sql(target: Path, node: dict[str, Any]) -> str:
    if node["resource_type"] != "model":
        return ""
    compiled = target / "compiled" / node["package_name"] / node["original_file_path"]
    return compiled.read_text(encoding="utf-8").strip() if compiled.exists() else ""


def _keys(nodes: Iterable[dict[str, Any]]) -> Iterable[tuple[str, tuple[str, ...]]]:
    """What a test says identifies a row; of several the first named."""
    seen = set()
    for node in nodes:
        metadata = node.get("test_metadata") or {}
        attached = node.get("attached_node")
        if metadata.get("name") == "unique_combination" and attached and attached not in seen:
            seen.add(attached)
            yield attached, tuple(metadata["kwargs"]["columns"])
