"""The messages of a night: what was issued goes out when its documents are there.

What became of each message is a fact in `raw/deliveries`, so a run that was killed while it sent, or is run again, sends
nothing twice (see `deliver.mail`).
"""

from collections import Counter

from dagster import AssetExecutionContext, Failure, MaterializeResult, ResourceParam, asset

from deliver.mail.dispatch import dispatch
from orchestration.lib.names import DOCUMENTS, MAIL
from orchestration.lib.resources import BillingNight
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings


@asset(key=MAIL, deps=[DOCUMENTS], group_name="documents", kinds={"email"})
def mail(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> MaterializeResult[None]:
    """Issued documents queued and every message that is due handed over, for the tenants that set `mail.since`.

    A message that is put off, refused or bounced is noted and stays in the outbox; it does not undo the night.
    """
    try:
        done = dispatch(settings, tenants=night.tenants)
    except RatehouseError as error:
        # Somebody has to mend a setting; starting the night over would only find the same.
        raise Failure(f"The night is billed, but nothing was sent: {error}", allow_retries=False) from error
    for problem in done.problems:
        context.log.error(problem)
    outcomes: Counter[str] = done.outcomes
    return MaterializeResult(
        metadata={
            "queued": done.queued,
            "problems": len(done.problems),
            **{name: count for name, count in sorted(outcomes.items())},
        }
    )
