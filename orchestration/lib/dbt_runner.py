"""dbt inside a run, through `ratehouse.warehouse.build`, with its results as Dagster events.

In this process and not as a command: each command would load dbt and the project again, four times a night,
which takes longer than the night of a small installation.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from dagster import (
    AssetCheckEvaluation,
    AssetCheckResult,
    AssetExecutionContext,
    AssetMaterialization,
    AssetObservation,
    Output,
)
from dagster_dbt.core.dbt_cli_event import DbtCoreCliEventMessage

from orchestration.lib.dbt_arguments import Call
from orchestration.lib.dbt_manifest import runs_path
from orchestration.lib.dbt_translator import RatehouseTranslator
from ratehouse import warehouse
from ratehouse.settings import Settings
from ratehouse.warehouse import BuildFailed

Event = Output[Any] | AssetMaterialization | AssetObservation | AssetCheckResult | AssetCheckEvaluation

_SHOWN = ("info", "warn", "error")


def run(
    context: AssetExecutionContext, settings: Settings, asked: Call, translator: RatehouseTranslator
) -> Iterator[Event]:
    """Make one call under the writer lock, and yield what was built and tested.

    Args:
        context: of the step whose assets are built.
        settings: the installation.
        asked: the call.
        translator: that of the assets.

    Raises:
        BuildFailed: a node failed; what was built before it is yielded first.
    """
    from dbt_common.events.functions import msg_to_dict

    results: list[dict[str, Any]] = []

    def listen(message: Any) -> None:
        # most of what dbt says is for its own developers; only what is shown or is a result is worth reading
        if message.info.level in _SHOWN:
            context.log.info(message.info.msg)
        if message.info.name in ("LogModelResult", "LogTestResult"):
            results.append(msg_to_dict(message))

    failure: BuildFailed | None = None
    with warehouse.writer(settings):
        try:
            warehouse.build(
                settings,
                select=asked.select,
                command=asked.command,
                flags=asked.flags,
                target=runs_path(settings),
                callbacks=[listen],
            )
        except BuildFailed as error:
            failure = error
    for result in results:
        if result["data"]["status"] not in ("error", "skipped"):
            yield from _events(context, result, translator)
    if failure is not None:
        raise failure


def _events(
    context: AssetExecutionContext, result: Mapping[str, Any], translator: RatehouseTranslator
) -> Iterator[Event]:
    message = DbtCoreCliEventMessage(raw_event=dict(result), event_history_metadata={})
    model = translator.models.get(result["data"]["node_info"]["unique_id"])
    for event in message.to_default_asset_events(translator.manifest, translator, context):
        if isinstance(event, Output) and model is not None:
            key = translator.get_asset_key(model)
            if key not in context.selected_asset_keys:
                # Built besides, for the second time in this run: true, but not an output of this step.
                context.log_event(AssetMaterialization(key, metadata=event.metadata))
                continue
        yield event
