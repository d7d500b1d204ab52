"""The PDFs of a night.

Which documents those are follows from the published marts, so that a run that was killed while it rendered is
completed by running it again.
"""

from dagster import AssetExecutionContext, Failure, MaterializeResult, MetadataValue, ResourceParam, asset

from deliver.documents.model import connect_serving
from orchestration.lib.names import DOCUMENTS, INVOICES, SERVING
from orchestration.lib.rendering import render
from orchestration.lib.resources import BillingNight
from ratehouse.configuration import load_configuration
from ratehouse.settings import Settings


@asset(key=DOCUMENTS, deps=[SERVING, INVOICES], group_name="documents", kinds={"pdf"})
def documents(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> MaterializeResult[None]:
    """The PDFs of what was issued on this night; those that are up to date are left alone."""
    starts = night.starts(load_configuration(settings))
    with connect_serving(settings.serving_path) as connection:
        rows = connection.execute(
            f"select tenant_id, invoice_id, billing_as_of from {'.'.join(INVOICES.path)} order by all"
        ).fetchall()
    keys = [(tenant, invoice) for tenant, invoice, at in rows if starts.get(tenant) == at]
    done = render(settings, keys)
    for failure in done.failures:
        context.log.error(failure)
    if done.failures:
        raise Failure(f"{len(done.failures)} of {len(keys)} documents could not be rendered.")
    return MaterializeResult(
        metadata={
            "written": done.written,
            "up to date": done.unchanged,
            "place": MetadataValue.path(settings.documents_url),
        }
    )
