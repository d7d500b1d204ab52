"""Entries cut to what a system takes: so many lines, so many digits, such amounts; every part balances.

Pure functions. The parts of an entry add up to it, line by line, to the digits that the system has.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from deliver.accounting.journal import AccountingError, Entry, Line
from ratehouse.money import split_by_weight


@dataclass(frozen=True)
class Limits:
    """What a system takes.

    Attributes:
        lines: of one entry, at least 2.
        rows: lines of one file.
        amount: the largest of one line.
        memo: characters of a text.
        digits: after the point of an amount.
    """

    lines: int
    rows: int
    amount: Decimal
    memo: int
    digits: int = 2


@dataclass(frozen=True)
class Part:
    """What is posted at once: an entry, or a part of it that balances by itself.

    Attributes:
        entry: the entry, or what corrects it.
        part_no: from 1 of `parts`.
        parts: how many there are.
        lines: what is posted.
        correction: 0 for the entry itself, else which of its corrections it is.
    """

    entry: Entry
    part_no: int
    parts: int
    lines: tuple[Line, ...]
    correction: int = 0

    @property
    def number(self) -> str:
        """A number of at most 21 characters, the same for ever, that no other part has."""
        if self.correction:
            return f"RH{self.entry.entry_id[:12]}-C{self.correction}.{self.part_no}"
        return f"RH{self.entry.entry_id[:14]}-{self.part_no}"

    def memo(self, limits: Limits) -> str:
        """What a reader of the ledger sees, with the number of the part, as long as it may be."""
        tail = (f" ({self.part_no} of {self.parts})" if self.parts > 1 else "") + f" [{self.number}]"
        room = limits.memo - len(tail)
        return (self.entry.memo if len(self.entry.memo) <= room else self.entry.memo[: room - 1] + "…") + tail


def split(entry: Entry, limits: Limits, *, correction: int = 0) -> list[Part]:
    """The parts of an entry; none if nothing of it is left at the digits of the system.

    Debits are paired with credits in their order, and pairs fill a part until it is full: so it balances.

    Raises:
        AccountingError: the entry does not balance.
    """
    if sum(line.amount for line in entry.lines):
        raise AccountingError(f"Entry {entry.entry_id} does not balance.")
    lines = _rounded(entry.lines, limits.digits)
    if not lines:
        return []
    largest = int(limits.amount * 10**limits.digits)
    if len(lines) <= limits.lines and all(abs(amount) <= largest for _, amount in lines):
        filled = [lines]
    else:
        filled = _filled(lines, limits.lines, largest)
    return [
        Part(
            entry,
            number,
            len(filled),
            tuple(replace(line, amount=Decimal(amount).scaleb(-limits.digits)) for line, amount in part),
            correction,
        )
        for number, part in enumerate(filled, 1)
    ]


def files_of(parts: Sequence[Part], rows: int) -> list[list[Part]]:
    """Parts by file, none of them cut, at most so many lines in each."""
    files: list[list[Part]] = []
    free = 0
    for part in parts:
        if len(part.lines) > free:
            files.append([])
            free = rows
        files[-1].append(part)
        free -= len(part.lines)
    return files


def _rounded(lines: Sequence[Line], digits: int) -> list[tuple[Line, int]]:
    """The lines in units of the last digit; each side is rounded as a whole and shared by largest remainder."""
    units: dict[int, int] = {}
    for sign in (1, -1):
        side = {
            f"{place:09d}": line.amount * sign for place, line in enumerate(lines) if line.amount * sign > 0
        }
        total = int((sum(side.values(), Decimal(0)) * 10**digits).to_integral_value(rounding="ROUND_HALF_UP"))
        if side:
            units |= {int(place): sign * part for place, part in split_by_weight(total, side).items()}
    return [(lines[place], amount) for place, amount in sorted(units.items()) if amount]


def _filled(lines: Sequence[tuple[Line, int]], most_lines: int, largest: int) -> list[list[tuple[Line, int]]]:
    debits = deque([place, amount] for place, (_, amount) in enumerate(lines) if amount > 0)
    credits = deque([place, -amount] for place, (_, amount) in enumerate(lines) if amount < 0)
    parts: list[dict[int, int]] = [{}]
    while debits:
        debit, credit, part = debits[0], credits[0], parts[-1]
        room = min(debit[1], credit[1], largest - part.get(debit[0], 0), largest + part.get(credit[0], 0))
        if room == 0 or len(part.keys() | {debit[0], credit[0]}) > most_lines:
            parts.append({})
            continue
        part[debit[0]] = part.get(debit[0], 0) + room
        part[credit[0]] = part.get(credit[0], 0) - room
        for side in (debits, credits):
            side[0][1] -= room
            if not side[0][1]:
                side.popleft()
    return [[(lines[place][0], amount) for place, amount in sorted(part.items())] for part in parts]
