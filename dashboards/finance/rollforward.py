"""Deferred revenue from month to month, as every page shows it.

Belongs here: its table. Does not belong here: where its rows come from (`queries/`) and what a click on one opens.
"""

from __future__ import annotations

from collections.abc import Sequence

from dashboards import data, figures
from dashboards.finance import shell

MOVEMENTS = {
    "billed": "Billed",
    "recognised": "Recognised",
    "modified": "Caught up",
    "credited": "Credited",
    "refunded": "Refunded",
    "interest": "Interest",
    "fx": "FX",
}


def moved(rows: Sequence[data.Row]) -> list[str]:
    """The movements that there were."""
    return [name for name in MOVEMENTS if any(row[name] for row in rows)]


def months(
    rows: Sequence[data.Row], currency: str, *, key: str | None = None, opens: bool = False
) -> int | None:
    """A row a month, in the order of `rows`; the place of the one that was clicked, where a click opens."""
    names = ("opening", *moved(rows), "closing")
    return shell.table(
        [
            {**row, **{name: figures.amount(row[name], currency) if row[name] else "" for name in names}}
            for row in rows
        ],
        {
            "period": shell.text("Month", "small"),
            "opening": shell.figure("Opening"),
            **{name: shell.figure(MOVEMENTS[name]) for name in moved(rows)},
            "closing": shell.figure(f"Closing, {currency}"),
        },
        key=key,
        opens=opens,
    )
