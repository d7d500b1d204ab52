"""How dbt nodes become assets: keys, groups, and the one place where the asset graph differs from dbt's.

The difference is the issue step. dbt sees the ledger as a source. Models read it on both sides of the issue
step: before it to know what was billed so far, after it to show what is billed now. As assets that would be a
cycle, since the ledger is what the issue step makes of the due lines. So

* models upstream of the issue step do not depend on the ledger but on the landing step: they read it as it is
  before the run, and
* models downstream of the ledger that are not upstream of the issue step depend on it, whatever models are in
  between.

The first kind is stale once documents are issued; `billed_side` names those that are built again then.

The close step is the same once more: it freezes what the models say, and they read what it froze. It comes after all of them
and builds those that read it again by itself, in the few nights in which a month is closed; so no model depends on it.

`usage` are the models that read events: incremental by the day on which events were received, with what is between
them. They find out themselves which of those days have changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from datetime import timedelta
from typing import Any

from dagster import AssetDep, AssetKey, AssetSpec, FreshnessPolicy
from dagster_dbt import DagsterDbtTranslator, DagsterDbtTranslatorSettings, DbtProject

from orchestration.lib.names import CLOCKS, CLOSED, INVOICES, LEDGER

# What the issue step reads (ratehouse.ledger).
ISSUE_READS = (
    "int_invoicing__due_documents",
    "int_invoicing__due_lines",
    "int_credits__due_draws",
    "int_credits__due_note_uses",
)
_INVOICES_FRESH = FreshnessPolicy.time_window(
    fail_window=timedelta(hours=36), warn_window=timedelta(hours=26)
)


class RatehouseTranslator(DagsterDbtTranslator):
    """Assets of one manifest."""

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        """Find the two sides of the issue step in the manifest."""
        # Source tests count: what is wrong with a fact is wrong with the asset raw.<stream>.
        super().__init__(DagsterDbtTranslatorSettings(enable_source_tests_as_checks=True))
        names = {node["name"]: unique_id for unique_id, node in manifest["nodes"].items()}
        ledger = {
            unique_id
            for unique_id, source in manifest["sources"].items()
            if source["source_name"] == "ledger" and AssetKey(["ledger", source["name"]]) in LEDGER
        }
        self.before_issue = _closure({names[name] for name in ISSUE_READS}, manifest["parent_map"])
        self.after_ledger = _closure(ledger, manifest["child_map"]) - ledger
        self.usage = _between(
            {
                unique_id
                for unique_id, node in manifest["nodes"].items()
                if node["resource_type"] == "model" and node["config"]["materialized"] == "incremental"
            },
            manifest,
        )
        self.manifest = manifest

    @property
    def models(self) -> dict[str, Mapping[str, Any]]:
        """The models by unique id."""
        nodes = self.manifest["nodes"]
        return {unique_id: node for unique_id, node in nodes.items() if node["resource_type"] == "model"}

    @property
    def billed_side(self) -> frozenset[str]:
        """Unique ids of the tables that are built before the issue step and read the ledger."""
        return frozenset(
            unique_id
            for unique_id, node in self.models.items()
            # a view shows the ledger as it is without being built again
            if unique_id in self.before_issue & self.after_ledger and node["config"]["materialized"] != "view"
        )

    @property
    def after_issue(self) -> frozenset[AssetKey]:
        """Keys of the models that show what is billed now."""
        shown = self.after_ledger - self.before_issue
        return frozenset(
            self.get_asset_key(node) for unique_id, node in self.models.items() if unique_id in shown
        )

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> AssetKey:
        """[schema, table], as in the warehouse."""
        table = (
            dbt_resource_props.get("identifier")
            or dbt_resource_props.get("alias")
            or dbt_resource_props["name"]
        )
        return AssetKey([dbt_resource_props["schema"], table])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        """The folder of the model, `marts_billing`."""
        return "_".join(dbt_resource_props["fqn"][1:-1]) or None

    def get_asset_spec(
        self, manifest: Mapping[str, Any], unique_id: str, project: DbtProject | None
    ) -> AssetSpec:
        """The asset of a node, with its edges to the ledger as the module says."""
        spec = super().get_asset_spec(manifest, unique_id, project)
        if any(dep.asset_key in CLOSED for dep in spec.deps):
            others = [dep for dep in spec.deps if dep.asset_key not in CLOSED]
            spec = spec.replace_attributes(deps=others)
        if unique_id in self.before_issue:
            if any(dep.asset_key in LEDGER for dep in spec.deps):
                others = [dep for dep in spec.deps if dep.asset_key not in LEDGER]
                spec = spec.replace_attributes(deps=[*others, AssetDep(CLOCKS)])
        elif unique_id in self.after_ledger:
            known = {dep.asset_key for dep in spec.deps}
            spec = spec.replace_attributes(
                deps=[*spec.deps, *(AssetDep(key) for key in LEDGER if key not in known)]
            )
        if spec.key == INVOICES:
            spec = spec.replace_attributes(freshness_policy=_INVOICES_FRESH)
        return spec


def _between(chosen: Set[str], manifest: Mapping[str, Any]) -> frozenset[str]:
    """The chosen models and the models on the way from one of them to another."""
    below, above = _closure(chosen, manifest["child_map"]), _closure(chosen, manifest["parent_map"])
    return frozenset(
        unique_id for unique_id in below & above if manifest["nodes"][unique_id]["resource_type"] == "model"
    )


def _closure(start: Set[str], neighbours: Mapping[str, list[str]]) -> frozenset[str]:
    found, waiting = set(start), list(start)
    while waiting:
        for neighbour in neighbours.get(waiting.pop(), []):
            if neighbour not in found:
                found.add(neighbour)
                waiting.append(neighbour)
    return frozenset(found)
