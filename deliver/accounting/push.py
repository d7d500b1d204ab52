"""Posting the journal of a closed month to an accounting system, each entry once, whole or not at all.

Belongs here: the order of the steps, and what an answer means for an entry. Does not belong here: the requests
(`connection`), what they say (`targets`), what is remembered (`outbox`).

An entry that was posted and is different in the journal now (its month was reopened) is not changed in the books: what it
differs by, account by account, is an entry of its own.

An entry that a system takes only in parts is taken back where one of them is refused. A request whose answer was lost leaves its
claim open; the next push asks the system for the entry by its number before it sends it again, under the same key.
"""

from __future__ import annotations

import calendar
import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb

from deliver.accounting import outbox
from deliver.accounting.connection import Connection, NotTaken, Refused, Unanswered, connect, look_up
from deliver.accounting.export import check_month
from deliver.accounting.journal import AccountingError, Books, Entry, Line, load_books, load_entries
from deliver.accounting.outbox import Posting
from deliver.accounting.parts import split
from deliver.accounting.targets import TARGETS, Target
from deliver.documents.model import connect_serving
from ratehouse.canonical_json import canonical
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.tenant import ACCOUNTS

_CORRECTION = re.compile(r"-C(\d+)\.\d+$")
# A process that claimed an entry may still be sending it: longer than all its tries can take.
TAKE_OVER = timedelta(minutes=10)

Clock = Callable[[], datetime]


@dataclass
class Pushed:
    """What a push did. `outcomes` counts entries; `problems` are sentences for a person."""

    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Sent:
    """One part of an entry as it is to be posted."""

    number: str
    payload: dict[str, Any]
    posting: Posting | None

    @property
    def sent_hash(self) -> str:
        return outbox.digest(self.payload)

    @property
    def state(self) -> str:
        return self.posting.state if self.posting else "waiting"

    @property
    def has_changed(self) -> bool:
        return self.posting is not None and self.posting.sent_hash != self.sent_hash


def push(
    settings: Settings,
    tenant_id: str,
    period: str,
    target: str,
    *,
    again: bool = False,
    clock: Clock = lambda: datetime.now(UTC),
    connection: Connection | None = None,
) -> Pushed:
    """Post every entry of a closed month that is not in the system yet. Safe to run at any time, by anybody, again.

    Args:
        settings: the installation; the journal comes from its serving file.
        tenant_id: whose journal.
        period: the month of posting, YYYY-MM.
        target: the system.
        again: also try entries again that it refused, although nothing about them has changed.
        clock: tells the time (UTC).
        connection: the system; default the one that the environment names.

    Raises:
        AccountingError: the month is not closed, an account is missing, there is no access; nothing was sent.
    """
    check_month(period)
    if target not in TARGETS:
        raise AccountingError(f"There is no target {target}; use one of {', '.join(TARGETS)}.")
    system = connection or connect(target, tenant_id)
    lake = Lake(settings.lake_url)
    postings = outbox.read_postings(lake, tenant_id, target)
    with connect_serving(settings.serving_path) as serving:
        _check_closed(serving, tenant_id, period)
        books = load_books(serving, tenant_id)
        entries = {entry.entry_id: entry for entry in load_entries(serving, tenant_id, period)}
    earlier: defaultdict[str, list[Posting]] = defaultdict(list)
    for posting in postings.values():
        earlier[posting.entry_id].append(posting)
        if posting.period == period and posting.entry_id not in entries:
            entries[posting.entry_id] = _gone(posting, str(books.document["currency"]))
    pushed = Pushed()
    sender = _Sender(lake, system, books, postings, TARGETS[target], period, again, clock, pushed)
    # All is worded before the first is sent.
    worded = {entry.entry_id: sender.word(entry) for entry in entries.values()}
    for entry_id, parts in worded.items():
        try:
            sender.entry(entries[entry_id], parts, earlier[entry_id])
        except NotTaken as error:
            pushed.outcomes["waiting"] += 1
            pushed.problems.append(f"{target} takes nothing now ({error}); the rest waits for the next push")
            break
    return pushed


def _check_closed(serving: duckdb.DuckDBPyConnection, tenant_id: str, period: str) -> None:
    status = serving.execute(
        "select status from marts.accounting_periods where tenant_id = ? and period = ?", [tenant_id, period]
    ).fetchall()
    if status != [("closed",)]:
        raise AccountingError(
            f"{period} of {tenant_id} is {status[0][0] if status else 'no complete month'}, and what is open may "
            f"move: close it first (`ratehouse close {period} --tenant {tenant_id} --prepare`)."
        )


def _gone(posting: Posting, currency: str) -> Entry:
    """An entry that was posted and that the journal no longer has: nothing is left of it, on the last day of its month."""
    year, month = map(int, posting.period.split("-"))
    last_day = date(year, month, calendar.monthrange(year, month)[1])
    return Entry(posting.entry_id, "correction", last_day, posting.period, currency, posting.number, ())


