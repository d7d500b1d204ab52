"""The pure parts: arguments, partitions, the cut at the issue step, the manifest's age."""

from __future__ import annotations

import inspect
import os
import re
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from dagster import AssetKey

from orchestration.dev import prepare_home
from orchestration.lib import dbt_arguments
from orchestration.lib.dbt_manifest import is_fresh
from orchestration.lib.dbt_translator import ISSUE_READS, RatehouseTranslator
from orchestration.lib.names import CLOCKS, LEDGER
from orchestration.lib.partitions import days_of, first_received_day, received_day
from orchestration.lib.resources import BillingNight
from ratehouse import ledger
from ratehouse.configuration import Configuration
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.tenant import parse_tenant


def test_received_days_are_read_from_paths(tmp_path: Path) -> None:
    assert received_day("s3://lake/raw/usage_events/received_on=2026-11-01/b.parquet") == date(2026, 11, 1)
    assert received_day("lake/raw/customers/b.parquet") is None
    assert days_of(["2026-11-02", "2026-11-01"]) == [date(2026, 11, 1), date(2026, 11, 2)]
    lake = Lake(str(tmp_path))
    assert first_received_day(lake, default=date(2026, 5, 5)) == date(2026, 5, 5)
    for day in ("2026-11-03", "2026-11-01"):
        lake.write("raw/usage_events", "b", pa.table({"a": [1]}), partition=f"received_on={day}")
    assert first_received_day(lake, default=date(2026, 12, 1)) == date(2026, 11, 1)


def _node(name: str, *parents: str, view: bool = False) -> dict[str, Any]:
    return {
        "name": name,
        "alias": name,
        "schema": "s",
        "resource_type": "model",
        "unique_id": f"model.p.{name}",
        "fqn": ["p", "folder", "inner", name],
        "config": {"materialized": "view" if view else "table"},
        "depends_on": {"nodes": list(parents)},
        "description": "",
    }


@pytest.fixture
def manifest() -> dict[str, Any]:
    models = [
        _node("stg_issued", "source.p.ledger.invoices", view=True),
        _node("billed", "model.p.stg_issued"),
        _node("int_invoicing__due_lines", "model.p.billed"),
        _node("int_credits__due_draws", "model.p.int_invoicing__due_lines"),
        _node("int_credits__due_note_uses", "model.p.int_credits__due_draws"),
        _node("int_invoicing__due_documents", "model.p.int_credits__due_draws", "model.p.stg_issued"),
        _node("invoices", "model.p.stg_issued"),
        _node("upcoming", "model.p.int_invoicing__due_lines"),
    ]
    parents = {model["unique_id"]: model["depends_on"]["nodes"] for model in models}
    children: dict[str, list[str]] = {}
    for child, above in parents.items():
        for parent in above:
            children.setdefault(parent, []).append(child)
    source = {
        "name": "invoices",
        "identifier": "invoices",
        "schema": "ledger",
        "source_name": "ledger",
        "resource_type": "source",
        "unique_id": "source.p.ledger.invoices",
        "fqn": ["p", "ledger", "invoices"],
        "config": {},
        "description": "",
    }
    return {
        "metadata": {"adapter_type": "duckdb"},
        "nodes": {model["unique_id"]: model for model in models},
        "sources": {source["unique_id"]: source},
        "exposures": {},
        "parent_map": {**parents, source["unique_id"]: []},
        "child_map": children,
    }


def test_a_call_names_models_by_their_full_path_and_leaves_unit_tests_out(manifest: dict[str, Any]) -> None:
    asked = dbt_arguments.call(manifest, ["model.p.billed"], ["test.p.t"], also=["model.p.upcoming"])
    assert asked.command == "build"
    assert asked.select == ("p.folder.inner.billed", "p.folder.inner.upcoming")
    assert asked.flags == ("--exclude-resource-type", "unit_test", "--indirect-selection", "buildable")


def test_checks_alone_are_tests_alone(manifest: dict[str, Any]) -> None:
    manifest["nodes"]["test.p.t"] = {"name": "t"}
    asked = dbt_arguments.call(manifest, [], ["test.p.t"])
    assert (asked.command, asked.select, asked.flags) == ("test", ("t",), ("--indirect-selection", "empty"))


