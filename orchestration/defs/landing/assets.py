"""The raw views: what has landed, as this run sees it.

Facts land without Dagster (collector, files, webhooks); `tenants/` lands here. To materialise raw.<stream> is
to point the view at the files that are there now, so that every model of a run reads the same facts however
many arrive meanwhile.
"""

from collections.abc import Iterator
from datetime import date, timedelta

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckResult,
    AssetCheckSeverity,
    AssetExecutionContext,
    AssetSpec,
    BackfillPolicy,
    FreshnessPolicy,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
    asset_check,
    multi_asset,
)

from ingest.collector.spool import land_leftovers
from orchestration.lib.names import FACTS, TENANTS, USAGE_EVENTS, WRITER_POOL
from orchestration.lib.partitions import RECEIVED_DAYS, days_of, received_day
from orchestration.lib.resources import BillingNight
from ratehouse import billing, warehouse
from ratehouse.configuration import land_configuration, load_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings

# A day without a single event is news for any tenant that has customers.
_FRESH = FreshnessPolicy.time_window(fail_window=timedelta(hours=36), warn_window=timedelta(hours=26))


@multi_asset(
    specs=[AssetSpec(key, group_name="raw", kinds={"parquet"}) for key in FACTS],
    name="landing",
    pool=WRITER_POOL,
    description="Lands tenants and prices, sets the night's clocks, points the raw and ledger views.",
)
def landing(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> Iterator[MaterializeResult[None]]:
    """Land the configuration, set the clocks of the night and point the views at the files."""
    lake = Lake(settings.lake_url)
    lake.check_writable()
    # What a collector that died had answered for belongs to this night.
    if left := land_leftovers(settings.spool_dir, lake):
        context.log.info(f"{left} events of the front door were left to be landed")
    with warehouse.writer(settings):
        configuration = land_configuration(settings, lake)
        for name, failure in configuration.failures.items():
            context.log.error(f"tenant {name} is left out: {failure}")
        for day, names in night.days(configuration).items():
            tenants = billing.billable(lake, configuration, names, day)
            billing.set_clocks(lake, configuration, tenants, day, known_as_of=night.known)
            context.log.info(
                f"{day}: {', '.join(tenants) or 'no tenant that was not billed for a later day'}"
            )
        warehouse.prepare(settings, lake)
    for key in FACTS:
        yield MaterializeResult(key, metadata={"files": len(lake.files("/".join(key.path)))})


@asset(
    key=USAGE_EVENTS,
    group_name="raw",
    kinds={"parquet"},
    partitions_def=RECEIVED_DAYS,
    backfill_policy=BackfillPolicy.single_run(),
    freshness_policy=_FRESH,
    pool=WRITER_POOL,
)
def usage_events(
    context: AssetExecutionContext, settings: ResourceParam[Settings]
) -> MaterializeResult[None]:
    """Usage events as they landed, by the UTC day on which they were received."""
    lake = Lake(settings.lake_url)
    days: dict[date, int] = dict.fromkeys(days_of(context.partition_keys), 0)
    for file in lake.files("raw/usage_events"):
        day = received_day(file)
        if day in days:
            days[day] += 1
    with warehouse.writer(settings):
        warehouse.prepare(settings, lake)
    return MaterializeResult(
        metadata={
            "files": sum(days.values()),
            "files by day": MetadataValue.json({str(day): files for day, files in days.items() if files}),
        }
    )


@asset_check(
    asset=TENANTS, description="Every folder of tenants/ is in order; one that is not is not billed."
)
def tenants_in_order(
    context: AssetCheckExecutionContext, settings: ResourceParam[Settings]
) -> AssetCheckResult:
    """Name the tenants that are left out, with what is wrong."""
    failures = load_configuration(settings).failures
    return AssetCheckResult(
        passed=not failures,
        # Not an error: a tenant's fault must not stop the others.
        severity=AssetCheckSeverity.WARN,
        metadata={name: str(failure) for name, failure in failures.items()},
    )
