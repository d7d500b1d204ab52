"""What the tax providers are told of a night: documents that were issued, corrected or voided, each once.

What became of each is a fact in `raw/tax_transactions`, and the provider is asked for a document before it is told, so a run
that was killed half way, or is run again, tells nothing twice (see `deliver.tax`).
"""

from dagster import AssetExecutionContext, Failure, MaterializeResult, ResourceParam, asset

from deliver.tax.dispatch import commit
from orchestration.lib.names import SERVING, TAX_TRANSACTIONS
from orchestration.lib.resources import BillingNight
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings


@asset(key=TAX_TRANSACTIONS, deps=[SERVING], group_name="taxes", kinds={"api"})
def tax_transactions(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> MaterializeResult[None]:
    """Issued documents told to the tax provider that said their tax, for the tenants that have one.

    What a provider refuses or does not answer is noted and stays open for the next night; it does not undo this one.
    """
    try:
        done = commit(settings, tenants=night.tenants)
    except RatehouseError as error:
        # Somebody has to mend a setting; starting the night over would only find the same.
        raise Failure(f"The night is billed, but no tax was told: {error}", allow_retries=False) from error
    for problem in done.problems:
        context.log.error(problem)
    return MaterializeResult(
        metadata={
            "problems": len(done.problems),
            **{name: count for name, count in sorted(done.outcomes.items())},
        }
    )
