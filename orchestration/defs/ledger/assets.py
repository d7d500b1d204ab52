"""The two steps that append to the ledger as assets: due lines become documents, once, and due months are closed, once."""

from collections.abc import Iterable, Iterator

from dagster import (
    AssetExecutionContext,
    AssetKey,
    AssetsDefinition,
    AssetSpec,
    Failure,
    MaterializeResult,
    ResourceParam,
    multi_asset,
)

from deliver.tax.dispatch import quote_in_run
from orchestration.lib.dbt_translator import ISSUE_READS
from orchestration.lib.names import CLOSED, LEDGER, WRITER_POOL
from orchestration.lib.resources import BillingNight
from ratehouse import billing, closing, ledger, warehouse
from ratehouse.configuration import load_configuration
from ratehouse.lake import Lake
from ratehouse.settings import Settings

# What a quote changes of what is issued; the marts are built after the issue step.
_QUOTED = [
    f"source:raw.{stream}+,+{name}" for stream in ("tax_quotes", "tax_id_checks") for name in ISSUE_READS
]
_DUE = [AssetKey(["intermediate", name]) for name in ISSUE_READS]


@multi_asset(
    specs=[AssetSpec(key, deps=_DUE, group_name="ledger", kinds={"parquet"}) for key in LEDGER],
    name="issue",
    pool=WRITER_POOL,
    description="Gives due documents their numbers and appends them to the ledger, once.",
)
def issue(
    context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
) -> Iterator[MaterializeResult[None]]:
    """Issue what is due on this night, and show the ledger with it to the models that follow."""
    lake = Lake(settings.lake_url)
    configuration = load_configuration(settings)
    starts = night.starts(configuration)
    tenants = [
        name
        for day, names in night.days(configuration).items()
        for name in billing.billable(lake, configuration, names, day)
    ]
    with warehouse.writer(settings):
        with warehouse.connect(settings) as connection:
            # Between the steps of a run the file is free; whoever used it may have billed another day.
            built = connection.execute(
                f"select distinct tenant_id, billing_as_of from {'.'.join(_DUE[0].path)} order by all"
            ).fetchall()
            foreign = [
                f"{name} ({at:%Y-%m-%d %H:%M}Z)"
                for name, at in built
                if name in tenants and at != starts[name]
            ]
            if foreign:
                raise Failure(
                    f"The warehouse holds another night of {', '.join(foreign)}. Run `nightly` again.",
                    allow_retries=True,
                )
        for problem in billing.quote(settings, lake, quote_in_run, tenants, select=_QUOTED):
            context.log.error(problem)
        with warehouse.connect(settings) as connection:
            issued = ledger.issue(connection, lake, tenants=tenants)
        warehouse.prepare(settings, lake)
    context.log.info(f"{issued.documents} documents, {issued.lines} lines")
    for key in LEDGER:
        yield MaterializeResult(
            key,
            metadata={
                "documents": issued.documents,
                "lines": issued.lines,
                "run_key": issued.run_key or "nothing is due",
                "tenants": ", ".join(tenants),
            },
        )


def close_definition(marts: Iterable[AssetKey]) -> AssetsDefinition:
    """The close step, after all of the marts: the journal that it freezes is then built and tested."""
    deps = sorted(marts)

    @multi_asset(
        specs=[AssetSpec(key, deps=deps, group_name="ledger", kinds={"parquet"}) for key in CLOSED],
        name="close",
        pool=WRITER_POOL,
        description="Freezes the months that are due to be closed, once, and shows them to what reads them.",
    )
    def close(
        context: AssetExecutionContext, settings: ResourceParam[Settings], night: BillingNight
    ) -> Iterator[MaterializeResult[None]]:
        lake = Lake(settings.lake_url)
        tenants = list(night.starts(load_configuration(settings)))
        months = 0
        refused: list[str] = []
        with warehouse.writer(settings):
            if closing.is_due(settings):
                with warehouse.connect(settings) as connection:
                    months = closing.close(connection, lake, tenants=tenants)
                    refused = closing.refused(connection)
            if months:
                warehouse.build_on_ledger(settings, lake, closing.RELATIONS)
        context.log.info(f"{months} months closed")
        for refusal in refused:
            context.log.warning(refusal)
        for key in CLOSED:
            yield MaterializeResult(
                key, metadata={"months": months, "refused": len(refused), "tenants": ", ".join(tenants)}
            )

    return close
