"""The nightly schedule: every hour, the tenants whose midnight has just passed, and missed nights.

Dagster forgets ticks while it is down, so the schedule asks the runs it started what the last tick was, and
starts every night since, oldest first. The pool of the writer lets one run at a time through, in that order.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from dagster import (
    DagsterInstance,
    DefaultScheduleStatus,
    ResourceParam,
    RunRequest,
    RunsFilter,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SkipReason,
    schedule,
)

from orchestration.defs.nightly.jobs import nightly, sending
from orchestration.lib.names import NIGHT_TAG, TENANTS_TAG, TICK_TAG
from orchestration.lib.nights import CRON, Night, nights_between
from orchestration.lib.partitions import first_received_day
from ratehouse.configuration import load_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings

SCHEDULE = "nightly"
_RANGE_START, _RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
# What was put off is due again after 5 minutes at the earliest.
sending_schedule = ScheduleDefinition(
    name="sending", job=sending, cron_schedule="*/10 * * * *", default_status=DefaultScheduleStatus.STOPPED
)
_LOOK_BACK = 100  # runs; more than the retries that may stand between now and the newest tick


@schedule(
    name=SCHEDULE,
    job=nightly,
    cron_schedule=CRON,
    execution_timezone="UTC",
    # Documents are sent to people: the first night starts when somebody turns the schedule on.
    default_status=DefaultScheduleStatus.STOPPED,
)
def nightly_schedule(
    context: ScheduleEvaluationContext, settings: ResourceParam[Settings]
) -> Iterator[RunRequest | SkipReason]:
    """One run per group of tenants with one midnight, for this tick and those that were missed."""
    now = context.scheduled_execution_time.astimezone(UTC)
    last = last_tick(context.instance)
    configuration = load_configuration(settings)
    for name, failure in configuration.failures.items():
        context.log.error(f"tenant {name} is left out: {failure}")
    zones = {name: tenant.timezone for name, tenant in configuration.tenants.items()}
    nights = [
        night
        for night in nights_between(zones, last or now - timedelta(hours=1), now)
        if not context.instance.get_runs_count(RunsFilter(tags={NIGHT_TAG: night.key}))
    ]
    if not nights:
        yield SkipReason("No tenant's day has begun since the last tick.")
    received_from = last.date() if last else first_received_day(Lake(settings.lake_url), default=now.date())
    for night in nights:
        yield request(night, received_from.isoformat())


def request(night: Night, received_from: str) -> RunRequest:
    """The run of a night.

    Args:
        night: the night.
        received_from: the first UTC day whose usage may be new since the last night.
    """
    return RunRequest(
        run_key=night.key,
        run_config={
            "resources": {
                "night": {
                    "config": {
                        "bill_day": night.bill_day.isoformat(),
                        "known_as_of": night.tick.isoformat(),
                        "tenants": list(night.tenants),
                    }
                }
            }
        },
        tags={
            NIGHT_TAG: night.key,
            TICK_TAG: night.tick.isoformat(),
            TENANTS_TAG: ", ".join(night.tenants),
            _RANGE_START: received_from,
            _RANGE_END: max(night.tick.date().isoformat(), received_from),
        },
    )


def last_tick(instance: DagsterInstance) -> datetime | None:
    """The newest tick for which this schedule started a run; None if it never did."""
    runs = instance.get_runs(RunsFilter(tags={"dagster/schedule_name": SCHEDULE}), limit=_LOOK_BACK)
    return max(
        (datetime.fromisoformat(run.tags[TICK_TAG]) for run in runs if TICK_TAG in run.tags), default=None
    )
