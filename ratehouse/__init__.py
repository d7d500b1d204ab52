"""Ratehouse: a billing engine that lives in an analytical warehouse.

The small core that everything else may import. It imports none of `ingest`, `deliver`, `dashboards`, `orchestration`.
"""

__version__ = "0.1.0"
