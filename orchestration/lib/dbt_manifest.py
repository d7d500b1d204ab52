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
from ratehouse.warehouse import environment

_IGNORED = {"target", "logs", "dbt_packages"}


class ManifestError(RatehouseError):
    """The dbt project cannot be parsed; the message holds what dbt said."""


def executable() -> Path:
    """The dbt of this Python, whether or not its folder is on the PATH."""
    return Path(sys.executable).with_name("dbt")


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
    """The folder for the artifacts of runs, with what parsing the manifest left behind as a start."""
    folder, parsed = target_path(settings) / "runs", _parse_path(settings) / "partial_parse.msgpack"
    if not (folder / parsed.name).exists() and parsed.exists():
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(parsed, folder / parsed.name)
    return folder


def is_fresh(manifest: Path, project: Path) -> bool:
    """Whether the manifest is younger than everything in the project."""
    if not manifest.exists():
        return False
    made = manifest.stat().st_mtime_ns
    return all(path.stat().st_mtime_ns < made for path in _sources(project))


def _parse_path(settings: Settings) -> Path:
    return target_path(settings) / "parse"


def _sources(project: Path) -> Iterator[Path]:
    for path in project.iterdir():
        if path.name in _IGNORED or path.name.startswith("."):
            continue
        yield path
        if path.is_dir():  # folders count too: they change when a file is removed from them
            yield from path.rglob("*")


def _parse(settings: Settings, path: Path) -> None:
    project, work = str(settings.dbt_project_dir), _parse_path(settings)
    arguments = ["parse", "--quiet", "--project-dir", project, "--profiles-dir", project]
    arguments += ["--target-path", str(work), "--log-path", str(work)]
    # A process of its own: dbt leaves loggers and adapters behind in the one it runs in.
    with environment(settings):
        done = subprocess.run(  # noqa: S603 - our own dbt and paths
            [executable(), *arguments], capture_output=True, text=True, check=False
        )
    if done.returncode != 0:
        raise ManifestError(f"dbt cannot parse {project}:\n{(done.stdout + done.stderr).strip()}")
    fresh = path.with_suffix(".new")
    shutil.copy(work / "manifest.json", fresh)
    fresh.replace(path)
