"""The demo: three made-up sellers with customers, subscriptions, usage and payments, the same on every machine.

What belongs here is invention only: which facts there are and how they reach the lake (through
`ratehouse.streams`, like everybody's facts). Prices do not: they are the price books under `tenants/`.
"""

from ingest.demo.landing import land_demo, write_demo_files
from ingest.demo.payments import land_payments
from ingest.demo.plan import DemoPlan, DemoSummary

__all__ = ["DemoPlan", "DemoSummary", "land_demo", "land_payments", "write_demo_files"]
