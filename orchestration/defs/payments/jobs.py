"""Jobs beside the night, and when they run. They are off until somebody turns them on: they move money."""

from __future__ import annotations

from dagster import AssetSelection, DefaultScheduleStatus, ScheduleDefinition, define_asset_job

from orchestration.lib.names import COLLECTION, PROCESSORS, RECOVERY_MODELS, RETRIES

BESIDE_THE_NIGHT = AssetSelection.assets(PROCESSORS, RETRIES, COLLECTION, RECOVERY_MODELS)

collect = define_asset_job(
    "collect",
    AssetSelection.assets(PROCESSORS, RETRIES, COLLECTION),
    description="Read the processors, give retries their time, charge and give back what is due.",
)
train = define_asset_job(
    "train",
    AssetSelection.assets(RECOVERY_MODELS),
    description="Train the models that choose when to retry; each has to earn its place.",
)
collect_schedule = ScheduleDefinition(
    name="collect",
    job=collect,
    cron_schedule="*/15 * * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
)
train_schedule = ScheduleDefinition(
    name="train",
    job=train,
    cron_schedule="0 6 * * 1",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
)
