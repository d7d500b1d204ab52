"""The materializations of the project: a relation is replaced in one transaction, and a mart keeps its contract."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ratehouse import warehouse
from ratehouse.settings import Settings
from tests.conftest import ROOT

YAML = """
models:
  - name: mart
    config: {contract: {enforced: true}}
    columns:
      - {name: tenant_id, data_type: varchar}
      - {name: amount, data_type: "decimal(20, 4)"}
"""
RIGHT = "select 'acme' as tenant_id, cast(1 as decimal(20, 4)) as amount"


@pytest.fixture
def project(tmp_path: Path) -> Settings:
    """A project of one model, with the macros and the profile of the real one."""
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    shutil.copytree(ROOT / "dbt_project" / "macros", folder / "macros")
    shutil.copy(ROOT / "dbt_project" / "profiles.yml", folder)
    (folder / "dbt_project.yml").write_text("name: ratehouse\nprofile: ratehouse\nversion: '1.0'\n")
    (folder / "models" / "mart.yml").write_text(YAML)
    settings = Settings.load(tmp_path, environ={}).model_copy(update={"dbt_project_dir": folder})
    settings.warehouse_path.parent.mkdir(parents=True)
    return settings


def make(settings: Settings, sql: str) -> list[tuple[object, ...]]:
    (settings.dbt_project_dir / "models" / "mart.sql").write_text(sql)
    warehouse.build(settings, command="run")
    return rows(settings)


def rows(settings: Settings) -> list[tuple[object, ...]]:
    with warehouse.connect(settings) as connection:
        return connection.execute("select tenant_id, amount from main.mart").fetchall()


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "select 'acme' as tenant_id, 1.5 as amount",
            "amount is DECIMAL(2,1), the contract says DECIMAL(20,4)",
        ),
        ("select 'acme' as tenant_id", "amount is missing, the contract says DECIMAL(20,4)"),
        (f"{RIGHT}, 1 as extra", "extra is INTEGER, the contract says nothing of it"),
    ],
)
def test_a_broken_contract_leaves_what_was_there(project: Settings, sql: str, words: str) -> None:
    before = make(project, RIGHT)
    with pytest.raises(warehouse.BuildFailed) as refused:
        make(project, sql)
    assert words in str(refused.value)
    assert rows(project) == before


def test_a_table_takes_the_place_of_a_view_and_back(project: Settings) -> None:
    view = "{{ config(materialized='view') }} " + RIGHT
    assert make(project, RIGHT) == make(project, view) == make(project, RIGHT)


def test_what_was_parsed_for_one_home_is_parsed_for_the_next(project: Settings, tmp_path: Path) -> None:
    """Wherever its warehouse lies; what changed in between is noticed."""
    assert make(project, RIGHT) == [("acme", 1)]
    (project.dbt_project_dir / "models" / "mart.sql").write_text(RIGHT.replace("cast(1 ", "cast(2 "))
    other = Settings.load(tmp_path / "other", environ={}).model_copy(
        update={"dbt_project_dir": project.dbt_project_dir}
    )
    other.warehouse_path.parent.mkdir(parents=True)
    events: list[str] = []
    warehouse.build(other, command="run", callbacks=[lambda event: events.append(event.info.name)])
    assert events and "UnableToPartialParse" not in events
    assert rows(other) == [("acme", 2)]
