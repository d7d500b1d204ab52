"""`ratehouse publish` and `ratehouse sql`: earlier publishes compared, and the SQL behind a number. Arguments and output only."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any

import duckdb
import typer
from rich.console import Console
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from ratehouse import lineage, publishes
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

_LONGEST = 120
_WIDTH = 200

app = typer.Typer(help="What earlier publishes said, and why a number moved.", no_args_is_help=True)


@app.command("list")
def list_publishes() -> None:
    """List the publishes that are kept, newest first."""
    table = Table(
        "publish", "published (UTC)", "tenant", "billed up to", "facts known at (UTC)", "closed up to", "MB"
    )
    for one in publishes.listed(Settings.load()):
        for place, (tenant, clock) in enumerate(sorted(one.clocks.items())):
            first = place == 0
            table.add_row(
                one.publish_id if first else "", f"{one.published_at:%Y-%m-%d %H:%M:%S}" if first else "", tenant,
                f"{clock.billing_as_of:%Y-%m-%d %H:%M}", f"{clock.known_as_of:%Y-%m-%d %H:%M}", clock.closed_with,
                f"{one.bytes / 1e6:.1f}" if first else "",
            )  # fmt: skip
    _console().print(table)


@app.command()
def diff(
    tenant: Annotated[str, typer.Option("--tenant", "-t", help="Whose numbers.")],
    before: Annotated[
        str, typer.Argument(help="The earlier publish: its id or how it begins, or previous.")
    ] = "previous",
    after: Annotated[str, typer.Argument(help="The later one, or newest.")] = "newest",
    since_close: Annotated[
        bool, typer.Option("--since-close", help="The earlier one is that of the tenant's last close.")
    ] = False,
    mart: Annotated[
        str, typer.Option(help="Show the rows of this mart that differ, and the facts behind each.")
    ] = "",
    like: Annotated[
        str, typer.Option(help="Only rows that hold this text: a contract, an invoice, a month.")
    ] = "",
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 50,
) -> None:
    """Say what two publishes differ in, by mart and row, and which facts were learned in between."""
    settings = Settings.load()
    later = publishes.found(settings, after)
    earlier = publishes.of_last_close(settings, tenant) if since_close else publishes.found(settings, before)
    if earlier.publish_id > later.publish_id:
        earlier, later = later, earlier
    if tenant not in later.clocks:
        raise RatehouseError(f"The publish {later.publish_id} has no tenant {tenant}.")
    console = _console()
    console.print(f"{tenant}: {earlier.publish_id} → {later.publish_id}")
    learned = publishes.facts(settings, tenant, earlier, later)
    if mart or like:
        _rows(
            console,
            settings,
            tenant,
            earlier,
            later,
            [mart] if mart else list(publishes.MEASURES),
            like,
            limit,
            learned,
        )
        return
    table = Table("mart", "added", "removed", "changed", "amount", "currency", "before", "after", "moved by")
    for one in publishes.compare(tenant, earlier, later):
        if not (one.added or one.removed or one.changed):
            continue
        counts = [f"{one.added:,}", f"{one.removed:,}", f"{one.changed:,}"]
        moved = [(code, then, now) for code, (then, now) in one.sums.items() if then != now]
        amounts = [(code, _text(then), _text(now), _text(now - then)) for code, then, now in moved]
        for place, texts in enumerate(amounts or [("", "", "", "")]):
            first = [one.mart, *counts, publishes.MEASURES[one.mart]] if place == 0 else [""] * 5
            table.add_row(*first, *texts)
    if table.row_count:
        console.print(table)
    else:
        console.print("nothing differs")
    for sentence in publishes.circumstances(tenant, earlier, later, ""):
        console.print(f"- {sentence}")
    _learned(console, learned, limit)


def sql(
    relation: Annotated[str, typer.Argument(help="As in marts.revenue_by_period; none lists all.")] = "",
) -> None:
    """Print the SQL that made a published relation, and what it stands on up to the facts."""
    settings = Settings.load()
    if not settings.serving_path.exists():
        raise RatehouseError(f"Nothing is published at {settings.serving_path} yet; `ratehouse run` does it.")
    with duckdb.connect(":memory:") as connection:
        path = str(settings.serving_path).replace("'", "''")
        connection.execute(f"attach '{path}' as serving (read_only)")
        models = lineage.published(connection)
    console = Console(soft_wrap=True)
    if not relation:
        for name, model in sorted(models.items()):
            typer.echo(f"{name}  {model.path or model.kind}")
        return
    name = relation if "." in relation else f"marts.{relation}"
    ancestry = lineage.ancestry(models, name)
    model = models[name]
    typer.echo(f"-- {name}: {model.description}\n-- {model.path or model.kind}")
    if model.sql:
        if console.is_terminal:
            console.print(Syntax(model.sql, "sql", background_color="default"))
        else:
            typer.echo(model.sql)
    typer.echo("-- stands on")
    for steps, one in ancestry[1:]:
        typer.echo(f"-- {'  ' * (steps - 1)}{one.relation}  {one.path or one.kind}")


def _rows(
    console: Console, settings: Settings, tenant: str, earlier: publishes.Publish, later: publishes.Publish,
    marts: list[str], like: str, limit: int, learned: list[publishes.Fact],
) -> None:  # fmt: skip
    left = limit
    for mart in marts:
        if len(marts) > 1 and mart not in later.keys:
            continue
        rows = publishes.changed_rows(tenant, earlier, later, mart, like=like, limit=left)
        left -= len(rows)
        for row in rows:
            key = ", ".join(f"{name} {value}" for name, value in row.key.items())
            console.print(
                Text(
                    f"{mart} {row.kind}: {key}",
                    style={"added": "green", "removed": "red"}.get(row.kind, "yellow"),
                )
            )
            amount = publishes.MEASURES[mart]
            if row.kind != "changed" and amount:
                console.print(f"    {amount} {_value(row.values[amount])} {row.values.get('currency') or ''}")
            for name, (then, now) in row.changes.items():
                console.print(Text(f"    {name}: {_value(then)} → {_value(now)}"))
            for fact in publishes.causes(row, learned)[:5]:
                console.print(Text(f"    because of {_fact(fact)}", style="dim"))
        for sentence in publishes.circumstances(tenant, earlier, later, mart) if rows else []:
            console.print(Text(f"  {mart}: {sentence}", style="dim"))
        if left <= 0:
            console.print(f"only {limit} rows are shown; raise --limit")
            return
    if left == limit:
        console.print("no such row differs")


def _learned(console: Console, learned: list[publishes.Fact], limit: int) -> None:
    if not learned:
        console.print("no fact was learned in between")
        return
    console.print(f"facts learned in between: {sum(fact.rows for fact in learned):,}")
    for fact in learned[:limit]:
        console.print(Text(f"    {_fact(fact)}"))
    if len(learned) > limit:
        console.print(f"    and {len(learned) - limit:,} more; raise --limit")


def _fact(fact: publishes.Fact) -> str:
    words = ", ".join(f"{name} {_value(value)}" for name, value in fact.content.items())
    count = f"{fact.rows:,} rows, " if fact.rows > 1 else ""
    return f"{fact.stream} recorded {fact.recorded_at:%Y-%m-%d %H:%M} by {fact.source}: {count}{words}"


def _text(amount: Decimal) -> str:
    return f"{amount.normalize():,f}" if amount else "0"


def _value(value: Any) -> str:
    if value is None:
        return "nothing"
    text = _text(value) if isinstance(value, Decimal) else str(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _console() -> Console:
    """What is read by a program or kept in a file is not cut to the width of no window."""
    console = Console(soft_wrap=True)
    return console if console.is_terminal else Console(soft_wrap=True, width=_WIDTH)
