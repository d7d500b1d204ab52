"""The serving file: the marts as pages and people see them."""

from collections.abc import Iterable

from dagster import AssetKey, AssetsDefinition, MaterializeResult, MetadataValue, ResourceParam, asset

from orchestration.lib.names import CLOSED, SERVING, WRITER_POOL
from ratehouse import warehouse
from ratehouse.settings import Settings


def serving_definition(marts: Iterable[AssetKey]) -> AssetsDefinition:
    """The serving file as an asset that follows all of the marts and the close, which may build some of them again."""

    @asset(
        key=SERVING, deps=[*sorted(marts), *CLOSED], group_name="serving", kinds={"duckdb"}, pool=WRITER_POOL
    )
    def serving(settings: ResourceParam[Settings]) -> MaterializeResult[None]:
        """A copy of the marts, renamed over the last one; readers that have it open keep what they have."""
        with warehouse.writer(settings):
            path = warehouse.publish(settings)
        return MaterializeResult(metadata={"path": MetadataValue.path(path), "bytes": path.stat().st_size})

    return serving
