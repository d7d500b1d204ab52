"""The spool: usage events on local disk between the answer to their sender and the lake.

An event is answered for once it is on disk; segments of the spool are landed one by one, each a batch, and removed. So the lake
gets a file every few seconds and not one a request, and a collector that is killed loses nothing that it answered for: whoever
opens the spool next lands what it finds. A line that was cut off half way belongs to a request that had no answer.
"""

from __future__ import annotations

import logging
import os
import queue
import threading
import time
import uuid
import zlib
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from filelock import FileLock, Timeout

from ratehouse.canonical_json import BadJson, canonical, parse
from ratehouse.errors import RatehouseError
from ratehouse.lake import Lake
from ratehouse.streams import check, land

STREAM = "usage_events"
SOURCE = "collector"
LAND_EVERY = 10.0  # seconds
SEGMENT_BYTES = 16 * 1024 * 1024
# Beyond this senders are asked to wait: the lake has not taken anything for long.
SPOOL_BYTES = 2 * 1024 * 1024 * 1024
# Requests that are judged and written together; they wait for one another no longer than a write takes.
_TOGETHER_ROWS = 20_000
_SUFFIX = ".spool"
_DAMAGED = ".damaged"
_STAMP = "%Y%m%dT%H%M%S%f"  # when a segment was begun; its name starts with it

logger = logging.getLogger("ratehouse.collector")


class SpoolBusy(RatehouseError):
    """Another process has this spool."""


class SpoolFull(RatehouseError):
    """The spool takes nothing more for now; nothing of the request was kept."""


@dataclass(frozen=True)
class Verdict:
    """What became of one event: accepted, or the reason code and sentence of its rejection."""

    reason_code: str | None = None
    reason: str | None = None


@dataclass(frozen=True)
class _Request:
    tenant_id: str
    rows: Sequence[dict[str, Any]]
    answer: Future[list[Verdict]]


