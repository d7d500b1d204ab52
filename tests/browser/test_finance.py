"""What a person sees: the finance app in a real browser, on a company that the pipeline billed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import URLError

import pytest

from tests.unit.dashboards.published import published_home

sync_api = pytest.importorskip("playwright.sync_api")

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
PATIENCE_MS = 60_000

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.xdist_group("published"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"there is no Chromium at {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", str(ROOT / "dashboards" / "finance" / "app.py")]
    command += [
        "--server.address",
        "127.0.0.1",
        "--server.port",
        str(port),
        "--server.fileWatcherType",
        "none",
    ]
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RATEHOUSE_")},
        "RATEHOUSE_HOME": str(published_home().home),
        "PYTHONPATH": os.pathsep.join(path for path in paths if path),
    }
    server = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        _wait(f"http://127.0.0.1:{port}/_stcore/health", server)
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def _wait(url: str, server: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 90
    while time.monotonic() < until and server.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except (URLError, OSError):
            time.sleep(0.3)
    pytest.fail("the app did not start")


@pytest.fixture(scope="module")
def page(address: str) -> Iterator[sync_api.Page]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 1400})
        page.set_default_timeout(PATIENCE_MS)
        yield page
        browser.close()


def click_row(page: sync_api.Page, table: int, row: int) -> None:
    """Click the third cell of a row; tables are drawn on a canvas, so there is no element of that cell."""
    canvas = page.locator("[data-testid=stDataFrame]").nth(table)
    canvas.locator("canvas").first.wait_for()
    canvas.locator("[role=gridcell]").first.wait_for(state="attached")
    box = canvas.bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + 260, box["y"] + 36 * (row + 1) + 18)


def test_the_list_opens_an_invoice_with_its_total_and_a_line_with_its_events(
    page: sync_api.Page, address: str
) -> None:
    page.goto(f"{address}/invoices?tenant=shop")
    page.get_by_text("122.25 USD").wait_for()
    click_row(page, 0, 1)
    page.get_by_role("heading", name="SHP-2026-0001").wait_for()
    page.get_by_test_id("stMetricValue").get_by_text("101.20 USD").first.wait_for()
    assert "invoice=SHP-2026-0001" in page.url
    click_row(page, 0, 3)
    page.get_by_role("heading", name="Line 4: Page hits").wait_for()
    page.get_by_text("their values add up to the line").wait_for()
    assert "line=4" in page.url
    events = page.locator("[data-testid=stDataFrame]").last
    events.get_by_text("hit-000").wait_for(state="attached")


def test_a_click_on_a_day_shows_the_events_of_that_day(page: sync_api.Page, address: str) -> None:
    page.goto(f"{address}/invoices?tenant=shop&invoice=SHP-2026-0001&line=4")
    page.get_by_text("Events: 80. Click a day for its own.").wait_for()
    bar = page.locator("[data-testid=stVegaLiteChart] path[aria-roledescription=bar]").nth(2)
    bar.click(force=True)
    page.get_by_text("Events of 3 Jan 2026").wait_for()


def test_the_document_is_made_and_can_be_downloaded(page: sync_api.Page, address: str) -> None:
    shutil.rmtree(published_home().documents_url, ignore_errors=True)
    page.goto(f"{address}/invoices?tenant=shop&invoice=SHP-2026-0002")
    page.get_by_role("tab", name="Document").click()
    page.get_by_role("button", name="Make the PDF").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Download PDF").click()
    assert download.value.suggested_filename == "SHP-2026-0002.pdf"
    assert Path(download.value.path()).read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("path", "heading", "words"),
    [
        ("", "Overview", "Invoiced per month"),
        ("subscriptions?subscription=s1&", "s1", "Each bar is the service that one line pays for"),
        ("usage", "Usage & completeness", "Nothing is missing"),
        ("runs", "Runs", "Lines issued per run"),
        ("receivables", "Receivables", "By customer"),
        ("reconciliation", "Reconciliation", "From usage to cash"),
        ("recurring", "Recurring revenue", "What moved it"),
        ("revenue", "Revenue", "2026-02 by contract"),
        ("flux", "Flux", "By account and charge"),
        ("taxes", "Tax summary", "By place and rate"),
        ("close", "Close", "What 2026-02 posts"),
    ],
)
def test_every_page_draws_without_an_error(
    page: sync_api.Page, address: str, path: str, heading: str, words: str
) -> None:
    page.goto(f"{address}/{path}" + ("tenant=shop" if path.endswith("&") else "?tenant=shop"))
    page.get_by_role("heading", name=heading, exact=True).wait_for()
    page.get_by_text(words).first.wait_for()
    # A page whose figures are compared to the cent is drawn when its tables are.
    drawn = "stDataFrame" if path in ("reconciliation", "close", "revenue", "taxes") else "stVegaLiteChart"
    page.locator(f"[data-testid={drawn}] canvas, [data-testid={drawn}] svg").first.wait_for()
    assert page.get_by_test_id("stException").count() == 0
