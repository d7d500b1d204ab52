"""Great Expectations on what landed last, as checks of the raw assets, with data docs.

One op runs all suites, since loading Great Expectations takes longer than running them. The expectations
themselves are `orchestration/lib/expectations`.
"""

from collections.abc import Iterator

from dagster import (
    AssetCheckExecutionContext,
    AssetCheckKey,
    AssetCheckResult,
    AssetCheckSpec,
    AssetKey,
    MetadataValue,
    ResourceParam,
    multi_asset_check,
)

from orchestration.lib.expectations import SUITES, Suite
from orchestration.lib.quality import newest, site_path, validate
from ratehouse.lake import Lake
from ratehouse.settings import Settings


def _spec(suite: Suite) -> AssetCheckSpec:
    return AssetCheckSpec(
        suite.name,
        asset=AssetKey(["raw", suite.stream]),
        blocking=suite.blocking,
        description=suite.description,
    )


@multi_asset_check(name="landed_quality", specs=[_spec(suite) for suite in SUITES], can_subset=True)
def landed_quality(
    context: AssetCheckExecutionContext, settings: ResourceParam[Settings]
) -> Iterator[AssetCheckResult]:
    """Run the suites on the newest batches of their streams and rebuild the data docs."""
    lake = Lake(settings.lake_url)
    chosen = [suite for suite in SUITES if _key(suite) in context.selected_asset_check_keys]
    batches = {suite.name: newest(lake, suite) for suite in chosen}
    verdicts = validate(
        {suite: table for suite in chosen if (table := batches[suite.name]) is not None}, settings
    )
    for suite in chosen:
        verdict = verdicts.get(suite.name)
        if verdict is None:
            yield AssetCheckResult(
                passed=True, asset_key=_key(suite).asset_key, check_name=suite.name, metadata={"rows": 0}
            )
            continue
        yield AssetCheckResult(
            passed=not verdict.failed,
            asset_key=_key(suite).asset_key,
            check_name=suite.name,
            severity=suite.severity,
            metadata={
                "rows": verdict.rows,
                "failed": MetadataValue.json(verdict.failed),
                **{name: MetadataValue.json(value) for name, value in verdict.notes.items()},
                "data docs": MetadataValue.url(site_path(settings).as_uri()),
            },
        )


def _key(suite: Suite) -> AssetCheckKey:
    return AssetCheckKey(AssetKey(["raw", suite.stream]), suite.name)
