"""What a demo is asked to be and what it turned out to be. No generation happens here."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, time, timedelta

MILLION = 1_000_000

# name -> share of the customers and of the usage events, in hundredths
TENANTS: dict[str, tuple[int, int]] = {"acme": (45, 55), "nordlys": (30, 20), "kumo": (25, 25)}


@dataclass(frozen=True)
class DemoPlan:
    """One demo. Equal plans give equal facts, bit for bit, on every machine.

    Attributes:
        seed: changes every number and every name that is drawn.
        events: good usage events in all; copies, conflicts, strays and malformed rows come on top.
        customers: customers in all, over the three tenants.
        start: first local day of service and of usage; the first of a month.
        months: how many months of usage follow.
        lifecycle: also land quantity changes, plan changes and cancellations; usage stays the same.
        late_ppm: events recorded a day to six weeks after they occurred, in parts per million.
        duplicates_ppm: second copies with the same content.
        conflicts_ppm: second copies with other content under the same id.
        malformed_ppm: rows that break the contract of the stream, for all its reasons.
        stray_ppm: events of customers nobody knows and of types nobody meters: accepted, not billable.
    """

    seed: int = 7
    events: int = 2_000_000
    customers: int = 300
    start: date = date(2026, 5, 1)
    months: int = 6
    lifecycle: bool = False
    late_ppm: int = 20_000
    duplicates_ppm: int = 10_000
    conflicts_ppm: int = 1_000
    malformed_ppm: int = 1_000
    stray_ppm: int = 700

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be filled.

        Raises:
            ValueError: naming the attribute.
        """
        if self.start.day != 1:
            raise ValueError(f"start must be the first of a month, not {self.start}")
        if not 1 <= self.months <= 24:
            raise ValueError(f"months must be 1 to 24, not {self.months}")
        if not 12 <= self.customers <= 9_000:
            raise ValueError(f"customers must be 12 to 9000, not {self.customers}")
        if not 100 <= self.events <= 50_000_000:
            raise ValueError(f"events must be 100 to 50 million, not {self.events}")

    @property
    def end(self) -> date:
        """The first day after the demo."""
        month = self.start.month - 1 + self.months
        return date(self.start.year + month // 12, month % 12 + 1, 1)

    @property
    def days(self) -> int:
        """Days of usage."""
        return (self.end - self.start).days

    @property
    def closes_at(self) -> datetime:
        """The instant of the run that closes the last month: noon UTC, when its last day is over everywhere.

        No fact of the demo is recorded at or after it.
        """
        return datetime.combine(self.end, time(12), UTC)

    @property
    def opens_at(self) -> datetime:
        """Before this instant nothing of the demo is recorded."""
        return datetime.combine(self.start - timedelta(days=10), time(), UTC)

    @property
    def key(self) -> str:
        """Eight hex digits that name this plan in batch ids."""
        text = json.dumps(asdict(self), sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def share(self, total: int, column: int) -> dict[str, int]:
        """Split customers (column 0) or events (column 1) over the tenants; the parts sum to the total."""
        parts: dict[str, int] = {}
        done = hundredths = 0
        for tenant, shares in TENANTS.items():
            hundredths += shares[column]
            upto = total * hundredths // 100
            parts[tenant] = upto - done
            done = upto
        return parts


@dataclass
class DemoSummary:
    """What was landed. Counts are rows handed to the lake by this plan, also when they were there already."""

    customers: int = 0
    subscriptions: int = 0
    subscription_events: int = 0
    usage_rows: int = 0
    accepted: int = 0
    rejected: int = 0
    duplicates: int = 0
    conflicts: int = 0
    late: int = 0
    strays: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    events_by_tenant: dict[str, int] = field(default_factory=dict)
    events_by_type: dict[str, int] = field(default_factory=dict)
    batches: int = 0
    batches_new: int = 0
    seconds: float = 0.0
