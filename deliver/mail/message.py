"""What a message says: subject, text, HTML and the document, in the recipient's language, the same bytes each time.

Belongs here: words, templates, headers. Does not belong here: whom it goes to (`outbox`), how (`transport`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from functools import lru_cache
from pathlib import Path

import yaml
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from deliver.documents.branding import accent
from deliver.documents.formats import clean, formats, pick_language
from deliver.documents.model import InvoiceDocument
from deliver.documents.store import file_name
from deliver.mail.outbox import MailError, Message

HERE = Path(__file__).parent
TEMPLATES = HERE / "templates"
CATALOGUE = HERE / "translations.yaml"

Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class View:
    """Every text of a message. Nothing in it is markup."""

    language: str
    subject: str
    greeting: str
    opening: str
    facts: tuple[tuple[str, str], ...]
    remark: str
    closing: str
    seller: str
    footer: tuple[str, ...]
    accent: str


def compose(
    message: Message,
    document: InvoiceDocument,
    attachment: bytes,
    *,
    sender: Address,
    reply_to: str | None = None,
    tenant_folder: Path | None = None,
) -> bytes:
    """The message as it goes over the wire; the same outbox row, document and templates give the same bytes.

    Args:
        message: the row of the outbox.
        document: what it carries.
        attachment: its PDF.
        sender: whom it is from.
        reply_to: where answers go, if not to the sender.
        tenant_folder: `tenants/<tenant>`; its `mail/` may hold `message.txt.j2`, `message.html.j2` and
            `translations.yaml`.

    Raises:
        MailError: a template of the tenant cannot be rendered.
    """
    own = tenant_folder / "mail" if tenant_folder is not None and (tenant_folder / "mail").is_dir() else None
    view = build_view(message, document, own)
    mail = EmailMessage(policy=SMTP)
    mail["From"] = sender
    mail["To"] = Address(display_name=clean(message.recipient_name or ""), addr_spec=message.recipient)
    if reply_to:
        mail["Reply-To"] = reply_to
    mail["Subject"] = view.subject
    mail["Date"] = message.queued_at
    mail["Message-ID"] = message.message_id
    mail["Content-Language"] = view.language
    mail["Auto-Submitted"] = "auto-generated"
    environment = _environment(own)
    try:
        text = environment.get_template("message.txt.j2").render(view=view, document=document)
        html = environment.get_template("message.html.j2").render(view=view, document=document)
    except TemplateError as error:
        raise MailError(
            f"The mail templates of tenant {message.tenant_id} cannot be rendered: {error}"
        ) from error
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    name = f"{file_name(document.number or '')}.pdf"
    mail.add_attachment(attachment, maintype="application", subtype="pdf", filename=name)
    # Boundaries are random by default; the same message shall be the same bytes on every attempt.
    for position, part in enumerate(part for part in mail.walk() if part.is_multipart()):
        digest = hashlib.sha256(f"{message.delivery_id}{position}".encode()).hexdigest()
        part.set_boundary(f"=_{digest[:32]}")
    return mail.as_bytes()


def build_view(message: Message, document: InvoiceDocument, own: Path | None = None) -> View:
    """Put a message into words."""
    words_by_language = catalogue(own)
    language = pick_language(message.language, words_by_language)
    words = words_by_language.get(language) or words_by_language[language.split("-")[0].lower()]
    fmt = formats(language, document.currency)
    number, seller = clean(document.number or ""), clean(document.seller.name)
    kind = "credit_note" if document.is_credit_note else "invoice"
    title = words[kind]
    facts = [(title, number), (words["issue_date"], fmt.date(document.issued_on))]
    if document.po_number:
        facts.append((words["po_number"], clean(document.po_number)))
    remark = ""
    if document.is_credit_note:
        facts.append((words["amount"], fmt.currency(document.total)))
    else:
        facts.append((words["amount_due"], fmt.currency(document.amount_due)))
        if document.amount_due <= 0:
            remark = words["nothing_due"]
        elif document.due_on:
            facts.append((words["due_date"], fmt.date(document.due_on)))
    name = clean(message.recipient_name or "")
    return View(
        language=language,
        subject=words["subject"].format(title=title, number=number, seller=seller),
        greeting=words["greeting_name"].format(name=name) if name else words["greeting"],
        opening=words[f"opening_{kind}"].format(number=number, buyer=clean(document.buyer.name)),
        facts=tuple(facts),
        remark=remark,
        closing=words["closing"],
        seller=seller,
        footer=tuple(clean(line) for line in (document.branding.footer or "").splitlines() if clean(line)),
        accent=accent(document.branding),
    )


def catalogue(own: Path | None = None) -> dict[str, dict[str, str]]:
    """Words by language; a tenant's `mail/translations.yaml` adds languages or replaces single words."""
    file = own / "translations.yaml" if own is not None else None
    changed = file.stat().st_mtime_ns if file is not None and file.is_file() else None
    return _catalogue(file if changed is not None else None, changed)


@lru_cache(maxsize=64)
def _catalogue(own: Path | None, _changed_ns: int | None) -> dict[str, dict[str, str]]:
    words: dict[str, dict[str, str]] = yaml.safe_load(CATALOGUE.read_text(encoding="utf-8"))
    if own is not None:
        for language, changes in (yaml.safe_load(own.read_text(encoding="utf-8")) or {}).items():
            base = words.get(str(language)) or words["en"]
            words[str(language)] = base | {str(key): str(value) for key, value in (changes or {}).items()}
    return words


@lru_cache(maxsize=256)
def _environment(own: Path | None) -> ImmutableSandboxedEnvironment:
    base = FileSystemLoader(TEMPLATES)
    loaders = [FileSystemLoader(own)] if own is not None else []
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([*loaders, base, PrefixLoader({"ratehouse": base})]),
        # The text part is no markup: escaping there would show &amp; to a person.
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
