"""What all tests share: a warehouse in which every scenario was run, made once, and how tests are shared out to workers.

Belongs here: fixtures that several areas use. What one area alone needs stands in its own conftest.py.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from ratehouse import scenario
from ratehouse.settings import Settings

ROOT = Path(__file__).resolve().parents[1]
SCENARIOS = ROOT / "tests" / "scenarios"
# Test files that stand on the same warehouse: one worker gets them all and makes it once.
_TOGETHER = (
    ("tests/integration/test_scenarios.py", "tests/architecture/test_marts.py"),
    (
        "tests/unit/dashboards/test_pages.py",
        "tests/unit/dashboards/test_data.py",
        "tests/unit/test_explain.py",
        "tests/browser/test_finance.py",
    ),
)
# What takes more than half a minute, the longest first: the last file to start is to be a short one.
_LONG = (
    "tests/integration/test_close.py",
    "tests/integration/test_scenarios.py",
    "tests/reliability/test_nights.py",
    "tests/integration/test_resting_contracts.py",
    "tests/integration/test_closed_months.py",
    "tests/integration/test_orchestration.py",
    "tests/integration/test_publishes.py",
    "tests/integration/test_identities.py",
    "tests/integration/test_tax.py",
    "tests/integration/test_collection.py",
    "tests/reliability/test_many_failures.py",
    "tests/integration/test_lake_s3.py",
    "tests/integration/test_random_timelines.py",
    "tests/integration/test_random_prices.py",
    "tests/integration/test_random_fees.py",
    "tests/unit/dashboards/test_pages.py",
    "tests/integration/test_realdata_invoices.py",
    "tests/integration/test_adjustments.py",
    "tests/integration/test_tax_ids.py",
    "tests/integration/test_preview.py",
)


@dataclass(frozen=True)
class ScenarioWarehouse:
    """A home in which all scenarios were run to the end of their clocks, and what came out."""

    settings: Settings
    outcomes: dict[str, scenario.Outcome]


@pytest.fixture(scope="session")
def scenario_warehouse(tmp_path_factory: pytest.TempPathFactory) -> ScenarioWarehouse:
    """One run of everything below tests/scenarios; it takes a minute."""
    settings = Settings.load(tmp_path_factory.mktemp("scenarios"), environ={})
    outcomes = scenario.run(scenario.load([SCENARIOS]), settings)
    return ScenarioWarehouse(settings, {outcome.scenario: outcome for outcome in outcomes})


def _scope(file: str) -> str:
    """Of files that belong together the first, else the file itself."""
    return next((files[0] for files in _TOGETHER if file in files), file)


class _ByWarehouse(LoadFileScheduling):
    """A file's tests share a worker and so its fixtures; files that share a warehouse are one."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(super()._split_scope(nodeid))


@pytest.fixture(autouse=True)
def _main_module() -> Iterator[None]:
    """A page under test stands in for the main module, and a process pool would start with the page."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling:
    """Asked by pytest-xdist; its own grouping by mark (`--dist loadgroup`) does nothing with pytest 9.2."""
    # By itself it starts with the files of the most tests, and a file of four tests that take minutes would come last.
    config.option.loadscopereorder = False
    return _ByWarehouse(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest."""
    place = {file: number for number, file in enumerate(_LONG)}
    items.sort(key=lambda item: place.get(_scope(item.nodeid.split("::")[0]), len(place)))
