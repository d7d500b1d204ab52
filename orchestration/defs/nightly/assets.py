"""Billed days: any range of them is backfilled from the UI as by `ratehouse backfill`."""

from dagster import (
    AssetExecutionContext,
    BackfillPolicy,
    Failure,
    MaterializeResult,
    MetadataValue,
    ResourceParam,
    asset,
)

from deliver.tax.dispatch import quote_in_run
from orchestration.lib.names import BILLED_DAYS, WRITER_POOL
from orchestration.lib.partitions import BILL_DAYS, days_of
from orchestration.lib.rendering import render
from orchestration.lib.resources import BillingNight
from ratehouse import billing
from ratehouse.settings import Settings


@asset(
    key=BILLED_DAYS,
    group_name="nightly",
    partitions_def=BILL_DAYS,
    # Days must run in order, so a range is one run.
    backfill_policy=BackfillPolicy.single_run(),
    pool=WRITER_POOL,
)
def nightly_billing(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> MaterializeResult[None]:
    """The given days billed in order, each as its own night would have; what is billed stays as it is."""
    days = days_of(context.partition_keys)
    runs = billing.bill_days(
        settings,
        days,
        tenants=night.tenants,
        known_at_the_time=True,
        quoter=quote_in_run,
        progress=lambda step: context.log.info(step),
    )
    done = render(settings, [key for run in runs for key in run.issued.invoice_ids])
    faults = {name: str(failure) for run in runs for name, failure in run.failures.items()}
    for problem in (
        *(f"tenant {name} was left out: {fault}" for name, fault in faults.items()),
        *(problem for run in runs for problem in run.problems),
        *done.failures,
    ):
        context.log.error(problem)
    if done.failures:
        raise Failure(f"The days are billed, but {len(done.failures)} documents could not be rendered.")
    return MaterializeResult(
        metadata={
            "days": len(days),
            "documents": sum(run.issued.documents for run in runs),
            "lines": sum(run.issued.lines for run in runs),
            "left out": MetadataValue.json(faults),
        }
    )
