"""The identities over all data (`dbt_project/tests`) and the keys of marts, asked for one tenant: no other's faults.

Belongs here: running them and reading what failed. Does not belong here: what must hold, which the tests themselves say.
"""

from __future__ import annotations

import json

from ratehouse import ledger, warehouse
from ratehouse.settings import Settings
from ratehouse.warehouse import BuildFailed

# As dbt selects them. A row that is in a mart twice breaks its key before it breaks a sum.
TESTS = (
    "test_type:singular",
    "path:models/marts/billing,test_name:unique_combination",
    "path:models/marts/revenue,test_name:unique_combination",
)


def failing(settings: Settings, tenant_id: str) -> dict[str, int]:
    """The identities that do not hold for a tenant on the warehouse as it is built, with the rows that break them.

    One that says nothing of tenants holds for none if it fails. Beside those of dbt: documents are what was issued, by
    their hashes, which SQL does not compute. The caller holds the writer lock.

    Raises:
        BuildFailed: a test could not be run at all.
    """
    broken = {}
    try:
        warehouse.build(settings, command="test", select=TESTS)
    except BuildFailed:
        results = json.loads(
            (settings.warehouse_path.parent / "dbt_target" / "run_results.json").read_text(encoding="utf-8")
        )["results"]
        if any(result["status"] not in ("pass", "fail") for result in results):
            raise
        with warehouse.connect(settings, read_only=True) as connection:
            for result in results:
                if result["status"] == "fail":
                    found = connection.sql(result["compiled_code"])
                    if "tenant_id" in found.columns:
                        found = found.filter(f"tenant_id = '{tenant_id.replace(chr(39), chr(39) * 2)}'")
                    rows = len(found.fetchall())
                    if rows:
                        broken[result["unique_id"].split(".")[2]] = rows
    with warehouse.connect(settings, read_only=True) as connection:
        altered = ledger.altered(connection, tenant_id)
    if altered:
        broken["documents_are_what_was_issued"] = len(altered)
    return broken
