"""What dbt-duckdb loads with every connection: the file system of the lake, if that is an object store.

Belongs here: nothing else. Models stay plain SQL; a rule that needs Python does not belong in the project.
"""

from __future__ import annotations

import os

import duckdb
from dbt.adapters.duckdb.plugins import BasePlugin

from ratehouse.lake import Lake


class Plugin(BasePlugin):
    """Registers the lake of RATEHOUSE_LAKE with each connection that dbt opens."""

    def configure_connection(self, conn: duckdb.DuckDBPyConnection) -> None:
        """Called by dbt-duckdb once per database."""
        lake = os.environ.get("RATEHOUSE_LAKE", "")
        if "://" in lake:
            Lake(lake).register(conn)
