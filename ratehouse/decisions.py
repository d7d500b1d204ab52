"""What a person decides, as a fact that is said once: who, when and why. What a decision does is SQL.

Belongs here: how such facts are read back, identified and appended. Does not belong here: what can be decided, and about what,
which is `matches`, `acceptances` and `cash_decisions`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb

from ratehouse.canonical_json import canonical
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import land


@dataclass(frozen=True)
class Decisions:
    """The decisions of one stream.

    Attributes:
        stream: where they are appended.
        key: the column of their identity.
        prefix: how an identity begins.
        refusal: what is raised where something of a decision is missing.
    """

    stream: str
    key: str
    prefix: str
    refusal: type[RatehouseError]

    def require(self, words: Mapping[str, str]) -> None:
        """See that none of the words, by what they are, is blank."""
        for name, value in words.items():
            if not value.strip():
                raise self.refusal(f"A decision needs its {name}; give one.")

    def about(self, lake: Lake, tenant_id: str, **what: str) -> list[dict[str, Any]]:
        """What was decided about one thing, in order."""
        table = lake.read(f"raw/{self.stream}")
        mine = {"tenant_id": tenant_id, **what}
        return sorted(
            (
                row
                for row in ([] if table is None else table.to_pylist())
                if all(row[name] == value for name, value in mine.items())
            ),
            key=lambda row: (max(row["effective_at"], row["recorded_at"]), row[self.key]),
        )

    def append(
        self,
        lake: Lake,
        fact: Mapping[str, Any],
        *,
        identity: Sequence[Any],
        tenant_id: str,
        by: str,
        reason: str,
        decided_at: datetime | None,
    ) -> tuple[str, bool]:
        """Say it, once.

        Args:
            lake: where to.
            fact: what is decided, by the columns of the stream.
            identity: what tells it from every other decision of the stream. It is numbered by those before it, so that two
                people who say the same at once say it once.
            tenant_id: whose it is.
            by: who decides.
            reason: why, for whoever asks later.
            decided_at: from when it counts (UTC; None is now).

        Returns:
            Its id, and whether it was not there before.

        Raises:
            RatehouseError: as `refusal`; a person or a reason is missing.
            LakeNotWritable: the lake takes no files.
        """
        self.require({"person": by, "reason": reason})
        now = (decided_at or datetime.now(UTC)).astimezone(UTC)
        fact_id = self.prefix + hashlib.sha256(canonical(identity).encode()).hexdigest()[:24]
        row = {
            **fact,
            self.key: fact_id,
            "decided_by": by.strip(),
            "effective_at": now,
            "reason": reason.strip(),
        }
        landed = land(
            lake, self.stream, [row],
            tenant_id=tenant_id, source="person", batch_id=f"manual-{fact_id}", received_at=now,
        )  # fmt: skip
        return fact_id, not landed.already_landed

    def published(self, serving: Path, sql: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
        """Rows of the published file, of what a decision can be about."""
        if not serving.is_file():
            raise self.refusal("Nothing is published yet; run `ratehouse run` first.")
        with duckdb.connect(str(serving), read_only=True) as connection:
            return connection.execute(sql, list(parameters)).fetchall()
