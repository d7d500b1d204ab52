"""What a suite is, and the shorthand in which suites are written.

Expectations are data: Great Expectations
itself is loaded only where suites are run (`orchestration.lib.quality`), since it takes seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from dagster import AssetCheckSeverity

from ratehouse.stream_schema import REJECTED, STREAMS

Notes = Callable[[pa.Table], Mapping[str, Any]]


@dataclass(frozen=True)
class Expect:
    """One expectation: the name of its class in Great Expectations and its arguments."""

    kind: str
    arguments: Mapping[str, Any]


# eq=False: a suite is itself, which lets it be a key of a mapping.
@dataclass(frozen=True, eq=False)
class Suite:
    """A suite of one stream.

    Attributes:
        name: of the suite and of the asset check.
        stream: the stream whose newest batches it looks at.
        expectations: what must hold.
        blocking: a failure stops the run before anything is built on it; else it is a warning.
        description: one sentence for the person who reads the check.
        relation: where its rows are, if that is not the stream itself.
        notes: what else to show with the check.
    """

    name: str
    stream: str
    expectations: tuple[Expect, ...]
    blocking: bool
    description: str
    relation: str = ""
    notes: Notes | None = None

    @property
    def severity(self) -> AssetCheckSeverity:
        """How a failure is shown."""
        return AssetCheckSeverity.ERROR if self.blocking else AssetCheckSeverity.WARN


def columns(stream: str) -> Expect:
    """The columns of the stream, in order."""
    schema = REJECTED if stream == "rejected" else STREAMS[stream].schema
    return Expect("ExpectTableColumnsToMatchOrderedList", {"column_list": list(schema.names)})


def filled(*names: str) -> tuple[Expect, ...]:
    """No null in these columns."""
    return tuple(Expect("ExpectColumnValuesToNotBeNull", {"column": name}) for name in names)


def matches(column: str, regex: str) -> Expect:
    """Every value that is there matches."""
    return Expect("ExpectColumnValuesToMatchRegex", {"column": column, "regex": regex})


def one_of(column: str, values: list[str]) -> Expect:
    """Every value that is there is one of these."""
    return Expect("ExpectColumnValuesToBeInSet", {"column": column, "value_set": values})


def at_most(column: str, value: float) -> Expect:
    """The largest value of the column."""
    return Expect("ExpectColumnMaxToBeBetween", {"column": column, "max_value": value})


def some_rows() -> Expect:
    """Not nothing."""
    return Expect("ExpectTableRowCountToBeBetween", {"min_value": 1})
