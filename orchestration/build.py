"""One installation's definitions, put together.

Assets, checks, jobs and schedules are in `defs/`; nothing is defined here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import AssetKey, Definitions, in_process_executor
from dagster_dbt import DbtProject

from orchestration.defs.alerts.sensors import failed_checks, failed_runs
from orchestration.defs.dbt.assets import dbt_definitions
from orchestration.defs.documents.assets import documents
from orchestration.defs.landing.assets import landing, tenants_in_order, usage_events
from orchestration.defs.landing.checks import landed_quality
from orchestration.defs.ledger.assets import close_definition, issue
from orchestration.defs.mail.assets import mail
from orchestration.defs.nightly.assets import nightly_billing
from orchestration.defs.nightly.jobs import backfill, nightly, sending
from orchestration.defs.nightly.schedules import nightly_schedule, sending_schedule
from orchestration.defs.payments.assets import (
    charges_are_answered,
    collection,
    processors,
    recovery_models,
    retries,
)
from orchestration.defs.payments.jobs import collect, collect_schedule, train, train_schedule
from orchestration.defs.publish.assets import serving_definition
from orchestration.defs.taxes.assets import tax_transactions
from orchestration.lib.dbt_manifest import load_manifest, target_path
from orchestration.lib.resources import BillingNight
from ratehouse.settings import Settings


def build_defs(
    *, settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None
) -> Definitions:
    """Fresh definitions.

    Args:
        settings: the installation; default that of the environment.
        resource_overrides: resources by name (`settings`, `night`) in place of the usual ones.

    Raises:
        ManifestError: dbt cannot parse the project.
    """
    settings = settings or Settings.load()
    project = DbtProject(
        settings.dbt_project_dir, profiles_dir=settings.dbt_project_dir, target_path=target_path(settings)
    )
    models = dbt_definitions(load_manifest(settings), project)
    marts: list[AssetKey] = [
        key for definition in models for key in definition.keys if key.path[0] == "marts"
    ]
    resources = {
        "settings": settings,
        "night": BillingNight(),
        **(resource_overrides or {}),
    }
    return Definitions(
        assets=[
            landing,
            usage_events,
            *models,
            issue,
            close_definition(marts),
            serving_definition(marts),
            documents,
            mail,
            tax_transactions,
            nightly_billing,
            processors,
            retries,
            collection,
            recovery_models,
        ],
        asset_checks=[tenants_in_order, landed_quality, charges_are_answered],
        jobs=[nightly, backfill, sending, collect, train],
        schedules=[nightly_schedule, sending_schedule, collect_schedule, train_schedule],
        sensors=[failed_checks, failed_runs],
        resources=resources,
        # Steps of one run would wait for the one writer anyway, and each step in a process of its own would
        # load everything again.
        executor=in_process_executor,
    )