def test_the_issue_step_cuts_the_graph_without_a_cycle(manifest: dict[str, Any]) -> None:
    translator = RatehouseTranslator(manifest)
    deps = {
        name.rpartition(".")[2]: {
            dep.asset_key for dep in translator.get_asset_spec(manifest, name, None).deps
        }
        for name in manifest["nodes"]
    }
    assert deps["stg_issued"] == {CLOCKS}  # the ledger as it was when the night began
    assert deps["billed"] == {AssetKey(["s", "stg_issued"])}
    assert set(LEDGER) <= deps["invoices"] and set(LEDGER) <= deps["upcoming"]
    assert translator.billed_side == {
        "model.p.billed",
        "model.p.int_invoicing__due_lines",
        "model.p.int_credits__due_draws",
        "model.p.int_credits__due_note_uses",
        "model.p.int_invoicing__due_documents",
    }
    assert translator.after_issue == {AssetKey(["s", "invoices"]), AssetKey(["s", "upcoming"])}
    assert translator.get_asset_spec(manifest, "model.p.billed", None).group_name == "folder_inner"


def test_the_issue_step_depends_on_every_model_that_it_reads() -> None:
    assert set(re.findall(r"intermediate\.(\w+)", inspect.getsource(ledger))) == set(ISSUE_READS)


def test_usage_is_what_is_incremental_and_what_lies_between(manifest: dict[str, Any]) -> None:
    assert RatehouseTranslator(manifest).usage == set()
    for name in ("stg_issued", "int_invoicing__due_lines"):
        manifest["nodes"][f"model.p.{name}"]["config"]["materialized"] = "incremental"
    assert RatehouseTranslator(manifest).usage == {
        "model.p.stg_issued",
        "model.p.billed",
        "model.p.int_invoicing__due_lines",
    }


def test_a_manifest_is_fresh_until_the_project_changes(tmp_path: Path) -> None:
    project, manifest = tmp_path / "project", tmp_path / "manifest.json"
    (project / "models").mkdir(parents=True)
    (project / "target").mkdir()
    model = project / "models" / "a.sql"
    model.write_text("select 1")
    assert not is_fresh(manifest, project)
    manifest.write_text("{}")
    os.utime(manifest, (model.stat().st_atime + 10, model.stat().st_mtime + 10))
    assert is_fresh(manifest, project)
    ahead = (model.stat().st_atime + 20, model.stat().st_mtime + 20)
    os.utime(project / "target", ahead)
    assert is_fresh(manifest, project)
    os.utime(project / "models", ahead)  # as when a file of it is removed
    assert not is_fresh(manifest, project)


def test_a_night_without_config_is_each_tenants_own_today() -> None:
    tenants = {
        name: parse_tenant({"tenant": name, "timezone": zone})
        for name, zone in (("east", "Pacific/Kiritimati"), ("west", "Pacific/Pago_Pago"))
    }
    configuration = Configuration(tenants=tenants)
    days = BillingNight().days(configuration)
    assert sorted(name for names in days.values() for name in names) == ["east", "west"]
    assert len(days) == 2  # 25 hours apart: never the same day
    chosen = BillingNight(bill_day="2026-11-01", tenants=["east"], known_as_of="2026-10-31T10:10:00+00:00")
    assert chosen.days(configuration) == {date(2026, 11, 1): ["east"]}
    assert chosen.starts(configuration)["east"].isoformat() == "2026-10-31T10:00:00+00:00"
    with pytest.raises(RatehouseError, match="no tenant nobody"):
        BillingNight(tenants=["nobody"]).days(configuration)


def test_dagster_home_gets_the_projects_configuration(tmp_path: Path) -> None:
    folder = prepare_home(Settings.load(tmp_path, environ={}))
    assert folder == tmp_path / "data" / "dagster"
    assert "warehouse_writer" in (folder / "dagster.yaml").read_text()
    assert [path.name for path in folder.iterdir()] == ["dagster.yaml"]
