import errno
import os
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ratehouse.lake import Lake, LakeNotWritable, LakeUnreadable, display_url

TABLE = pa.table({"a": [1, 2]})


def every_file(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


def test_what_is_written_is_read(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.write("raw/usage_events", "b1", TABLE, partition="received_on=2026-01-01")
    assert lake.write("raw/usage_events", "b2", TABLE, partition="received_on=2026-01-02")
    assert lake.files("raw/usage_events") == [
        str(tmp_path / "raw/usage_events/received_on=2026-01-01/b1.parquet"),
        str(tmp_path / "raw/usage_events/received_on=2026-01-02/b2.parquet"),
    ]
    read = lake.read("raw/usage_events")
    assert read is not None and read["a"].to_pylist() == [1, 2, 1, 2]
    assert read.column_names == ["a"]


def test_a_file_is_never_written_twice(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    assert lake.write("raw/x", "b", TABLE)
    assert not lake.write("raw/x", "b", pa.table({"a": [9]}))
    read = lake.read("raw/x")
    assert read is not None and read["a"].to_pylist() == [1, 2]


def test_the_slower_of_two_writers_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lake = Lake(str(tmp_path))
    lake.write("raw/x", "b", TABLE)
    monkeypatch.setattr(Lake, "exists", lambda *_, **__: False)
    assert not lake.write("raw/x", "b", pa.table({"a": [9]}))
    assert every_file(tmp_path) == ["b.parquet"]


def test_nothing_is_read_as_nothing(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path / "new"))
    assert lake.read("raw/x") is None
    assert lake.files("raw/x") == []


def test_a_full_disk_leaves_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(LakeNotWritable, match=r"x/b\.parquet: No space left.*Free space"):
        Lake(str(tmp_path)).write("raw/x", "b", TABLE)
    assert every_file(tmp_path) == []


def test_a_lake_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "lake").write_text("not a folder")
    with pytest.raises(LakeNotWritable, match="lake"):
        Lake(str(tmp_path / "lake")).check_writable()
    with pytest.raises(LakeNotWritable):
        Lake(str(tmp_path / "lake")).write("raw/x", "b", TABLE)


def test_a_writable_lake_is_left_as_it_was(tmp_path: Path) -> None:
    Lake(str(tmp_path / "lake")).check_writable()
    assert every_file(tmp_path) == []


def test_leftovers_of_killed_writers_are_invisible_and_swept(tmp_path: Path) -> None:
    folder = tmp_path / "raw/x"
    folder.mkdir(parents=True)
    old, young = folder / "a.parquet.tmp-1-old", folder / "a.parquet.tmp-1-young"
    for leftover in (old, young):
        leftover.write_bytes(b"half")
    os.utime(old, (time.time() - 7200, time.time() - 7200))
    lake = Lake(str(tmp_path))
    assert lake.files("raw/x") == []
    lake.write("raw/x", "b", TABLE)
    assert every_file(tmp_path) == ["a.parquet.tmp-1-young", "b.parquet"]


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "raw/x").mkdir(parents=True)
    (tmp_path / "raw/x/b.parquet").write_bytes(b"nonsense")
    with pytest.raises(LakeUnreadable, match=r"b\.parquet"):
        Lake(str(tmp_path)).read("raw/x")


@pytest.mark.parametrize("name", ["../b", "a/b", "", ".hidden", "a\0b"])
def test_a_name_cannot_leave_the_lake(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="lake path"):
        Lake(str(tmp_path)).write("raw/x", name, TABLE)


def test_messages_hide_credentials() -> None:
    assert display_url("s3://key:secret@bucket/lake?token=x") == "s3://bucket/lake"
