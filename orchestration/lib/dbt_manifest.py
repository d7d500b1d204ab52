"""The dbt manifest that definitions are made of: parsed when it is missing or older than the project.

Belongs here: when to parse, and that two processes which load definitions at once never see half a manifest.
Does not belong here: what becomes of it (`dbt_translator`).
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

from ratehouse.errors import RatehouseError
from ratehouse.settings import Settings

_IGNORED = {"target", "logs", "dbt_packages"}
_PARSE = """
import pathlib, sys
from ratehouse import settings, warehouse
try:
    installation = settings.Settings.model_validate_json(sys.argv[1])
    warehouse.build(installation, command="parse", target=pathlib.Path(sys.argv[2]))
except warehouse.BuildFailed as error:
    sys.exit(str(error))
"""


class ManifestError(RatehouseError):
    """The dbt project cannot be parsed; the message holds what dbt said."""


def target_path(settings: Settings) -> Path:
    """Where Dagster's dbt calls keep their artifacts: beside the warehouse file, never in the project."""
    return settings.warehouse_path.parent / "dbt_dagster"


def load_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest of the project as it is now.

    Raises:
        ManifestError: dbt cannot parse the project.
    """
    path = target_path(settings) / "manifest.json"
    if not is_fresh(path, settings.dbt_project_dir):
        path.parent.mkdir(parents=True, exist_ok=True)
        # Webserver, daemon and runs load definitions side by side: one parses, the others wait and find it
        # done.
        with FileLock(path.with_suffix(".lock")):
            if not is_fresh(path, settings.dbt_project_dir):
                _parse(settings, path)
    return dict(json.loads(path.read_bytes()))


def runs_path(settings: Settings) -> Path:
    """The folder for the artifacts of runs."""
    return target_path(settings) / "runs"


def is_fresh(manifest: Path, project: Path) -> bool:
    """Whether the manifest is younger than everything in the project."""
    if not manifest.exists():
        return False
    made = manifest.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns < made for path in _sources(project))


def _sources(project: Path) -> Iterator[Path]:
    for path in project.iterdir():
        if path.name in _IGNORED or path.name.startswith("."):
            continue
        yield path
        if path.is_dir():  # folders count too: they change when a file is removed from them
            yield from path.rglob("*")


def _parse(settings: Settings, path: Path) -> None:
    work = target_path(settings) / "parse"
    # A process of its own: dbt leaves loggers and adapters behind in the one it runs in.
    done = subprocess.run(  # noqa: S603 - our own program and paths
        [sys.executable, "-c", _PARSE, settings.model_dump_json(), str(work)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise ManifestError(f"dbt cannot parse {settings.dbt_project_dir}:\n{done.stderr.strip()}")
    fresh = path.with_suffix(".new")
    shutil.copy(work / "manifest.json", fresh)
    fresh.replace(path)
