"""A document as PDF bytes, the same bytes for the same document on every run.

Belongs here: templates, style sheet, fonts, and what makes the bytes stable. Does not belong here: reading
the marts (`model`), wording (`view`), files (`store`).
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import weasyprint
from jinja2 import ChoiceLoader, FileSystemLoader, PrefixLoader, StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from weasyprint.text.fonts import FontConfiguration
from weasyprint.urls import URLFetcher, URLFetcherResponse

from deliver.documents.branding import TEMPLATES, accent, logo, templates
from deliver.documents.formats import Words, catalogue, pick_language
from deliver.documents.model import DocumentError, InvoiceDocument
from deliver.documents.statement import Statement, build_statement_view
from deliver.documents.view import build_view

MAX_CACHED = 64
LETTER_COUNTRIES = frozenset(("US", "CA", "MX", "PH", "CL", "CO"))

# Named families only, in a fixed order: what fontconfig would pick by itself differs from machine to
# machine. Debian packages fonts-noto-core and fonts-noto-cjk. Digits come from Noto Sans in every language;
# they are tabular there.
_CJK = {"ja": "JP", "ko": "KR", "zh": "SC", "zh-TW": "TC", "zh-Hant": "TC", "zh-HK": "HK"}
_OTHER_SCRIPTS = (
    "Noto Sans Arabic", "Noto Sans Hebrew", "Noto Sans Thai", "Noto Sans Devanagari", "Noto Sans Bengali",
    "Noto Sans Tamil", "Noto Sans Georgian", "Noto Sans Armenian", "Noto Sans Ethiopic", "Noto Sans Symbols",
    "Noto Sans Symbols2", "Noto Sans Math",
)  # fmt: skip


def render(document: InvoiceDocument, tenant_folder: Path | None = None, **options: Any) -> bytes:
    """The PDF of a document.

    The same document, template and fonts give the same bytes: the PDF's dates are the issue date at 00:00
    UTC, its identifier is derived from the document, and no clock, environment variable, path or hash seed
    has a say.

    Args:
        document: see `model.load_document`.
        tenant_folder: `tenants/<tenant>`, for its logo and `templates/`; None renders without both.
        options: further options of the PDF engine, such as the variant of PDF and attachments.

    Raises:
        DocumentError: a broken template or a logo that cannot be read.
        RatehouseError: an unknown currency.
    """
    html, css = compose(document, tenant_folder)
    identity = (document.tenant_id, document.invoice_id, document.content_hash)
    return _pdf(html, css, repr(identity), **options)


def render_statement(statement: Statement, tenant_folder: Path | None = None) -> bytes:
    """The PDF of a statement of account: the same statement, template and fonts give the same bytes, as with `render`.

    Raises:
        DocumentError: a broken template or a logo that cannot be read.
        RatehouseError: an unknown currency.
    """
    html, css = _compose(
        "statement.html.j2", build_statement_view, statement, tenant_folder, statement.seller.country
    )
    return _pdf(html, css, repr(statement))


def _pdf(html: str, css: str, identity: str, **options: Any) -> bytes:
    engine = _engine()
    pdf: bytes = weasyprint.HTML(string=html, base_url="ratehouse:", url_fetcher=engine.fetcher).write_pdf(
        font_config=engine.fonts,
        stylesheets=[engine.sheet(css)],
        cache=engine.images(),
        pdf_identifier=hashlib.sha256(identity.encode()).hexdigest()[:32],
        **options,
    )
    return pdf


def compose(document: InvoiceDocument, tenant_folder: Path | None = None) -> tuple[str, str]:
    """The HTML and the style sheet of a document, before layout."""
    return _compose("invoice.html.j2", build_view, document, tenant_folder, document.seller.country)


def _compose(
    template: str,
    put: Callable[[Any, Words, str], Any],
    document: Any,
    tenant_folder: Path | None,
    country: str | None,
) -> tuple[str, str]:
    """A document put into words and set in the one style; `country` of the seller decides the paper."""
    own = templates(tenant_folder)
    words_by_language = catalogue(own)
    language = pick_language(document.language, words_by_language)
    words = words_by_language.get(language) or words_by_language[language.split("-")[0].lower()]
    view = put(document, words, language)
    content = logo(tenant_folder, document.branding)
    environment = _environment(own)
    try:
        html = environment.get_template(template).render(
            view=view, document=document, logo=_engine().add_logo(content) if content else None
        )
        # The sheet is not HTML; its inputs are checked values and words of the catalogue, quoted for CSS.
        css = (
            environment.overlay(autoescape=False)
            .get_template("invoice.css.j2")
            .render(
                accent=accent(document.branding),
                page_size=_page_size(country),
                fonts=_fonts(language),
                page_words=_page_words(words["page"]),
            )
        )
    except TemplateError as error:
        raise DocumentError(
            f"The templates of tenant {document.tenant_id!r} cannot be rendered: {error}"
        ) from error
    return html, css


@dataclass
class _Engine:
    """What is costly to make and safe to keep within one thread: fonts, parsed sheets, decoded images."""

    fonts: FontConfiguration = field(default_factory=FontConfiguration)
    sheets: dict[str, weasyprint.CSS] = field(default_factory=dict)
    cache: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.fetcher = _LogoFetcher()

    def add_logo(self, content: tuple[bytes, str]) -> str:
        """Make a logo known to the layout and return its address."""
        if len(self.fetcher.logos) >= MAX_CACHED:
            self.fetcher.logos.clear()
        url = f"ratehouse:{hashlib.sha256(content[0]).hexdigest()}"
        self.fetcher.logos[url] = content
        return url

    def sheet(self, css: str) -> weasyprint.CSS:
        if css not in self.sheets:
            if len(self.sheets) >= MAX_CACHED:
                self.sheets.clear()
            self.sheets[css] = weasyprint.CSS(string=css, font_config=self.fonts, url_fetcher=self.fetcher)
        return self.sheets[css]

    def images(self) -> dict[str, Any]:
        if len(self.cache) > MAX_CACHED:
            self.cache.clear()
        return self.cache


_local = threading.local()


def _engine() -> _Engine:
    # Pango's font maps are not safe to share between threads.
    if not hasattr(_local, "engine"):
        _local.engine = _Engine()
    engine: _Engine = _local.engine
    return engine


class _LogoFetcher(URLFetcher):
    """Serves registered logos and nothing else: a document never causes a request or reads a file.

    The address is the hash of the content, so that it is also the same PDF wherever the tenant's folder lies.
    """

    def __init__(self) -> None:
        super().__init__(allowed_protocols=("ratehouse",))
        self.logos: dict[str, tuple[bytes, str]] = {}

    def fetch(self, url: str, headers: dict[str, str] | None = None) -> URLFetcherResponse:
        content = self.logos.get(url)
        if content is None:
            raise ValueError("documents may show nothing but their tenant's logo")
        body, mime_type = content
        return URLFetcherResponse(url, body, {"Content-Type": mime_type})


@lru_cache(maxsize=256)
def _environment(own: Path | None) -> ImmutableSandboxedEnvironment:
    base = FileSystemLoader(TEMPLATES)
    loaders = [FileSystemLoader(own)] if own is not None else []
    return ImmutableSandboxedEnvironment(
        loader=ChoiceLoader([*loaders, base, PrefixLoader({"ratehouse": base})]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
    )


def _page_words(page: str) -> str:
    """`Page {page} of {pages}` as the value of a CSS content property."""
    counters = {"{page}": "counter(page)", "{pages}": "counter(pages)"}
    parts = (part for part in re.split(r"(\{pages?\})", page) if part)
    return " ".join(counters.get(part) or '"' + re.sub(r'["\\\n]', " ", part) + '"' for part in parts)


def _fonts(language: str) -> str:
    region = _CJK.get(language) or _CJK.get(language.split("-")[0], "JP")
    cjk = [f"Noto Sans CJK {region}"]
    return ", ".join([*(f'"{family}"' for family in ("Noto Sans", *cjk, *_OTHER_SCRIPTS)), "sans-serif"])


def _page_size(country: str | None) -> str:
    return "letter" if (country or "").upper() in LETTER_COUNTRIES else "A4"
