"""The spool of the front door, emptied where no collector does it any more, and the notices of processors, looked after.

The collector lands by itself what it takes; this is for what it could not: it died, or the lake did not take it. It appends to
the lake and does not write the warehouse.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import duckdb
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetSelection,
    DefaultSensorStatus,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    RunRequest,
    SensorEvaluationContext,
    SkipReason,
    asset,
    asset_check,
    define_asset_job,
    sensor,
)

from ingest.collector.spool import land_leftovers, leftovers, waiting
from orchestration.lib.names import FRONT_DOOR
from ratehouse.lake import Lake
from ratehouse.settings import Settings

# The collector lands every few seconds.
_LANDED_WITHIN = timedelta(minutes=15)
# A processor repeats a notice for days; one that tells a pull of something and sends no notice of it for a day has stopped.
_TOLD_WITHIN = timedelta(hours=26)
_OBJECTS = {
    "Stripe": ("stripe_objects", "stripe-webhook"),
    "Braintree": ("braintree_objects", "braintree-webhook"),
}


@asset(key=FRONT_DOOR, group_name="front_door")
def front_door(settings: ResourceParam[Settings]) -> MaterializeResult[None]:
    """Events that the front door answered for and a collector that is gone did not land."""
    events = land_leftovers(settings.spool_dir, Lake(settings.lake_url))
    return MaterializeResult(metadata={"events": events})


@asset_check(
    asset=FRONT_DOOR,
    description="What the front door answered for is in the lake within a quarter of an hour.",
)
def accepted_events_are_landed(settings: ResourceParam[Settings]) -> AssetCheckResult:
    """Name the segments that wait too long or cannot be read."""
    late, damaged = waiting(settings.spool_dir, _LANDED_WITHIN)
    said = [f"{len(late)} segments wait for the lake"] * bool(late) + [
        f"{len(damaged)} cannot be read"
    ] * bool(damaged)
    return AssetCheckResult(
        passed=not said,
        severity=AssetCheckSeverity.ERROR,
        description=", ".join(said) or None,
        metadata={"late": MetadataValue.json(late), "damaged": MetadataValue.json(damaged)},
    )


@asset_check(
    asset=FRONT_DOOR, description="A processor that tells the pull of something has told it in a notice, too."
)
def notices_keep_coming(settings: ResourceParam[Settings]) -> AssetCheckResult:
    """Name the tenants that had notices once and whose processor has stopped to send them."""
    silent = list(_silent(Lake(settings.lake_url)))
    return AssetCheckResult(
        passed=not silent,
        severity=AssetCheckSeverity.WARN,
        description=", ".join(silent) or None,
        metadata={"silent": MetadataValue.json(silent)},
    )


def _silent(lake: Lake) -> Iterator[str]:
    for processor, (stream, source) in _OBJECTS.items():
        files = lake.files(f"raw/{stream}")
        if not files:
            continue
        with duckdb.connect() as connection:
            lake.register(connection)
            found: list[tuple[str, datetime, datetime]] = connection.execute(
                """
                select
                    tenant_id,
                    max(recorded_at) filter (where source = $source) as told_at,
                    max(recorded_at) filter (where source <> $source) as pulled_at
                from read_parquet($files, union_by_name = true)
                group by tenant_id
                having told_at is not null and pulled_at is not null
                order by tenant_id
                """,
                {"files": files, "source": source},
            ).fetchall()
        for tenant, told_at, pulled_at in found:
            if pulled_at - told_at > _TOLD_WITHIN:
                yield f"{processor} for {tenant}: the last notice is of {told_at:%Y-%m-%d %H:%M}"


landing_front_door = define_asset_job(
    "front_door",
    AssetSelection.assets(FRONT_DOOR),
    description="Land what the front door took and a collector that is gone left behind.",
)


@sensor(
    name="front_door",
    job=landing_front_door,
    minimum_interval_seconds=60,
    # It lands facts that somebody was promised are kept; nothing goes out.
    default_status=DefaultSensorStatus.RUNNING,
    description="Starts a landing where events wait and no collector lands them.",
)
def front_door_sensor(
    context: SensorEvaluationContext, settings: ResourceParam[Settings]
) -> Iterator[RunRequest | SkipReason]:
    """One run for what waits now; it is asked for again when something else waits."""
    folder: Path = settings.spool_dir
    late, damaged = waiting(folder, _LANDED_WITHIN)
    left = leftovers(folder)
    if not left and not late and not damaged:
        yield SkipReason("Nothing waits at the front door.")
        return
    # What cannot be landed is looked at again every hour, so that its check says so.
    names = left + late + damaged
    yield RunRequest(run_key=f"{max(names)} {len(names)} {_hour()}")


def _hour() -> str:
    return f"{datetime.now().astimezone():%Y-%m-%dT%H}"
