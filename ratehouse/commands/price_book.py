"""`ratehouse price-book`: validate, import, schema, diff.

Belongs here: arguments, finding files, printing. Does not belong here: the grammar and its checks
(`ratehouse.price_book`).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from ratehouse.errors import RatehouseError

if TYPE_CHECKING:
    import datetime as dt
    from typing import Any

    from ratehouse.price_book import PriceBook
    from ratehouse.price_book_source import PriceBookError

app = typer.Typer(
    name="price-book", help="Check, import, document and compare price books.", no_args_is_help=True
)
_out = Console()
_err = Console(stderr=True)


def _say(text: str, console: Console = _out) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


@app.command()
def validate(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(help="Price book files, tenant.yaml files, tenant folders. Default: all tenants."),
    ] = None,
    lake: Annotated[
        bool, typer.Option("--lake/--no-lake", help="Also compare with the versions already in the lake.")
    ] = True,
) -> None:
    """Check price books and tenant settings; show what is in each, and every mistake with its place."""
    from ratehouse.price_book_source import PriceBookError
    from ratehouse.settings import Settings
    from ratehouse.tenant import load_tenant

    settings = Settings.load()
    files = _collect(paths or [settings.tenants_dir])
    found: list[PriceBookError] = []
    versions: dict[tuple[Path, str], Path] = {}
    for file in files:
        try:
            if file.name in ("tenant.yaml", "tenant.yml"):
                tenant = load_tenant(file)
                _say(f"{file}: tenant {tenant.tenant}, {tenant.currency}, {tenant.timezone}")
                continue
            book = _load_checked(file, settings.lake_url if lake else None)
            twin = versions.setdefault((file.parent, book.price_book), file)
            if twin != file:
                raise PriceBookError(
                    f"version {book.price_book!r} is also in {twin.name}.",
                    reason_code="version_changed",
                    file=str(file),
                    key="price_book",
                )
            _show(file, book)
        except PriceBookError as error:
            found += error.errors
    problems = list(dict.fromkeys(str(problem) for problem in found))
    for problem in problems:
        _say(problem, _err)
    if problems:
        _say(f"Problems: {len(problems)}. Files checked: {len(files)}.", _err)
        raise typer.Exit(1)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="A short camelCase pricing configuration, or a price book.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder to write <version>.yaml to; default: print it.")
    ] = None,
) -> None:
    """Turn a pricing configuration into a price book."""
    import yaml

    from ratehouse.price_book_import import import_price_book

    imported = _failing(import_price_book, file)
    text = f"# Imported from {file.name}\n{imported.yaml()}"
    if out is None:
        typer.echo(text, nl=False)
    else:
        target = out / f"{imported.book.price_book}.yaml"
        if target.exists() and target.read_text(encoding="utf-8") != text:
            _say(
                f"{target} exists with other content. A version never changes: give this one a new name.",
                _err,
            )
            raise typer.Exit(1)
        out.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        _show(target, imported.book)
        _say(f"Written: {target}")
    if imported.tenant:
        _say("For tenant.yaml:", _err)
        _say(yaml.safe_dump(imported.tenant, sort_keys=False, allow_unicode=True).rstrip(), _err)
    for note in imported.notes:
        _say(f"Note: {note}", _err)


@app.command()
def schema(
    out: Annotated[Path | None, typer.Option(help="File to write; default: print it.")] = None,
    tenant: Annotated[bool, typer.Option("--tenant", help="The schema of tenant.yaml instead.")] = False,
) -> None:
    """Give the JSON Schema of the grammar, so that editors complete it."""
    from ratehouse.price_book import PriceBook
    from ratehouse.tenant import Tenant

    document = (Tenant if tenant else PriceBook).model_json_schema(mode="validation")
    text = (
        json.dumps({"$schema": "https://json-schema.org/draft/2020-12/schema", **document}, indent=2) + "\n"
    )
    if out is None:
        typer.echo(text, nl=False)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(text, encoding="utf-8")


@app.command()
def diff(
    a: Annotated[Path, typer.Argument(help="The older version.")],
    b: Annotated[Path, typer.Argument(help="The newer version.")],
) -> None:
    """Show what the second version adds, removes and changes."""
    from ratehouse.price_book import load_price_book
    from ratehouse.price_book_diff import diff as differences

    changes = differences(_failing(load_price_book, a), _failing(load_price_book, b))
    for change in changes:
        _say(str(change))
    if not changes:
        _say("No difference.")


def _failing(load: Any, path: Path) -> Any:
    """Load a file, printing all of its mistakes and ending the command if there are any."""
    from ratehouse.price_book_source import PriceBookError

    try:
        return load(path)
    except PriceBookError as error:
        for each in error.errors:
            _say(str(each), _err)
        raise typer.Exit(1) from error


def _collect(paths: list[Path]) -> list[Path]:
    """The tenant and price book files below the paths, in order, each once.

    Raises:
        RatehouseError: a path does not exist, or there is nothing to check below it.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_file():
            files.append(path)
        elif not path.is_dir():
            raise RatehouseError(f"{path} does not exist.")
        else:
            pattern = "*.y*ml" if path.name == "price_books" else "price_books/*.y*ml"
            here = [*sorted(path.glob("tenant.y*ml")), *sorted(path.glob(pattern))]
            below = [*sorted(path.glob("*/tenant.y*ml")), *sorted(path.glob("*/price_books/*.y*ml"))]
            if not (here or below):
                raise RatehouseError(f"{path} has no tenant.yaml and no price_books/*.yaml.")
            files += here or below
    return list(dict.fromkeys(files))


