"""One installation that nothing ever disturbed: what all others of this folder are compared with."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from ratehouse import billing
from tests.reliability.installation import CUSTOMERS, TENANTS, Installation, company

NIGHTS = (date(2026, 2, 1), date(2026, 3, 1))


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """Both nights billed in order. Not to be changed: copy it."""
    installation = company(tmp_path_factory.mktemp("undisturbed"))
    billing.bill_days(installation.settings, NIGHTS, known_at_the_time=True)
    assert installation.readable() == len(NIGHTS) * len(TENANTS) * CUSTOMERS
    return installation


@pytest.fixture
def billed(undisturbed: Installation, copy: Callable[[Installation], Installation]) -> Installation:
    """A copy of the undisturbed installation."""
    return copy(undisturbed)


@pytest.fixture
def copy(tmp_path: Path) -> Callable[[Installation], Installation]:
    """Copies an installation into a home of its own."""

    def make(original: Installation) -> Installation:
        home = tmp_path / "copy"
        shutil.copytree(original.home, home)
        return Installation(home)

    return make
