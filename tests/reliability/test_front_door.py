"""The front door killed while many send: what was answered for is in the lake, once, whatever the moment."""

from __future__ import annotations

import http.client
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ratehouse.canonical_json import parse_exact
from tests.integration.front_door import FrontDoor

SENDERS = 4
EVENTS = 20  # a request


class _Sender(threading.Thread):
    """Sends requests until the door is gone, and knows which were answered for."""

    def __init__(self, door: FrontDoor, name: str) -> None:
        super().__init__(name=name)
        self.door, self.answered, self.sent = door, set[str](), 0

    def run(self) -> None:
        while True:
            names = [f"{self.name}-{self.sent}-{number}" for number in range(EVENTS)]
            self.sent += 1
            events = [
                {
                    "event_id": name,
                    "customer_id": "c1",
                    "event_type": "api",
                    "occurred_at": "2026-01-05T10:00:00Z",
                }
                for name in names
            ]
            try:
                status, answer = self.door.send_usage(events)
            except (OSError, http.client.HTTPException):
                return
            assert (status, answer["accepted"]) == (200, EVENTS)
            self.answered |= set(names)


@pytest.mark.parametrize("after", [1, 60])
def test_killed_under_load_it_loses_nothing_that_it_answered_for(tmp_path: Path, after: int) -> None:
    """Killed in the middle of its work when it has answered `after` requests of a round."""
    door = FrontDoor(tmp_path)
    answered: set[str] = set()
    for round_no in range(2):
        senders = [_Sender(door, f"r{round_no}s{number}") for number in range(SENDERS)]
        for sender in senders:
            sender.start()
        while sum(len(sender.answered) for sender in senders) < after * EVENTS:
            assert any(sender.is_alive() for sender in senders), door.log.read_text()
            time.sleep(0.001)
        assert door.stop(signal.SIGKILL) == -signal.SIGKILL
        for sender in senders:
            sender.join()
            answered |= sender.answered
        # what opens the spool next lands what it finds
        door.start()
    door.stop()
    landed = Counter(row["event_id"] for row in door.landed("usage_events"))
    assert answered <= set(landed) and set(landed.values()) == {1}
    assert not list((tmp_path / "data" / "spool").glob("*.spool"))
    assert not list((tmp_path / "data" / "spool").glob("*.damaged"))


def test_killed_between_landing_and_forgetting_it_lands_once(tmp_path: Path) -> None:
    """A segment whose batch is in the lake already, as after a kill in between."""
    door = FrontDoor(tmp_path)
    door.send_usage(
        {"event_id": "e1", "customer_id": "c1", "event_type": "api", "occurred_at": "2026-01-05T10:00:00Z"}
    )
    (segment,) = (tmp_path / "data" / "spool").glob("*.spool")
    content = segment.read_bytes()
    assert parse_exact(content.split(b" ", 1)[1])[0]["event_id"] == "e1"
    door.stop()
    assert not segment.exists() and len(door.landed("usage_events")) == 1
    segment.write_bytes(content)
    door.start()
    door.stop()
    assert not segment.exists() and len(door.landed("usage_events")) == 1
