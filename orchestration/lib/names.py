"""Names that several definitions share: keys of assets, pools, tags.

Asset keys are [schema, table] as in the warehouse, so that the asset graph and the warehouse speak of the
same things.
"""

from __future__ import annotations

from dagster import AssetKey

from ratehouse.ledger_schema import COMMITTED_BY
from ratehouse.stream_schema import STREAMS

# DuckDB lets one process write: every op that writes the warehouse file is in this pool, of which
# dagster.yaml gives out one place, to a run as a whole. Other processes are kept out by the file lock of
# `ratehouse.warehouse.writer`.
WRITER_POOL = "warehouse_writer"

USAGE_EVENTS = AssetKey(["raw", "usage_events"])
TENANTS = AssetKey(["raw", "tenants"])
CLOCKS = AssetKey(["raw", "tenant_clocks"])
FACTS = tuple(AssetKey(["raw", name]) for name in (*STREAMS, "rejected") if name != "usage_events")
# What the issue step appends to, and what the close step does.
LEDGER = tuple(AssetKey(["ledger", name]) for name, by in COMMITTED_BY.items() if by == "runs")
CLOSED = tuple(AssetKey(["ledger", name]) for name, by in COMMITTED_BY.items() if by == "closed_periods")
INVOICES = AssetKey(["marts", "invoices"])
SERVING = AssetKey(["serving", "current"])
DOCUMENTS = AssetKey(["documents", "pdf"])
TAX_TRANSACTIONS = AssetKey(["taxes", "transactions"])
MAIL = AssetKey(["documents", "mail"])
PROCESSORS = AssetKey(["payments", "processors"])
RETRIES = AssetKey(["payments", "retries"])
COLLECTION = AssetKey(["payments", "collection"])
RECOVERY_MODELS = AssetKey(["payments", "recovery_models"])
BILLED_DAYS = AssetKey(["nightly_billing"])

NIGHT_TAG = "ratehouse/night"  # which night of which group; no night of a group is run twice
TICK_TAG = "ratehouse/tick"  # the scheduled instant that picked the night
TENANTS_TAG = "ratehouse/tenants"
