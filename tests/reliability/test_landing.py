"""Files on their way into the lake: killed half way, a full disk, a lake that nobody may write."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ingest.files.importer import import_files
from tests.reliability.installation import TIMEOUT, Installation

ROWS = 4_000
HEADER = "event_id,customer_id,event_type,occurred_at,quantity,recorded_at"
# Linux: take a capability away from the next program, and the two capabilities that let root write anywhere.
PR_CAPBSET_DROP = 24
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Two files of usage; the second arrived over three days, which are three files of the lake."""
    made = []
    for number in range(2):
        file = tmp_path / f"usage-{number}.csv"
        rows = [
            f"{os.urandom(16).hex()},c1,api,2026-01-05T10:00:00Z,{row},2026-01-0{6 + row % 3 * number}"
            for row in range(ROWS)
        ]
        file.write_text("\n".join([HEADER, *rows]))
        made.append(file)
    return made


def landing(files: list[Path]) -> tuple[str | Path, ...]:
    return ("ingest", "file", "--tenant", "alpha", *files)


def landed(installation: Installation) -> list[dict[str, Any]]:
    table = installation.lake.read("raw/usage_events")
    return [] if table is None else table.to_pylist()


def is_complete(installation: Installation) -> bool:
    """Every row of both files is there once."""
    rows = landed(installation)
    total = sum(row["quantity"] for row in rows)
    return len(rows) == len({row["event_id"] for row in rows}) == 2 * ROWS and total == ROWS * (ROWS - 1)


@pytest.mark.parametrize(
    ("fault", "visible"),
    [
        ("after ratehouse.lake:Lake.write raw/batches", 0),
        ("before ratehouse.lake:_publish raw/usage_events", 0),
        ("after ratehouse.lake:_publish received_on=2026-01-06", ROWS),
        # of the second file a day is there, two are not
        ("after ratehouse.lake:_publish received_on=2026-01-07", None),
    ],
)
def test_a_killed_landing_is_completed_by_the_next(
    installation: Installation, files: list[Path], fault: str, visible: int | None
) -> None:
    process = installation.start(*landing(files), fault=fault)
    out, err = process.communicate(timeout=TIMEOUT)
    assert process.returncode == -signal.SIGKILL, out + err
    if visible is None:
        assert ROWS < len(landed(installation)) < 2 * ROWS
    else:
        assert len(landed(installation)) == visible
    again = installation.run(*landing(files))
    assert again.returncode == 0, again.stderr
    assert is_complete(installation)
    lake = installation.lake.files("raw")
    third = import_files(installation.lake, files, tenant_id="alpha", stream="usage_events")
    assert [file.already_landed for file in third] == [1, 1]
    assert installation.lake.files("raw") == lake


@pytest.fixture
def tiny_disk(installation: Installation) -> Iterator[Path]:
    """The lake on a disk of one megabyte."""
    lake = Path(installation.settings.lake_url)
    lake.mkdir(parents=True)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(lake)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no disk can be mounted here: {mounted.stderr.strip()}")
    yield lake
    subprocess.run(["umount", "--lazy", str(lake)], check=True)


def test_a_full_disk(installation: Installation, files: list[Path], tiny_disk: Path) -> None:
    ballast = tiny_disk / "ballast"
    ballast.write_bytes(b"\0" * (2**20 - 64 * 1024))
    full = installation.run(*landing(files))
    assert full.returncode == 1
    assert "No space left on device" in full.stderr and "Free space there" in full.stderr
    assert str(tiny_disk) in full.stderr and "Traceback" not in full.stderr
    assert not landed(installation)
    assert not list(tiny_disk.rglob("*.tmp-*"))
    ballast.unlink()
    again = installation.run(*landing(files))
    assert again.returncode == 0, again.stderr
    assert is_complete(installation)


def test_a_file_larger_than_allowed(installation: Installation, files: list[Path]) -> None:
    limited = installation.run(
        *landing(files), prepare=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (32_768, 32_768))
    )
    assert limited.returncode == 1
    assert "File too large" in limited.stderr and "ulimit -f" in limited.stderr
    assert not landed(installation)
    again = installation.run(*landing(files))
    assert again.returncode == 0, again.stderr
    assert is_complete(installation)


@pytest.mark.parametrize("command", ["ingest", "run"])
@pytest.mark.parametrize("obstacle", ["permission", "file in the way"])
def test_a_lake_that_cannot_be_written(
    installation: Installation, files: list[Path], command: str, obstacle: str
) -> None:
    lake = Path(installation.settings.lake_url)
    installation.add_tenant("alpha")
    if obstacle == "permission":
        lake.mkdir(parents=True)
        lake.chmod(0o555)
    else:
        lake.parent.mkdir()
        lake.write_text("this is no folder")
    arguments = landing(files) if command == "ingest" else ("run", "--date", "2026-02-01")
    done = installation.run(*arguments, prepare=without_power_of_root)
    assert done.returncode == 1
    assert f"The lake cannot write {lake}" in done.stderr and "RATEHOUSE_LAKE" in done.stderr
    assert "Traceback" not in done.stderr
    assert not lake.is_dir() or not list(lake.iterdir())
    assert not installation.settings.warehouse_path.exists()


def without_power_of_root() -> None:
    """Let the rights of files hold for root too, in the program that is started next."""
    libc = ctypes.CDLL(None)
    for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
        libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
