"""What all tests share: a warehouse in which every scenario was run, made once.

Belongs here: fixtures that several areas use. What one area alone needs stands in its own conftest.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from ratehouse import scenario
from ratehouse.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "tests" / "scenarios"


@dataclass(frozen=True)
class ScenarioWarehouse:
    """A home in which all scenarios were run to the end of their clocks, and what came out."""

    settings: Settings
    outcomes: dict[str, scenario.Outcome]


@pytest.fixture(scope="session")
def scenario_warehouse(tmp_path_factory: pytest.TempPathFactory) -> ScenarioWarehouse:
    """One run of everything below tests/scenarios.

    It takes a minute, and several workers would each make their own, so the tests that ask for it are
    kept on one worker (below).
    """
    settings = Settings.load(tmp_path_factory.mktemp("scenarios"), environ={})
    outcomes = scenario.run(scenario.load([SCENARIOS]), settings)
    return ScenarioWarehouse(settings, {outcome.scenario: outcome for outcome in outcomes})


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep tests that need the scenario warehouse on one worker, and start with them: they take longest."""
    for item in items:
        if "scenario_warehouse" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("scenarios"))
    items.sort(key=lambda item: "scenario_warehouse" not in getattr(item, "fixturenames", ()))
