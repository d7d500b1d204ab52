"""Random integers that are the same on every machine.

Only raw PCG64 output and integer arithmetic are used: numpy guarantees the bit stream of a bit generator
between its releases, but not the methods of `Generator`, and floating-point functions differ between
processors.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
T = TypeVar("T")

_HALF = np.uint64(32)


class Dice:
    """One independent stream of random integers."""

    def __init__(self, seed: int, *names: str | int) -> None:
        """Open the stream of `seed` for the purpose that `names` say; other names give another stream."""
        keys = [n if isinstance(n, int) else zlib.crc32(n.encode()) for n in names]
        self._bits = np.random.PCG64(np.random.SeedSequence([seed, *keys]))

    def _raw(self, size: int) -> npt.NDArray[np.uint64]:
        return np.asarray(self._bits.random_raw(size), dtype=np.uint64) >> _HALF

    def below(self, bound: int | npt.NDArray[Any], size: int) -> Ints:
        """`size` integers of 0 <= x < bound; bound is at most 2**31, one for all or one each."""
        return ((self._raw(size) * np.asarray(bound, dtype=np.uint64)) >> _HALF).astype(np.int64)

    def between(self, low: int, high: int, size: int) -> Ints:
        """`size` integers of low <= x <= high."""
        return self.below(high - low + 1, size) + low

    def one(self, low: int, high: int) -> int:
        """One integer of low <= x <= high."""
        return int(self.between(low, high, 1)[0])

    def pick(self, values: Sequence[T]) -> T:
        """One of the values."""
        return values[self.one(0, len(values) - 1)]

    def weighted(self, weights: dict[T, int]) -> T:
        """One key of the table, by weight."""
        at = self.one(1, sum(weights.values()))
        for value, weight in weights.items():
            at -= weight
            if at <= 0:
                return value
        raise AssertionError("the weights are positive")

    def chance(self, ppm: int) -> bool:
        """True in `ppm` of a million."""
        return self.one(0, 999_999) < ppm

    def hits(self, ppm: int, size: int) -> npt.NDArray[np.bool_]:
        """`size` booleans, true in `ppm` of a million."""
        return np.asarray(self.below(1_000_000, size) < ppm)

    def shuffled(self, size: int) -> Ints:
        """0..size-1 in random order (ties of the draws broken by position)."""
        return np.argsort(self._bits.random_raw(size), kind="stable").astype(np.int64)

    def sample(self, population: int, size: int) -> Ints:
        """`size` different positions below `population`, ascending."""
        if size > population:
            raise ValueError(f"cannot draw {size} of {population}")
        # one from each slice of equal width: different by construction, without shuffling the population
        edges = np.arange(size + 1, dtype=np.int64) * population // max(size, 1)
        return edges[:-1] + self.below(np.maximum(edges[1:] - edges[:-1], 1), size)
