"""The outbox: which messages there are, and in which state.

Belongs here: queueing messages for issued documents, appending facts about them, reading their states. Does not
belong here: wording (`message`), sending (`transport`, `dispatch`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.headerregistry import Address
from pathlib import Path
from typing import Any, Literal

import duckdb

from deliver import facts
from deliver.documents.formats import clean
from deliver.documents.model import DocumentError, connect_serving
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.settings import Settings

HERE = Path(__file__).parent
STREAM = "deliveries"
CHANNEL = "email"

State = Literal["waiting", "sent", "unknown", "failed", "bounced"]


class MailError(RatehouseError):
    """Mail that cannot go out as things are; the message says what to change."""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets a document. `language` is None where the document's counts."""

    address: str
    name: str = ""
    language: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One document on its way to one recipient, as the facts have it.

    Attributes:
        tenant_id: who issued the document.
        delivery_id: the idempotency key: the same tenant, document and recipient have the same one.
        state: waiting, sent, unknown (handed over, answer lost), failed or bounced.
        invoice_id: the document.
        invoice_number: its number.
        kind: invoice or credit_note.
        customer_id: the customer.
        recipient: the address.
        recipient_name: the person, or empty.
        language: what the message is written in.
        message_id: the Message-ID of every attempt, with the key in it.
        queued_at: when it came into the outbox; also the date of the message.
        next_attempt_at: not tried before.
        last_at: when something was last said about it.
        tries: how often it was tried.
        undelivered: how many of the tries ended before a hand-over.
        retries: how often a person asked for another try.
        claim: the number of the last claim, 0 without one.
        code: what the server answered last, as in 250 or 5.1.1.
        detail: the words to it.
    """

    tenant_id: str
    delivery_id: str
    state: State
    invoice_id: str
    invoice_number: str
    kind: str
    customer_id: str
    recipient: str
    recipient_name: str | None
    language: str
    message_id: str
    queued_at: datetime
    next_attempt_at: datetime
    last_at: datetime
    tries: int
    undelivered: int
    retries: int
    claim: int
    code: str | None
    detail: str | None


@dataclass(frozen=True)
class Queued:
    """What a queueing found: new messages, and documents (tenant_id, number) that have nobody to go to."""

    messages: int
    without_recipient: tuple[tuple[str, str], ...]


def delivery_id(tenant_id: str, invoice_id: str, address: str) -> str:
    """The idempotency key of a message: 40 hexadecimal digits of what it is, never of when."""
    meaning = json.dumps([CHANNEL, tenant_id, invoice_id, address], ensure_ascii=False)
    return hashlib.sha256(meaning.encode()).hexdigest()[:40]


def recipients(billing_contacts: str | None, emails: str | None) -> list[Recipient]:
    """Who gets a customer's documents: its billing contacts, or its e-mail addresses if it names none.

    A contact is an address or an object with `email`, and perhaps `name` and `language`. What is no address
    that a server could take is left out; an address counts once.
    """
    found: dict[str, Recipient] = {}
    for listed in (billing_contacts, emails):
        for contact in json.loads(listed) if listed else ():
            if isinstance(contact, str):
                contact = {"email": contact}
            if not isinstance(contact, Mapping):
                continue
            address = usable_address(str(contact.get("email") or ""))
            if address:
                name, language = clean(str(contact.get("name") or "")), contact.get("language")
                found.setdefault(
                    address.lower(), Recipient(address, name, str(language) if language else None)
                )
        if found:
            break
    return list(found.values())


def usable_address(text: str) -> str | None:
    """The address in the form that goes over the wire (a domain beyond ASCII as IDNA), None if it is none."""
    local, at, domain = text.strip().rpartition("@")
    if not (local and at and domain) or not local.isascii() or len(text) > 254:
        return None
    try:
        domain = domain.encode("idna").decode("ascii")
        parsed = Address(username=local, domain=domain)
    except (UnicodeError, ValueError, IndexError):
        return None
    # The parser quotes what has no place in an address: a blank, a control, a second @. That is an accident or an attack.
    plain = f"{local}@{domain}"
    printable = all(character.isprintable() and not character.isspace() for character in plain)
    return plain if printable and parsed.addr_spec == plain else None


def queue(
    settings: Settings, lake: Lake, *, tenants: Sequence[str] = (), now: datetime | None = None
) -> Queued:
    """Put every issued document that is to be mailed into the outbox, once, for the contacts it has today.

    Args:
        settings: the installation; documents and contacts come from its serving file.
        lake: where the facts are.
        tenants: whose documents; none means all.
        now: the date of the messages (UTC).
    """
    at = now or datetime.now(UTC)
    with connect_serving(settings.serving_path) as connection:
        rows = _select(connection, lake, "due.sql")
    messages, lost = 0, []
    for row in rows:
        if tenants and row["tenant_id"] not in tenants:
            continue
        found = recipients(row["billing_contacts"], row["emails"])
        if not found:
            lost.append((row["tenant_id"], row["invoice_number"]))
            continue
        domain = sender(json.loads(row["tenant_document"]), row["tenant_id"]).domain
        facts = []
        for recipient in found:
            key = delivery_id(row["tenant_id"], row["invoice_id"], recipient.address)
            facts.append(
                {
                    "delivery_id": key,
                    "event": "queued",
                    "attempt": 0,
                    "channel": CHANNEL,
                    **{n: row[n] for n in ("invoice_id", "invoice_number", "kind", "customer_id")},
                    "recipient": recipient.address,
                    "recipient_name": recipient.name or None,
                    "language": recipient.language or row["language"],
                    "message_id": f"<{key}@{domain}>",
                    "occurred_at": at,
                    "next_attempt_at": at,
                }
            )
        # One file per document, named by it: two dispatchers that read different contacts queue one set.
        document = delivery_id(row["tenant_id"], row["invoice_id"], "")
        if append(lake, row["tenant_id"], f"mail-{document}-queued", facts):
            messages += len(facts)
    return Queued(messages, tuple(lost))


def read_outbox(lake: Lake, *, tenants: Sequence[str] = ()) -> list[Message]:
    """Every message with its state, oldest first."""
    with duckdb.connect() as connection:
        rows = _select(connection, lake, "outbox.sql")
    return [Message(**row) for row in rows if not tenants or row["tenant_id"] in tenants]


def sender(document: Mapping[str, Any], tenant_id: str) -> Address:
    """Whom a tenant's messages are from.

    Raises:
        MailError: neither mail.sender nor legal_entity.email is set.
    """
    mail, entity = document.get("mail") or {}, document.get("legal_entity") or {}
    address = mail.get("sender") or entity.get("email")
    if not address:
        raise MailError(
            f"Tenant {tenant_id} has no address to send from: set mail.sender in its tenant.yaml."
        )
    name = mail.get("sender_name") or entity.get("name") or document.get("name") or ""
    return Address(display_name=clean(str(name)), addr_spec=str(address))


def claim(lake: Lake, message: Message, *, at: datetime) -> bool:
    """Take the right to hand the message over now; False if another process has it or had it.

    The number of the claim grows only when the claim before it is known to have led to nothing, so that two
    processes can never hold claims of one message at the same time.
    """
    return record(lake, message, "claimed", message.claim + 1, at=at)


def record(
    lake: Lake,
    message: Message,
    event: str,
    attempt: int,
    *,
    at: datetime,
    next_attempt_at: datetime | None = None,
    code: str | None = None,
    detail: str | None = None,
    actor: str | None = None,
) -> bool:
    """Land one fact about a message; False, and nothing changed, if that fact is there already."""
    fact = {
        "delivery_id": message.delivery_id,
        "event": event,
        "attempt": attempt,
        "channel": CHANNEL,
        "invoice_id": message.invoice_id,
        "invoice_number": message.invoice_number,
        "recipient": message.recipient,
        "message_id": message.message_id,
        "occurred_at": at,
        "next_attempt_at": next_attempt_at,
        "code": code,
        "detail": clean(detail)[:500] if detail else None,
        "actor": actor,
    }
    return append(lake, message.tenant_id, f"mail-{message.delivery_id}-{event}-{attempt}", [fact])


def append(lake: Lake, tenant_id: str, name: str, told: Sequence[Mapping[str, Any]]) -> bool:
    """Write facts of one tenant as the file `name`, whole; False if there is a file of that name already."""
    return facts.append(lake, STREAM, told, tenant_id=tenant_id, source="mail", name=name, error=MailError)


def _select(connection: duckdb.DuckDBPyConnection, lake: Lake, file: str) -> list[dict[str, Any]]:
    facts.register(connection, lake, [STREAM])
    try:
        relation = connection.sql((HERE / file).read_text(encoding="utf-8"))
    except (duckdb.CatalogException, duckdb.BinderException) as error:
        raise DocumentError(
            f"The serving file does not have what mail needs; build it again. {error}"
        ) from error
    return list(relation.to_arrow_table().to_pylist())