def _load_checked(file: Path, lake_url: str | None) -> PriceBook:
    from ratehouse.price_book import check_against_lake, parse_price_book
    from ratehouse.price_book_source import read_yaml

    data, lines = read_yaml(file)
    book = parse_price_book(data, file=str(file), lines=lines)
    tenant = _tenant_of(file) if lake_url is not None else None
    if lake_url is not None and tenant is not None:
        documents, last_bill_date = _landed(lake_url, tenant)
        check_against_lake(book, documents, last_bill_date, file=str(file), lines=lines)
    return book


def _tenant_of(file: Path) -> str | None:
    """The tenant whose folder a price book lies in, None for a file that lies elsewhere."""
    from ratehouse.tenant import load_tenant

    folder = file.resolve().parent
    if folder.name != "price_books":
        return None
    settings = folder.parent / "tenant.yaml"
    return load_tenant(settings).tenant if settings.exists() else folder.parent.name


def _landed(lake_url: str, tenant: str) -> tuple[list[dict[str, Any]], dt.date | None]:
    import pyarrow.compute as pc

    from ratehouse.lake import Lake

    lake = Lake(lake_url)
    books, invoices = lake.read("raw/price_books"), lake.read("ledger/invoices")
    documents = []
    if books is not None:
        own = books.filter(pc.equal(books["tenant_id"], tenant))
        documents = [json.loads(text) for text in own["document"].to_pylist()]
    if invoices is None:
        return documents, None
    own = invoices.filter(pc.equal(invoices["tenant_id"], tenant))
    return documents, pc.max(own["bill_date"]).as_py()


def _show(file: Path, book: PriceBook) -> None:
    from ratehouse.price_book_diff import describe_charge

    document = book.document()
    table = Table(
        title=f"{book.price_book}, from {book.effective_from}, {book.currency}", title_justify="left"
    )
    for column in ("plan", "every", "charge", "type", "price"):
        table.add_column(column, overflow="fold")
    for code, plan in document["plans"].items():
        count, interval = plan["interval_count"], plan["interval"]
        every = interval if count == 1 else f"{count} {interval}s"
        rows = [(name, charge["type"], describe_charge(charge)) for name, charge in plan["charges"].items()]
        for index, row in enumerate(rows or [("", "", "no charges")]):
            table.add_row(*((code, every) if index == 0 else ("", "")), *row)
    _say(f"{file}: {len(book.plans)} plans, {len(book.meters)} meters, {len(book.coupons)} coupons")
    _out.print(table)
