"""The command line, for what no page may do itself: a process of its own that reads or appends and ends.

Belongs here: running `ratehouse …` with the settings of this process. Does not belong here: what a command does.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ratehouse
from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

TIMEOUT_SECONDS = 180


class CommandFailed(RatehouseError):
    """A command did not do what it was asked; the message is what it said."""


def run(*arguments: str) -> str:
    """Run `ratehouse` with these arguments; what it printed.

    Raises:
        CommandFailed: it failed or took too long.
    """
    try:
        done = subprocess.run(  # noqa: S603 - our own command, arguments as a list
            [sys.executable, "-m", "ratehouse.cli", *arguments],
            cwd=Path(ratehouse.__file__).resolve().parent.parent,
            env=_environment(Settings.load()),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CommandFailed(f"It took more than {TIMEOUT_SECONDS} seconds.") from error
    if done.returncode != 0:
        raise CommandFailed(done.stderr.strip() or "the command said nothing")
    return done.stdout


def _environment(settings: Settings) -> dict[str, str]:
    # The command runs in the project's folder, so what was relative to this process is said in full.
    return {
        **os.environ,
        "RATEHOUSE_HOME": str(settings.home),
        "RATEHOUSE_LAKE": settings.lake_url,
        "RATEHOUSE_SERVING": str(settings.serving_dir),
        "RATEHOUSE_DOCUMENTS": settings.documents_url,
        "RATEHOUSE_TENANTS": str(settings.tenants_dir),
    }
