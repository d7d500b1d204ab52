"""The rates of the European Central Bank as published, against an independent ground truth."""

from __future__ import annotations

import datetime as dt
import json
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner

from ingest.fx.ecb import RatesError, import_rates, read_rates
from ratehouse.commands.ingest import app
from ratehouse.lake import Lake

FOLDER = Path(__file__).parents[3] / "shared" / "realdata" / "fx_tax"
FILE = FOLDER / "ecb" / "eurofxref-hist.zip"
real = pytest.mark.skipif(not FILE.exists(), reason="needs ../shared/realdata/fx_tax")


@pytest.fixture(scope="module")
def truth() -> dict[str, Any]:
    return dict(json.loads((FILE.parent / "ground_truth.json").read_text()))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    lake = Lake(str(tmp_path_factory.mktemp("lake")))
    import_rates(lake, FILE, tenant_id="acme")
    return lake


def rate(lake: Lake, quote: str, day: str) -> tuple[dt.date, Decimal]:
    """The last rate published on or before a day."""
    with duckdb.connect() as connection:
        found = connection.execute(
            "select rate_on, rate from read_parquet($files) where quote = $quote and rate_on <= cast($day as date)"
            " order by rate_on desc limit 1",
            {"files": lake.files("raw/fx_rates"), "quote": quote, "day": day},
        ).fetchone()
    assert found is not None
    return found


@real
def test_every_published_rate_lands_once(lake: Lake, truth: dict[str, Any]) -> None:
    table = lake.read("raw/fx_rates")
    assert table is not None
    currencies = {name for name in truth["header"][1:] if name}
    assert len(currencies) == truth["currencies"]
    # Every cell is a rate or says that there is none; the line ends in an empty column.
    assert table.num_rows == truth["rows"] * truth["currencies"] - truth["na_cells"]
    days = table["rate_on"].unique().to_pylist()
    assert (len(days), str(min(days)), str(max(days))) == (truth["rows"], truth["first"], truth["last"])
    assert sum(day.isoweekday() > 5 for day in days) == truth["weekend_rows"]
    assert set(table["source"].to_pylist()) == {"ecb"}
    again = import_rates(lake, FILE, tenant_id="acme")
    assert again.already_landed and lake.read("raw/fx_rates").num_rows == table.num_rows  # type: ignore[union-attr]


@real
def test_rates_of_the_ground_truth(lake: Lake, truth: dict[str, Any]) -> None:
    for day, rates in truth["sample_rates_per_1_eur"].items():
        for quote, expected in rates.items():
            assert rate(lake, quote, day) == (dt.date.fromisoformat(day), Decimal(expected))


@real
def test_weekends_and_holidays_have_the_last_published_rate(lake: Lake, truth: dict[str, Any]) -> None:
    friday = truth["sample_rates_per_1_eur"]["2022-12-30"]
    for day in ("2022-12-31", "2023-01-01"):
        assert rate(lake, "USD", day) == (dt.date(2022, 12, 30), Decimal(friday["USD"]))
    assert rate(lake, "HRK", "2026-01-01")[0] == dt.date(2022, 12, 30), "Croatia joined; no rate since"


@real
def test_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for tenant in ("acme", "kumo"):
        (tmp_path / "tenants" / tenant).mkdir(parents=True)
        (tmp_path / "tenants" / tenant / "tenant.yaml").write_text(f"tenant: {tenant}\n")
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    done = CliRunner().invoke(app, ["ecb", str(FILE), "--since", "2026-10-30"])
    assert done.exit_code == 0, done.output
    table = Lake(str(tmp_path / "data" / "lake")).read("raw/fx_rates")
    assert table is not None and set(table["tenant_id"].to_pylist()) == {"acme", "kumo"}
    assert set(table["rate_on"].to_pylist()) == {dt.date(2026, 10, 30)}


def test_the_file_of_one_day(tmp_path: Path) -> None:
    file = tmp_path / "eurofxref.zip"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("eurofxref.csv", "Date, USD, JPY, BGN, \n30 October 2026, 1.1172, 175.68, N/A, \n")
    assert [(r.rate_on, r.quote, r.rate) for r in read_rates(file)] == [
        (dt.date(2026, 10, 30), "USD", "1.1172"),
        (dt.date(2026, 10, 30), "JPY", "175.68"),
    ]


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "Date,USD\nyesterday,1.1\n"])
def test_other_files_are_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "rates.csv"
    file.write_text(content)
    with pytest.raises(RatesError, match=r"rates\.csv"):
        list(read_rates(file))


def test_a_rate_that_is_none_is_rejected_and_the_others_land(tmp_path: Path) -> None:
    file = tmp_path / "rates.csv"
    file.write_text("Date,USD,JPY\n2026-10-30,1.1172,abc\n")
    landed = import_rates(Lake(str(tmp_path / "lake")), file, tenant_id="acme")
    assert (landed.accepted, landed.rejected, dict(landed.reasons)) == (1, 1, {"bad_number": 1})
