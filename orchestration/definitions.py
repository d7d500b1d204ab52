"""What `dagster dev -m orchestration.definitions` loads."""

from __future__ import annotations

import dagster as dg

from orchestration.build import build_defs


@dg.definitions
def ratehouse() -> dg.Definitions:
    """The definitions of this installation."""
    return build_defs()
