"""`python -m orchestration.dev`: Dagster's UI and daemon for this installation, in the foreground.

Belongs here: where DAGSTER_HOME is, and its copy of dagster.yaml. Arguments go to `dagster dev`, as in
`python -m orchestration.dev --port 3001`.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from ratehouse.settings import Settings

CONFIG = Path(__file__).resolve().parent.parent / "dagster.yaml"


def prepare_home(settings: Settings, home: Path | None = None) -> Path:
    """Make the instance folder and put the project's dagster.yaml into it.

    Args:
        settings: the installation.
        home: default `<home>/data/dagster`.
    """
    folder = home or settings.home / "data" / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    # A copy and not a link: Dagster opens it in every process, also while the project is being updated.
    fresh = folder / ".dagster.yaml.new"
    fresh.write_bytes(CONFIG.read_bytes())
    fresh.replace(folder / "dagster.yaml")
    return folder


def main() -> None:
    """Replace this process by `dagster dev`."""
    settings = Settings.load()
    chosen = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(prepare_home(settings, Path(chosen) if chosen else None))
    # The processes that Dagster starts read the settings too, wherever they run.
    os.environ["RATEHOUSE_HOME"] = str(settings.home)
    arguments = ["dagster", "dev", "-m", "orchestration.definitions", *sys.argv[1:]]
    os.execv(sys.executable, [sys.executable, "-m", *arguments])  # noqa: S606 - no shell is wanted


if __name__ == "__main__":
    main()
