"""Arguments of dbt calls: pure functions of what Dagster selected. Running dbt is `dbt_runner`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Call:
    """One call of dbt.

    Attributes:
        command: the dbt command.
        select: dbt selectors, in order.
        flags: further arguments.
    """

    command: str
    select: tuple[str, ...]
    flags: tuple[str, ...]


def call(
    manifest: Mapping[str, Any],
    models: Collection[str],
    tests: Collection[str] = (),
    *,
    also: Iterable[str] = (),
) -> Call:
    """The call that builds models with their tests; if there is no model, the tests alone.

    Args:
        manifest: the manifest.
        models: unique ids of the models.
        tests: unique ids of the tests; they count only where there is no model.
        also: unique ids of models to build besides.
    """
    nodes = manifest["nodes"]
    if not models:
        alone = ("--indirect-selection", "empty")
        return Call("test", tuple(sorted(nodes[one]["name"] for one in tests)), alone)
    flags = (
        # Unit tests prove the project, not the data: they run when the project is tested, not every night.
        *("--exclude-resource-type", "unit_test"),
        # A test of several models must wait for all of them; dbt's default runs it as soon as one is built.
        *("--indirect-selection", "buildable"),
    )
    return Call("build", tuple(sorted(".".join(nodes[one]["fqn"]) for one in {*models, *also})), flags)
