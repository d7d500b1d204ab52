"""Sending what is due, and recording what became of it.

Belongs here: the order of the steps and the back-off. Does not belong here: SMTP (`transport`), states
(`outbox`), wording (`message`). See the package's docstring for why a message never reaches a server twice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.headerregistry import Address
from itertools import groupby
from typing import Any

import duckdb

from deliver.documents.model import Key, connect_serving, load_document
from deliver.documents.store import Rendered, read_pdf, render_many
from deliver.facts import tenant_document
from deliver.mail import outbox
from deliver.mail.message import compose
from deliver.mail.outbox import MailError, Message
from deliver.mail.transport import (
    AlreadyClaimed,
    Connection,
    NotTaken,
    RefusedAfterClaim,
    SmtpSettings,
    Unanswered,
)
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings

# After the first, second, … try that failed for now; when the list is over, a person has to look.
BACK_OFF = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 4 * 60, 12 * 60, 24 * 60, 24 * 60))

Clock = Callable[[], datetime]


@dataclass
class Dispatched:
    """What a dispatch did. `outcomes` counts messages; `problems` are sentences for a person."""

    queued: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)


def dispatch(
    settings: Settings,
    *,
    tenants: Sequence[str] = (),
    limit: int | None = None,
    clock: Clock = lambda: datetime.now(UTC),
) -> Dispatched:
    """Queue what was issued and hand over every message that is due. Safe to run at any time, by anybody, again.

    Args:
        settings: the installation.
        tenants: whose messages; none means all.
        limit: at most so many messages.
        clock: tells the time (UTC).

    Raises:
        RatehouseError: there is no serving file, or no mail server is set although messages are due.
    """
    lake = Lake(settings.lake_url)
    done = Dispatched()
    queued = outbox.queue(settings, lake, tenants=tenants, now=clock())
    done.queued = queued.messages
    done.problems += [
        f"{tenant} {number}: its customer has no e-mail address"
        for tenant, number in queued.without_recipient
    ]
    now = clock()
    due = [
        message
        for message in outbox.read_outbox(lake, tenants=tenants)
        if message.state == "waiting" and message.next_attempt_at <= now
    ][:limit]
    rendered = _render(settings, due)
    with connect_serving(settings.serving_path) as serving:
        for tenant_id, messages in groupby(due, key=lambda message: message.tenant_id):
            _Sender(settings, lake, serving, rendered, tenant_id, done, clock).send(list(messages))
    return done


def _render(settings: Settings, due: Sequence[Message]) -> dict[Key, Rendered]:
    """The documents of messages, made now where their files are missing or out of date."""
    keys = list(dict.fromkeys((message.tenant_id, message.invoice_id) for message in due))
    # A pool of processes pays off from a few dozen documents on.
    results = render_many(settings, keys, processes=1 if len(keys) < 32 else None) if keys else ()
    return {(result.tenant_id, result.invoice_id): result for result in results}


class _Sender:
    """Hands over the messages of one tenant through one session."""

    def __init__(
        self,
        settings: Settings,
        lake: Lake,
        serving: duckdb.DuckDBPyConnection,
        rendered: Mapping[Key, Rendered],
        tenant_id: str,
        done: Dispatched,
        clock: Clock,
    ) -> None:
        self.settings, self.lake, self.serving, self.rendered = settings, lake, serving, rendered
        self.tenant_id, self.done, self.clock = tenant_id, done, clock
        document = tenant_document(serving, tenant_id) or {}
        self.sender: Address = outbox.sender(document, tenant_id)
        self.mail: dict[str, Any] = document.get("mail") or {}
        folder = settings.tenants_dir / tenant_id
        self.folder = folder if folder.is_dir() else None

    def send(self, messages: Sequence[Message]) -> None:
        """Try each message once; stop when the server is out of reach, which the others would find out too."""
        server = SmtpSettings.load(self.tenant_id)
        with Connection(server) as connection:
            for message in messages:
                try:
                    content = self._content(message)
                except RatehouseError as error:
                    # Nothing was tried: it waits for the document or the template to be mended.
                    self._problem(message, "not_ready", str(error))
                    continue
                try:
                    self._try(connection, message, content)
                except NotTaken as error:
                    self._put_off(message, error)
                    if error.out_of_reach:
                        self.done.problems.append(f"{self.tenant_id}: {error}; its other messages wait")
                        return

    def _try(self, connection: Connection, message: Message, content: bytes) -> None:
        number = message.claim + 1
        try:
            code, text = connection.hand_over(
                key=message.delivery_id,
                sender=self.mail.get("bounces_to") or self.sender.addr_spec,
                recipient=message.recipient,
                content=content,
                claim=lambda: outbox.claim(self.lake, message, at=self.clock()),
            )
        except AlreadyClaimed:
            self.done.outcomes["taken by another process"] += 1
        except Unanswered as error:
            # No fact: a claim without a result says exactly this, also if this process dies here.
            self._problem(message, "unknown", f"handed over, but no answer came ({error})")
        except RefusedAfterClaim as error:
            at, again = self._again(message, error)
            outbox.record(
                self.lake, message, "refused", number,
                at=at, next_attempt_at=again, code=str(error.code), detail=str(error),
            )  # fmt: skip
            self._problem(message, "deferred" if again else "failed", str(error))
        else:
            outbox.record(self.lake, message, "sent", number, at=self.clock(), code=str(code), detail=text)
            self.done.outcomes["sent"] += 1

    def _put_off(self, message: Message, error: NotTaken) -> None:
        at, again = self._again(message, error)
        outbox.record(
            self.lake, message, "failed" if error.permanent else "deferred", message.undelivered + 1,
            at=at, next_attempt_at=again, code=str(error.code) if error.code else None, detail=str(error),
        )  # fmt: skip
        self._problem(message, "deferred" if again else "failed", str(error))

    def _again(self, message: Message, error: NotTaken) -> tuple[datetime, datetime | None]:
        at = self.clock()
        # A wrong password is mended by a person; the messages behind it are as good as before.
        if (error.permanent and not error.out_of_reach) or message.tries >= len(BACK_OFF):
            return at, None
        return at, at + BACK_OFF[message.tries]

    def _content(self, message: Message) -> bytes:
        key = (message.tenant_id, message.invoice_id)
        rendered = self.rendered[key]
        if rendered.outcome == "failed":
            raise MailError(f"its document cannot be rendered: {rendered.error}")
        document = load_document(self.serving, *key)
        pdf = read_pdf(self.settings, message.tenant_id, message.invoice_number, document.issued_on.year)
        if pdf is None:
            raise MailError(f"its document is not at {rendered.path}")
        if self.mail.get("attach") == "facturx":
            from deliver.einvoices.files import facturx_pdf

            pdf = facturx_pdf(document, self.folder)
        return compose(
            message,
            document,
            pdf,
            sender=self.sender,
            reply_to=self.mail.get("reply_to"),
            tenant_folder=self.folder,
        )

    def _problem(self, message: Message, outcome: str, text: str) -> None:
        self.done.outcomes[outcome] += 1
        self.done.problems.append(
            f"{message.tenant_id} {message.invoice_number} to {message.recipient}: {text}"
        )


def retry(lake: Lake, message: Message, *, actor: str, at: datetime, not_received: bool = False) -> None:
    """Let a message be sent again: one that failed or bounced, or one that arrived and is wanted once more.

    Args:
        lake: where the facts are.
        message: its row of the outbox.
        actor: who decided.
        at: when (UTC).
        not_received: somebody made sure that the server never had an `unknown` one.

    Raises:
        MailError: it is unknown whether the server has it, and nobody made sure.
    """
    if message.state == "unknown":
        if not not_received:
            raise MailError(
                f"{message.invoice_number} to {message.recipient} was handed over and the answer was lost. Look for "
                f"{message.message_id} in the server's log. If it is not there, retry with --not-received; if it "
                "is, settle it with --received."
            )
        outbox.record(lake, message, "not_received", message.claim, at=at, actor=actor)
    elif message.state in ("sent", "bounced"):
        outbox.record(lake, message, "retried", message.claim, at=at, next_attempt_at=at, actor=actor)
    else:
        number = -(message.retries + 1)
        outbox.record(lake, message, "retried", number, at=at, next_attempt_at=at, actor=actor)


def settle_received(lake: Lake, message: Message, *, actor: str, at: datetime) -> None:
    """Note that the server has a message whose answer was lost.

    Raises:
        MailError: its state is known.
    """
    if message.state != "unknown":
        raise MailError(f"{message.invoice_number} to {message.recipient} is {message.state}, not unknown.")
    outbox.record(lake, message, "received", message.claim, at=at, actor=actor)
