"""What the model sees of a retry: the columns, in order, and their numbers.

Belongs here: the list and its encoding. Does not belong here: how a column comes about, which is the SQL of
`int_dunning__recovery_states` and the macro `slot_features`. Neither the place in the schedule nor the arm of an
experiment is a feature: they say what the seller did, not what the payer can do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

Floats = npt.NDArray[np.float64]

WORDS = ("failure_class", "failure_code", "method")
# Known when the last failure became known, and the same for all times of a retry.
STATE_NUMBERS = (
    "failures",
    "hours_since_first_failure",
    "amount",
    "customer_days_known",
    "customer_payments",
    "customer_failures",
    "method_attempts",
    "method_successes",
)
# Of the time at which it is tried.
SLOT_NUMBERS = (
    "hours_waited",
    "slot_hour",
    "slot_weekday",
    "slot_day_of_month",
    "days_since_payday",
    "days_to_payday",
)
FEATURES = (*WORDS, *STATE_NUMBERS, *SLOT_NUMBERS)
# A word that was seen less often says nothing yet; it is read as none of the known ones.
LEAST_SEEN = 20

Vocabulary = Mapping[str, Sequence[str]]


def vocabulary(frame: pl.DataFrame) -> dict[str, list[str]]:
    """The words of each column that were seen often enough, sorted."""
    found = {}
    for name in WORDS:
        counts = frame[name].drop_nulls().value_counts()
        found[name] = sorted(counts.filter(pl.col("count") >= LEAST_SEEN)[name].to_list())
    return found


def matrix(frame: pl.DataFrame, words: Vocabulary) -> Floats:
    """One row of numbers per row of the frame: a column per known word, then the numbers, NaN where unknown."""
    columns = [
        (frame[name].cast(pl.String).fill_null("") == word).cast(pl.Float64).to_numpy()
        for name in WORDS
        for word in words[name]
    ]
    columns += [
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        for name in (*STATE_NUMBERS, *SLOT_NUMBERS)
    ]
    return np.column_stack(columns)


def column_names(words: Vocabulary) -> list[str]:
    """What the columns of `matrix` are, in order."""
    return [f"{name}={word}" for name in WORDS for word in words[name]] + [*STATE_NUMBERS, *SLOT_NUMBERS]