class Spool:
    """Events on their way into the lake; one process at a time has a spool.

    Args:
        folder: a folder of local disk.
        lake: where to.
        land_every: seconds between two landings.
        segment_bytes: how large a segment gets before the next is begun.
        spool_bytes: what may wait at most.

    Raises:
        SpoolBusy: another process has it.
    """

    def __init__(
        self,
        folder: Path,
        lake: Lake,
        *,
        land_every: float = LAND_EVERY,
        segment_bytes: int = SEGMENT_BYTES,
        spool_bytes: int = SPOOL_BYTES,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = FileLock(folder / "spool.lock")
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise SpoolBusy(
                f"Another process has the spool {folder}. Stop it, or give this one its own (RATEHOUSE_SPOOL)."
            ) from error
        self.folder = folder
        self._lake = lake
        self._land_every, self._segment_bytes, self._spool_bytes = land_every, segment_bytes, spool_bytes
        self._requests: queue.SimpleQueue[_Request | None] = queue.SimpleQueue()
        self._segment = threading.Lock()  # held while the open segment is written or changed
        self._landing = threading.Lock()
        self._file: FileIO | None = None
        self._path: Path | None = None
        self._end = 0
        self._stop = threading.Event()
        self._failing_since: float | None = None
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Begin to accept and to land; what another process left behind is landed first."""
        for name, work in (("spool-writer", self._write), ("spool-lander", self._land_on)):
            thread = threading.Thread(target=work, name=name, daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Write what was handed in, land what can be landed, leave the rest for the next process."""
        self._requests.put(None)
        self._stop.set()
        for thread in self._threads:
            thread.join()
        self.close()

    def close(self) -> None:
        """Let go of the folder."""
        self._close_segment()
        self._lock.release()

    def accept(self, tenant_id: str, rows: Sequence[dict[str, Any]]) -> Future[list[Verdict]]:
        """Judge events and put them on disk; the answer, a verdict for each, comes when they are there.

        Args:
            tenant_id: whose events they are.
            rows: as `ratehouse.streams.land` takes them.

        Raises (from the future):
            SpoolFull: nothing was kept.
        """
        answer: Future[list[Verdict]] = Future()
        self._requests.put(_Request(tenant_id, rows, answer))
        return answer

    def state(self) -> dict[str, Any]:
        """What waits, since when, and whether the lake takes it."""
        segments = self._segments()
        times = [path.stat().st_mtime for path in segments if path.exists()]
        failing = self._failing_since
        return {
            "waiting_segments": len(segments),
            "waiting_seconds": round(max(0.0, time.time() - min(times))) if times else 0,
            "landing_fails_for_seconds": 0 if failing is None else round(time.monotonic() - failing),
            "damaged_segments": len(list(self.folder.glob(f"*{_DAMAGED}"))),
        }

    # --- writing -------------------------------------------------------------------------------------------------------------

    def _write(self) -> None:
        """Take requests as they come, those that wait together: one check and one flush of the disk for all of them."""
        stopped = False
        while not stopped:
            taken: list[_Request] = []
            request = self._requests.get()
            rows = 0
            while True:
                if request is None:
                    stopped = True
                    break
                taken.append(request)
                rows += len(request.rows)
                if rows >= _TOGETHER_ROWS:
                    break
                try:
                    request = self._requests.get_nowait()
                except queue.Empty:
                    break
            if taken:
                self._answer(taken)

    def _answer(self, requests: Sequence[_Request]) -> None:
        try:
            judged = _judge(requests)
            self._append(b"".join(line for line, _ in judged))
        except Exception as error:
            if len(requests) > 1 and not isinstance(error, SpoolFull):
                # One that nobody can judge must not take the others with it.
                for request in requests:
                    self._answer([request])
                return
            if not isinstance(error, SpoolFull):
                logger.exception("events could not be kept")
            for request in requests:
                request.answer.set_exception(error)
            return
        for request, (_, verdicts) in zip(requests, judged, strict=True):
            request.answer.set_result(verdicts)

    def _append(self, data: bytes) -> None:
        """Put lines on disk, all of them or none.

        Raises:
            SpoolFull: too much waits, or the disk takes no more.
        """
        waiting = sum(path.stat().st_size for path in self._segments())
        if waiting + len(data) > self._spool_bytes:
            raise SpoolFull(f"{waiting:,} bytes wait to be landed, more than the spool may hold.")
        with self._segment:
            file = self._open_segment()
            try:
                written = 0
                while written < len(data):
                    written += file.write(data[written:]) or 0
                os.fsync(file.fileno())
            except OSError as error:
                # What of it is on disk had no answer and must not be landed.
                try:
                    file.truncate(self._end)
                    file.seek(self._end)
                finally:
                    self._close_open_file()
                raise SpoolFull(
                    f"The spool's disk does not take it: {os.strerror(error.errno or 0)}."
                ) from error
            self._end += len(data)
            if self._end >= self._segment_bytes:
                self._close_open_file()

    def _open_segment(self) -> FileIO:
        if self._file is None:
            name = f"{datetime.now(UTC):{_STAMP}}-{uuid.uuid4().hex[:8]}{_SUFFIX}"
            self._path = self.folder / name
            try:
                self._file = self._path.open("xb", buffering=0)
                self._end = 0
                _flush_folder(self.folder)
            except OSError as error:
                self._close_open_file()
                raise SpoolFull(
                    f"The spool's disk does not take it: {os.strerror(error.errno or 0)}."
                ) from error
        return self._file

    def _close_segment(self) -> None:
        with self._segment:
            self._close_open_file()

    def _close_open_file(self) -> None:
        if self._file is not None:
            self._file.close()
        self._file, self._path = None, None

    # --- landing -------------------------------------------------------------------------------------------------------------

    def _land_on(self) -> None:
        self.land()
        while not self._stop.wait(self._land_every):
            self.land()
        # The writer is told to stop before this thread is, and ends first: what it wrote last is landed here.
        self._threads[0].join()
        self.land()

    def land(self) -> int:
        """Land what is on disk now, the oldest first; the number of events. What the lake does not take is tried again."""
        events = 0
        with self._landing:
            self._close_segment()
            for path in self._segments():
                try:
                    events += land_segment(self._lake, path)
                except Exception as error:
                    # Whatever the store's client raises: the events are on disk, and the next landing tries again.
                    self._failing_since = self._failing_since or time.monotonic()
                    logger.error("segment %s was not landed: %s", path.name, error)
                    return events
            self._failing_since = None
        return events

    def _segments(self) -> list[Path]:
        return sorted(self.folder.glob(f"*{_SUFFIX}"))


def land_segment(lake: Lake, path: Path) -> int:
    """Land one segment as one batch and remove it; the number of its events. Killed in between, it is done again to one end.

    Raises:
        LakeNotWritable: the lake takes no files; the segment stays.
    """
    rows, is_damaged = read_segment(path)
    if rows:
        land(lake, STREAM, rows, tenant_id=None, source=SOURCE, batch_id=f"{SOURCE}-{path.stem}")
    if is_damaged:
        path.rename(path.with_suffix(_DAMAGED))
        logger.error("segment %s has lines that cannot be read; it is kept as %s", path.name, _DAMAGED)
    else:
        path.unlink()
    return len(rows)


def read_segment(path: Path) -> tuple[list[dict[str, Any]], bool]:
    """The rows of a segment, and whether a line before the last cannot be read, which no crash explains."""
    lines = path.read_bytes().split(b"\n")
    rows: list[dict[str, Any]] = []
    broken: list[int] = []
    for number, line in enumerate(lines):
        mark, _, text = line.partition(b" ")
        if text and mark == b"%08x" % zlib.crc32(text):
            rows += parse(text)
        elif line:
            broken.append(number)
    return rows, any(number < len(lines) - 1 for number in broken)


def leftovers(folder: Path) -> list[str]:
    """The segments that a process that is gone left in the spool; none if a process has it."""
    left = sorted(path.name for path in folder.glob(f"*{_SUFFIX}"))
    if not left:
        return []
    lock = FileLock(folder / "spool.lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        return []
    lock.release()
    return left


def waiting(folder: Path, within: timedelta) -> tuple[list[str], list[str]]:
    """The segments that should have been landed in that time, and those that cannot be read."""
    begun = f"{datetime.now(UTC) - within:{_STAMP}}"
    late = sorted(path.name for path in folder.glob(f"*{_SUFFIX}") if path.name < begun)
    return late, sorted(path.name for path in folder.glob(f"*{_DAMAGED}"))


def land_leftovers(folder: Path, lake: Lake) -> int:
    """Land what a process that is gone left behind; the number of events, none if a process has the spool.

    Raises:
        LakeNotWritable: the lake takes no files.
    """
    if not leftovers(folder):
        return 0
    try:
        spool = Spool(folder, lake)
    except SpoolBusy:
        return 0
    try:
        return sum(land_segment(lake, path) for path in sorted(folder.glob(f"*{_SUFFIX}")))
    finally:
        spool.close()


def _judge(requests: Sequence[_Request]) -> list[tuple[bytes, list[Verdict]]]:
    """Of each request its line of the spool, and the verdicts. What is refused now stays refused, however late it is landed."""
    now = datetime.now(UTC)
    rows: list[dict[str, Any]] = []
    texts: list[str] = []
    for request in requests:
        for sent in request.rows:
            row, text = _written({**sent, "tenant_id": request.tenant_id})
            rows.append({**row, "_line": len(rows)})
            texts.append(text)
    checked = check(STREAM, rows, tenant_id=None, source=SOURCE, batch_id=SOURCE, received_at=now)
    verdicts = [Verdict()] * len(rows)
    for refused in checked.rejected.select(["line", "reason_code", "reason"]).to_pylist():
        number = refused.pop("line")
        verdicts[number] = Verdict(**refused)
        row = {name: value for name, value in rows[number].items() if name != "_line"}
        texts[number] = canonical(row | {"_code": refused["reason_code"], "_reason": refused["reason"]})
    judged = []
    begin = 0
    for request in requests:
        end = begin + len(request.rows)
        judged.append((_line(texts[begin:end]), verdicts[begin:end]))
        begin = end
    return judged


def _written(row: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The row and its text; one that has none becomes a refusal that holds what can be said of it."""
    try:
        return row, canonical(row)
    except BadJson as error:
        refusal = {
            "tenant_id": row["tenant_id"], "_code": error.reason_code, "_reason": str(error), "_raw": ascii(row)
        }  # fmt: skip
        return refusal, canonical(refusal)


def _line(texts: Sequence[str]) -> bytes:
    text = f"[{','.join(texts)}]".encode()
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
