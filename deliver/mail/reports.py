"""What comes back: delivery reports (RFC 3464) as files, turned into facts about the messages they name.

Belongs here: reading reports. Does not belong here: fetching them; a mailbox that the server delivers to (a
Maildir, an mbox, a folder of .eml files) is where they are.
"""

from __future__ import annotations

import mailbox
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message as Mail
from pathlib import Path

from deliver.mail import outbox
from deliver.mail.outbox import MailError, Message
from ratehouse.lake import Lake

_KEY = re.compile(r"\b[0-9a-f]{40}\b")
_EVENTS = {"failed": "bounced", "delivered": "received", "relayed": "received", "expanded": "received"}


def note_reports(lake: Lake, places: Sequence[Path], *, at: datetime | None = None) -> Counter[str]:
    """Read reports and land what they say; reading the same report again changes nothing.

    Args:
        lake: where the facts are.
        places: .eml files, mbox files, Maildirs, or folders of .eml files.
        at: now (UTC).

    Returns:
        How many were `bounced`, `received` (a message whose answer was lost has arrived after all),
        `known` (nothing new), `foreign` (about no message of this outbox).

    Raises:
        MailError: a place that does not exist.
    """
    when = at or datetime.now(UTC)
    messages = {message.delivery_id: message for message in outbox.read_outbox(lake)}
    counts: Counter[str] = Counter()
    for place in places:
        if not place.exists():
            raise MailError(f"There is no mailbox {place}.")
        for mail in _mails(place):
            counts.update(_note(lake, messages, mail, when))
    return counts


def _note(lake: Lake, messages: dict[str, Message], mail: Mail, at: datetime) -> Iterator[str]:
    statuses = [part for part in mail.walk() if part.get_content_type() == "message/delivery-status"]
    message = messages.get(_key(mail, statuses) or "")
    if message is None or not statuses or not message.claim:
        yield "foreign"
        return
    for fields in _blocks(statuses):
        event = _EVENTS.get(str(fields.get("Action", "")).strip().lower())
        if event is None:
            continue
        if event == "received" and message.state != "unknown":
            yield "known"
            continue
        detail = str(fields.get("Diagnostic-Code") or "").partition(";")[2].strip() or None
        new = outbox.record(
            lake,
            message,
            event,
            message.claim,
            at=at,
            code=str(fields.get("Status") or "") or None,
            detail=detail,
        )
        yield event if new else "known"


def _blocks(statuses: Sequence[Mail]) -> Iterator[Mail]:
    """The groups of fields of delivery statuses: one about the message, one for each recipient."""
    for status in statuses:
        payload = status.get_payload()
        yield from (
            (block for block in payload if isinstance(block, Mail)) if isinstance(payload, list) else ()
        )


def _key(mail: Mail, statuses: Sequence[Mail]) -> str | None:
    """The idempotency key: the envelope id, else what stands in the Message-ID of the returned message."""
    for fields in _blocks(statuses):
        if found := _KEY.search(str(fields.get("Original-Envelope-Id") or "")):
            return found[0]
    for part in mail.walk():
        if part.get_content_type() in ("message/rfc822", "text/rfc822-headers", "message/rfc822-headers"):
            payload = part.get_payload()
            returned = payload[0] if isinstance(payload, list) else payload
            text = returned.get("Message-ID") if isinstance(returned, Mail) else returned
            if found := _KEY.search(str(text or "")):
                return found[0]
    return None


def _mails(place: Path) -> Iterator[Mail]:
    if place.is_dir() and (place / "cur").is_dir():
        yield from mailbox.Maildir(str(place), create=False)
    elif place.is_dir():
        for file in sorted(place.glob("*.eml")):
            yield message_from_bytes(file.read_bytes())
    elif place.suffix == ".eml":
        yield message_from_bytes(place.read_bytes())
    else:
        yield from mailbox.mbox(str(place), create=False)
