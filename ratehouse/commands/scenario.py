"""`ratehouse scenario run`: billing stories against the real pipeline."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

app = typer.Typer(help="Run billing stories with the numbers that must come out.", no_args_is_help=True)


@app.callback()
def main() -> None:
    """Run billing stories with the numbers that must come out."""


@app.command()
def run(
    paths: Annotated[list[Path], typer.Argument(help="Scenario files and folders.")],
    json_out: Annotated[Path | None, typer.Option("--json", help="Write the results to this file.")] = None,
    target: Annotated[str, typer.Option(help="The engine: duckdb.")] = "duckdb",
    keep: Annotated[
        Path | None, typer.Option(help="Leave lake and warehouse in this (new or empty) folder.")
    ] = None,
) -> None:
    """Run scenarios together in one warehouse, one build per clock step; exit 1 if one fails."""
    from ratehouse import scenario
    from ratehouse.settings import Settings

    console = Console()
    if target != "duckdb":
        raise typer.BadParameter(
            f"there is no target {target!r}; this installation has: duckdb", param_hint="--target"
        )
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise typer.BadParameter(f"{keep} is not empty; name a new folder", param_hint="--keep")
    home = keep or Path(tempfile.mkdtemp(prefix="ratehouse-scenarios-"))
    try:
        outcomes = scenario.run(scenario.load(paths), Settings.load(home, environ={}))
    finally:
        if keep is None:
            shutil.rmtree(home, ignore_errors=True)
    if json_out is not None:
        json_out.write_text(
            json.dumps([outcome.as_json() for outcome in outcomes], indent=2, default=str) + "\n"
        )
    for outcome in outcomes:
        if outcome.passed:
            continue
        console.print(f"[bold red]✗ {escape(outcome.scenario)}[/]")
        if outcome.error:
            console.print(f"    {escape(outcome.error)}", soft_wrap=True)
        for failure in outcome.failures:
            console.print(f"    [bold]{failure.table}[/]: {escape(failure.reason)}", soft_wrap=True)
            if failure.expected:
                console.print(f"        expected {escape(str(dict(failure.expected)))}", soft_wrap=True)
            for row in failure.found:
                console.print(f"        found    {escape(str(dict(row)))}", soft_wrap=True)
    passed = sum(outcome.passed for outcome in outcomes)
    console.print(f"{passed} passed, {len(outcomes) - passed} failed")
    if passed < len(outcomes):
        raise typer.Exit(1)