@dataclass
class _Sender:
    """Posts entries of one tenant and month to one system."""

    lake: Lake
    system: Connection
    books: Books
    postings: dict[str, Posting]
    target: Target
    period: str
    again: bool
    clock: Clock
    pushed: Pushed

    def word(self, entry: Entry, *, correction: int = 0) -> list[_Sent]:
        """The parts of an entry as the system takes them, with what became of each so far."""
        return [
            _Sent(part.number, self.target.payload(part, self.books), self.postings.get(part.number))
            for part in split(entry, self.target.limits, correction=correction)
        ]

    def entry(self, entry: Entry, parts: Sequence[_Sent], earlier: Sequence[Posting]) -> None:
        """Post what is not posted yet of an entry, or what it differs by from what is."""
        as_it_is = {part.number for part in parts if not part.has_changed}
        try:
            if any(one.state == "posted" and one.number not in as_it_is for one in earlier):
                self._correct(entry, parts, earlier)
            elif parts:
                self._whole(entry.entry_id, parts, "posted")
        except _Busy:
            self.pushed.outcomes["taken by another process"] += 1

    def _correct(self, entry: Entry, parts: Sequence[_Sent], earlier: Sequence[Posting]) -> None:
        """Post what an entry differs by from what the books have of it, account by account."""
        differing: defaultdict[str, Decimal] = defaultdict(Decimal)
        for part in parts:
            for account, amount in self.target.amounts(part.payload):
                differing[account] += amount
        try:
            booked = [self._settled(one) for one in earlier]
        except Unanswered as error:
            self._problem("unknown", earlier[0].number, f"may be posted ({error}); push again later")
            return
        done = [one for one in booked if one.state == "posted"]
        for one in done:
            for account, amount in self.target.amounts(json.loads(one.sent, parse_float=Decimal)):
                differing[account] -= amount
        lines = tuple(
            Line(self._role(account), amount, account=account)
            for account, amount in sorted(differing.items(), key=lambda item: -item[1])
            if amount
        )
        if not lines:
            self.pushed.outcomes["posted before"] += 1
            return
        corrections = [int(found[1]) for one in done if (found := _CORRECTION.search(one.number))]
        correcting = replace(entry, memo=f"correction of {entry.memo}", lines=lines)
        self._whole(
            entry.entry_id, self.word(correcting, correction=max(corrections, default=0) + 1), "corrected"
        )

    def _role(self, account: str) -> str:
        """What an account of the system is for today; empty for one that is for nothing any more."""
        for role in ACCOUNTS:
            own = self.target.name == "xero"
            if self.books.has_account(role, self.target.name, own=own) == account:
                return role
        return ""

    def _whole(self, entry_id: str, parts: Sequence[_Sent], outcome: str) -> None:
        """Post the parts that are not posted yet; where one is refused, none stays."""
        if all(part.state == "posted" for part in parts):
            self.pushed.outcomes["posted before"] += 1
            return
        refused = [part for part in parts if part.state == "refused"]
        if refused and not self.again and not any(part.has_changed for part in refused):
            detail = refused[0].posting.detail if refused[0].posting else None
            self._take_back([part.posting for part in parts if part.posting])
            self._problem("refused", refused[0].number, f"was refused before: {detail}")
            return
        done: list[Posting] = []
        for part in parts:
            try:
                done.append(self._part(entry_id, part))
            except Refused as error:
                self._take_back([*done, *(later.posting for later in parts if later.posting)])
                self._problem("refused", part.number, str(error))
                return
            except Unanswered as error:
                self._problem(
                    "unknown", part.number, f"was sent and no answer came ({error}); push again later"
                )
                return
        self.pushed.outcomes[outcome] += 1

    def _part(self, entry_id: str, part: _Sent) -> Posting:
        """One part in the books, by whoever posted it."""
        before = self._settled(part.posting) if part.posting else None
        if before is not None and before.state == "posted":
            return before
        posting = Posting(
            self.books.tenant_id,
            outbox.posting_id(self.books.tenant_id, self.target.name, part.number),
            "unknown",
            self.target.name,
            self.period,
            entry_id,
            part.number,
            part.sent_hash,
            canonical(part.payload),
            before.attempt + 1 if before else 1,
            before.voids if before else 0,
            self.clock(),
            None,
            None,
        )
        if not outbox.record(self.lake, posting, "claimed", at=self.clock()):
            raise _Busy
        try:
            external_id = self.system.post(
                part.payload, key=outbox.idempotency_key(posting), number=part.number
            )
        except Refused as error:
            outbox.record(self.lake, posting, "refused", at=self.clock(), detail=str(error))
            raise
        except NotTaken as error:
            outbox.record(self.lake, posting, "deferred", at=self.clock(), detail=str(error))
            raise
        return self._posted(posting, external_id)

    def _settled(self, posting: Posting) -> Posting:
        """A posting of which it is known whether the books have it; the system is asked where the answer was lost."""
        if posting.state != "unknown":
            return posting
        if self.clock() - posting.last_at < TAKE_OVER:
            raise _Busy
        found = look_up(self.system, posting.number)
        return self._posted(posting, found) if found else posting

    def _posted(self, posting: Posting, external_id: str) -> Posting:
        outbox.record(self.lake, posting, "posted", at=self.clock(), external_id=external_id)
        return replace(posting, state="posted", external_id=external_id)

    def _take_back(self, postings: Sequence[Posting]) -> None:
        """Leave nothing of an entry in the books of which a part was refused."""
        posted = {posting.number: posting for posting in postings if posting.state == "posted"}
        for posting in posted.values():
            assert posting.external_id is not None
            try:
                self.system.void(
                    posting.external_id, key=outbox.digest("void", posting.posting_id, posting.voids)
                )
            except (Refused, Unanswered) as error:
                self._problem(
                    "partly posted",
                    posting.number,
                    f"is in {self.target.name} as {posting.external_id} and could not be taken back ({error}); push again",
                )
            else:
                outbox.record(self.lake, posting, "voided", at=self.clock())

    def _problem(self, outcome: str, number: str, text: str) -> None:
        self.pushed.outcomes[outcome] += 1
        self.pushed.problems.append(f"{self.books.tenant_id} {number} {text}")


class _Busy(Exception):
    """Another process has the right to post this."""
