"""The home that a benchmark bills: its tenant, the clocks of a night, and what its models took."""

from __future__ import annotations

import json
import sys
from datetime import UTC, date, datetime

from ratehouse import billing
from ratehouse.configuration import land_configuration, load_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings

TENANT = "tenant: bench\nname: Benchmark\ncurrency: USD\ntimezone: UTC\n"


def install_tenant(settings: Settings, book: str | None = None) -> None:
    """Write and land the tenant `bench`, with its price book if it has one.

    Raises:
        ValueError: the tenant is refused.
    """
    tenant = settings.tenants_dir / "bench"
    tenant.mkdir(parents=True)
    (tenant / "tenant.yaml").write_text(TENANT)
    if book:
        (tenant / "price_books").mkdir()
        (tenant / "price_books" / "1.yaml").write_text(book)
    configuration = land_configuration(settings, Lake(settings.lake_url))
    if configuration.failures:
        raise ValueError(f"the tenant of the benchmark is refused: {configuration.failures}")


def set_night(settings: Settings, bill_day: date) -> None:
    """Set the clocks of every tenant to the start of `bill_day`, knowing everything recorded by then."""
    configuration = load_configuration(settings)
    known = datetime(bill_day.year, bill_day.month, bill_day.day, tzinfo=UTC)
    billing.set_clocks(
        Lake(settings.lake_url), configuration, list(configuration.tenants), bill_day, known_as_of=known
    )


def timings(settings: Settings) -> tuple[dict[str, float], float]:
    """Seconds of each model of the last build, and of all of it; the slowest are told on stderr."""
    results = json.loads((settings.warehouse_path.parent / "dbt_target" / "run_results.json").read_text())
    seconds = {result["unique_id"].split(".")[-1]: result["execution_time"] for result in results["results"]}
    for name in sorted(seconds, key=lambda name: -seconds[name])[:14]:
        print(f"{seconds[name]:7.2f} s  {name}", file=sys.stderr)
    return seconds, results["elapsed_time"]
