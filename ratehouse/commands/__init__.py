"""The parts of the command line, one Typer app a module; `ratehouse.cli` assembles them."""
