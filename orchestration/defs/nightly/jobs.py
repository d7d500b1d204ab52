"""The jobs: the night with all its steps, the backfill of days, and sending what was put off or is to go out once more."""

from __future__ import annotations

from dagster import AssetSelection, define_asset_job

from orchestration.defs.payments.jobs import BESIDE_THE_NIGHT
from orchestration.lib.names import BILLED_DAYS, MAIL

# A retry starts the night over: between two attempts the warehouse may have been built for another one, and
# every step does nothing where nothing is left to do.
_RETRIES = {"dagster/max_retries": "2", "dagster/retry_strategy": "ALL_STEPS"}

nightly = define_asset_job(
    "nightly",
    AssetSelection.all() - AssetSelection.assets(BILLED_DAYS) - BESIDE_THE_NIGHT,
    description="Land, set the clocks, rate, issue, close, publish, render, send, tell the tax providers: one night of a group"
    " of tenants.",
    tags=_RETRIES,
)
backfill = define_asset_job(
    "backfill",
    AssetSelection.assets(BILLED_DAYS),
    description="Bill a range of days in order, as `ratehouse backfill --from --to` does.",
)
sending = define_asset_job(
    "sending",
    AssetSelection.assets(MAIL),
    description="Hand over every message that is due, as `ratehouse deliver send` does.",
)
