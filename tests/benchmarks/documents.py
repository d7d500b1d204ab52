"""Documents as PDF: a thousand invoices of one page, against WeasyPrint alone on the same pages.

The floor is handed every page as finished HTML and does nothing but lay it out and write bytes: it reads no marts, words
nothing, stores nothing. Run as a process: `python -m tests.benchmarks.documents render HOME COUNT`, `… floor HOME COUNT` or
`… long HOME LINES`; prints one line of JSON.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections import Counter
from pathlib import Path

import duckdb
import pypdf
import weasyprint
from weasyprint.text.fonts import FontConfiguration

from deliver.documents.model import connect_serving, iter_documents
from deliver.documents.render import compose
from deliver.documents.store import render_many
from ratehouse.settings import Settings
from tests.unit.deliver.documents_marts import Marts, month, tier

CHANGED = 7
_WARM_UP = 10


def prepare(home: Path, count: int) -> Settings:
    """A home whose serving file has `count` invoices of one page: a fee, usage in tiers, tax."""
    settings = Settings.load(home, environ={})
    settings.serving_dir.mkdir(parents=True)
    marts = Marts(settings.serving_path)
    marts.tenant(branding={"accent_color": "#0f766e", "footer": "Acme Inc. · Registered in Ohio"})
    for number in range(count):
        calls = 1_000 + number
        steps = [
            tier("0", "1000", "1000", "0.005", "5"),
            tier("1000", None, str(calls - 1_000), "0.004", str((calls - 1_000) * 0.004)),
        ]
        lines = [
            month("recurring", "base", "99.00", description="Platform fee", quantity="1", unit_price="99"),
            month("usage", "api", "5.00", description="API calls", quantity=str(calls), tiers=steps),
            *(
                month("usage", f"m{n}", f"{n}.50", description=f"Meter {n}", quantity=str(n))
                for n in range(8)
            ),
            {"line_type": "tax", "charge": "t", "amount": "20.80", "tax_percent": "20", "tax_code": "vat"},
        ]
        marts.invoice(
            f"INV-{number:06d}", lines, bill_to_name=f"Customer {number} & Söhne", po_number=f"PO-{number}"
        )
    marts.connection.close()
    return settings


def prepare_long(home: Path, lines: int) -> Settings:
    """A home whose serving file has one invoice of so many lines."""
    settings = Settings.load(home, environ={})
    settings.serving_dir.mkdir(parents=True)
    marts = Marts(settings.serving_path)
    marts.tenant()
    marts.invoice("INV-1", [month("usage", "api", "1.00", description=f"Device {n}") for n in range(lines)])
    marts.connection.close()
    return settings


def change(settings: Settings) -> None:
    """Let `CHANGED` of the documents be others than those that were rendered."""
    with duckdb.connect(str(settings.serving_path)) as connection:
        connection.execute(
            "update marts.invoices set content_hash = 'changed' where invoice_number < ?",
            [f"INV-{CHANGED:06d}"],
        )


def _keys(settings: Settings, count: int) -> list[tuple[str, str]]:
    with connect_serving(settings.serving_path) as connection:
        return connection.execute(
            "select tenant_id, invoice_id from marts.invoices order by invoice_number limit ?", [count]
        ).fetchall()


def _render(settings: Settings, count: int) -> dict[str, float]:
    keys = _keys(settings, count)
    started = time.perf_counter()
    outcomes = Counter(result.outcome for result in render_many(settings, keys))
    elapsed = time.perf_counter() - started
    return {"elapsed": elapsed, **{name: outcomes[name] for name in ("written", "unchanged", "failed")}}


def _floor(settings: Settings, count: int) -> dict[str, float]:
    keys = _keys(settings, count + _WARM_UP)
    with connect_serving(settings.serving_path) as connection:
        pages = [compose(document) for document in iter_documents(connection, keys)]
    fonts = FontConfiguration()
    sheet = weasyprint.CSS(string=pages[0][1], font_config=fonts)
    for html, _ in pages[:_WARM_UP]:
        weasyprint.HTML(string=html).write_pdf(font_config=fonts, stylesheets=[sheet])
    started, used = time.perf_counter(), time.process_time()
    for html, _ in pages[_WARM_UP:]:
        weasyprint.HTML(string=html).write_pdf(font_config=fonts, stylesheets=[sheet])
    wall, cpu = time.perf_counter() - started, time.process_time() - used
    return {"wall_each": wall / count, "cpu_each": cpu / count, "cores": len(os.sched_getaffinity(0))}


def _long(settings: Settings, lines: int) -> dict[str, float]:
    (done,) = render_many(settings, _keys(settings, 1), processes=1)
    reader = pypdf.PdfReader(str(done.path))
    pages = len(reader.pages)
    last = re.sub(r"\s+", " ", reader.pages[-1].extract_text())
    wanted = (f"Device {lines - 1} ", f"€{lines:,}.00", f"Page {pages} of {pages}")
    return {"pages": pages, "whole": all(words in last for words in wanted)}


def main(what: str, home: str, count: str) -> None:
    """Do one of the three and tell it as JSON."""
    settings = Settings.load(Path(home), environ={})
    told = {"floor": _floor, "render": _render, "long": _long}[what](settings, int(count))
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
