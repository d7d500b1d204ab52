"""The quarantine: rejected rows, and the share of the newest batches that was rejected."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pyarrow as pa

from orchestration.lib.expectations.suite import Suite, at_most, columns, filled

# One row in twenty: more than a sender's odd mistake, less than a broken export.
MAX_SHARE = 0.05


def _by_reason(table: pa.Table) -> dict[str, Any]:
    reasons = Counter(zip(table["stream"].to_pylist(), table["reason_code"].to_pylist(), strict=True))
    rows = table.num_rows
    return {
        "share by reason": {
            f"{stream}: {code}": f"{count / rows:.1%}" for (stream, code), count in reasons.most_common()
        }
    }


SUITES = (
    Suite(
        name="rejected_shape",
        stream="rejected",
        blocking=True,
        description="Every rejected row has its payload and a reason, and can be landed again after a fix.",
        expectations=(
            columns("rejected"),
            *filled("tenant_id", "stream", "reason_code", "reason", "payload", "reject_id"),
        ),
        notes=_by_reason,
    ),
    Suite(
        name="rejected_share",
        stream="rejected",
        relation="batches",
        blocking=False,
        description=f"At most {MAX_SHARE:.0%} of any of the newest batches was rejected.",
        expectations=(at_most("rejected_share", MAX_SHARE),),
    ),
)
