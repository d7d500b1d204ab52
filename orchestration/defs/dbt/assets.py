"""The dbt project as assets: two definitions over one manifest, and the seeds.

Dagster cuts the second definition where its models need the first one or the ledger, so that a night is:
models before usage, usage, rating up to the due lines, issue, marts.
"""

from collections.abc import Iterator
from typing import Any

from dagster import (
    AssetExecutionContext,
    AssetsDefinition,
    AssetSpec,
    BackfillPolicy,
    MaterializeResult,
    ResourceParam,
    multi_asset,
)
from dagster_dbt import DbtProject, dbt_assets

from orchestration.lib import dbt_arguments, dbt_runner
from orchestration.lib.dbt_runner import Event
from orchestration.lib.dbt_translator import RatehouseTranslator
from orchestration.lib.names import WRITER_POOL
from orchestration.lib.partitions import RECEIVED_DAYS
from ratehouse import warehouse
from ratehouse.settings import Settings


def dbt_definitions(manifest: dict[str, Any], project: DbtProject) -> list[AssetsDefinition]:
    """The assets of a manifest."""
    translator = RatehouseTranslator(manifest)
    usage = " ".join(sorted(".".join(translator.models[model]["fqn"]) for model in translator.usage))

    @dbt_assets(
        manifest=manifest,
        project=project,
        name="usage_models",
        select=usage,
        partitions_def=RECEIVED_DAYS,
        # One dbt call for any range of days: the models see by themselves what is new, the days say what a run covered.
        backfill_policy=BackfillPolicy.single_run(),
        dagster_dbt_translator=translator,
        pool=WRITER_POOL,
    )
    def usage_models(context: AssetExecutionContext, settings: ResourceParam[Settings]) -> Iterator[Event]:
        models, tests = _selected(context, translator)
        asked = dbt_arguments.call(manifest, models, tests)
        yield from dbt_runner.run(context, settings, asked, translator)

    @dbt_assets(
        manifest=manifest,
        project=project,
        name="models",
        exclude=f"{usage} resource_type:seed",
        dagster_dbt_translator=translator,
        pool=WRITER_POOL,
    )
    def models(context: AssetExecutionContext, settings: ResourceParam[Settings]) -> Iterator[Event]:
        models, tests = _selected(context, translator)
        # What was billed has changed since these were built.
        also = translator.billed_side if context.selected_asset_keys & translator.after_issue else ()
        asked = dbt_arguments.call(manifest, models, tests, also=also)
        yield from dbt_runner.run(context, settings, asked, translator)

    return [usage_models, models, seeds(manifest, translator)]


def seeds(manifest: dict[str, Any], translator: RatehouseTranslator) -> AssetsDefinition:
    """The reference tables. Loaded only when they differ, which dbt itself does not look at."""
    specs = [
        AssetSpec(
            translator.get_asset_key(node),
            group_name="reference",
            kinds={"csv"},
            description=node["description"],
        )
        for node in manifest["nodes"].values()
        if node["resource_type"] == "seed"
    ]

    @multi_asset(specs=specs, name="reference_tables", pool=WRITER_POOL)
    def reference_tables(settings: ResourceParam[Settings]) -> Iterator[MaterializeResult[None]]:
        with warehouse.writer(settings):
            warehouse.seed(settings)
        for spec in specs:
            yield MaterializeResult(spec.key)

    return reference_tables


def _selected(context: AssetExecutionContext, translator: RatehouseTranslator) -> tuple[set[str], set[str]]:
    """The unique ids of the models and of the tests that this step is for."""
    names = {translator.get_asset_key(node): unique_id for unique_id, node in translator.models.items()}
    checks = {
        spec.key: str(spec.metadata["dagster_dbt/unique_id"])
        for spec in context.assets_def.node_check_specs_by_output_name.values()
    }
    models = {names[key] for key in context.selected_asset_keys}
    return models, {checks[key] for key in context.selected_asset_check_keys}
