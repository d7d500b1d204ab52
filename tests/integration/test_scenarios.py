"""Every scenario, each as a test of its own, and what must hold in the warehouse that they leave behind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ratehouse import ledger, scenario, warehouse
from ratehouse.lake import Lake
from tests.conftest import SCENARIOS, ScenarioWarehouse

NAMES = [one.name for one in scenario.load([SCENARIOS])]


@pytest.mark.parametrize("name", NAMES)
def test_scenario(scenario_warehouse: ScenarioWarehouse, name: str) -> None:
    outcome = scenario_warehouse.outcomes[name]
    assert outcome.passed, json.dumps(outcome.as_json(), indent=2, ensure_ascii=False, default=str)


def test_every_identity_and_unit_test_of_the_project_holds(scenario_warehouse: ScenarioWarehouse) -> None:
    warehouse.build(scenario_warehouse.settings, command="test")


def test_a_second_run_on_the_same_facts_writes_nothing(scenario_warehouse: ScenarioWarehouse) -> None:
    settings = scenario_warehouse.settings
    lake = Lake(settings.lake_url)
    before = lake.files("ledger/runs")
    warehouse.build(settings, command="run")
    with warehouse.connect(settings) as connection:
        issued = ledger.issue(connection, lake)
    assert (issued.run_key, lake.files("ledger/runs")) == (None, before)


def test_the_warehouse_is_a_build_product(scenario_warehouse: ScenarioWarehouse, tmp_path: Path) -> None:
    """A new file, built from the lake alone, holds the same rows in every mart."""
    old = scenario_warehouse.settings
    new = old.model_copy(update={"warehouse_path": tmp_path / old.warehouse_path.name})
    warehouse.prepare(new, Lake(new.lake_url))
    warehouse.seed(new)
    warehouse.build(new, command="run")
    with warehouse.connect(new) as connection:
        connection.execute(f"attach '{old.warehouse_path}' as before (read_only)")
        tables = connection.execute(
            "select table_name from information_schema.tables"
            " where table_catalog = current_database() and table_schema = 'marts' and table_type = 'BASE TABLE'"
        ).fetchall()
        differing = {
            table: connection.execute(
                f"select count(*) from ((from marts.{table} except all from before.marts.{table})"
                f" union all (from before.marts.{table} except all from marts.{table}))"
            ).fetchall()[0][0]
            for (table,) in tables
        }
    assert tables
    assert not {table: rows for table, rows in differing.items() if rows}
