"""Sensors that tell people: a check whose newest evaluation failed, and a run that failed.

An alert goes out once for each evaluation; the cursor moves only after it went out, so one that could not be sent is sent later.
"""

from collections.abc import Iterator

from dagster import (
    AssetCheckKey,
    DefaultSensorStatus,
    RunFailureSensorContext,
    SensorEvaluationContext,
    SkipReason,
    run_failure_sensor,
    sensor,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus

from orchestration.lib.alerts import Alert, send, targets


@sensor(
    name="failed_checks",
    minimum_interval_seconds=60,
    default_status=DefaultSensorStatus.RUNNING,
    description="Tells people of checks that failed.",
)
def failed_checks(context: SensorEvaluationContext) -> Iterator[SkipReason]:
    """Send one alert for all checks that failed since the last tick."""
    seen = int(context.cursor or 0)
    repository = context.repository_def
    keys: list[AssetCheckKey] = sorted(
        repository.asset_graph.asset_check_keys if repository else [],
        key=lambda key: (key.asset_key.path, key.name),
    )
    latest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    new = sorted(
        (
            record
            for record in latest.values()
            if record.id > seen and record.evaluation is not None and not record.evaluation.passed
        ),
        key=lambda record: record.id,
    )
    done = [
        record.id
        for record in latest.values()
        if record.status
        in (AssetCheckExecutionRecordStatus.SUCCEEDED, AssetCheckExecutionRecordStatus.FAILED)
    ]
    if new and targets():
        lines = [
            f"{record.key.asset_key.to_user_string()}: {record.key.name}"
            f" ({record.evaluation.severity.value.lower()})"
            + (f": {record.evaluation.description}" if record.evaluation.description else "")
            for record in new
            if record.evaluation is not None
        ]
        send(Alert(f"{len(lines)} checks failed" if len(lines) > 1 else "A check failed", "\n".join(lines)))
    context.update_cursor(str(max([seen, *done])))
    yield SkipReason(f"{len(new)} checks failed since the last tick; there is nothing to run.")


@run_failure_sensor(name="failed_runs", default_status=DefaultSensorStatus.RUNNING)
def failed_runs(context: RunFailureSensorContext) -> None:
    """Tell people of a run that failed."""
    if targets():
        run = context.dagster_run
        send(Alert(f"The run {run.job_name} failed", f"{context.failure_event.message}\nRun {run.run_id}"))
