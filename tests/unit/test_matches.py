"""Decisions about matches as facts: said once, in order, by somebody and for a reason."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ratehouse import matches
from ratehouse.cli import app
from ratehouse.lake import Lake

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
SAID: dict[str, Any] = {
    "tenant_id": "acme",
    "area": "cash",
    "left": "p1",
    "right": "INV-1",
    "action": "match",
    "by": "alice",
    "reason": "PO 4711",
}


def rows(lake: Lake) -> list[dict[str, Any]]:
    table = lake.read("raw/manual_matches")
    return [] if table is None else table.to_pylist()


def test_what_stands_is_said_once_and_what_was_revoked_may_be_said_again(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    first = matches.decide(lake, **SAID, decided_at=NOW)
    again = matches.decide(lake, **SAID | {"by": "bob"}, decided_at=NOW + timedelta(hours=1))
    assert (first.is_new, again.is_new, again.match_id) == (True, False, first.match_id)
    revoked = matches.decide(lake, **SAID | {"action": "unmatch"}, decided_at=NOW + timedelta(hours=2))
    repeated = matches.decide(lake, **SAID | {"by": "bob"}, decided_at=NOW + timedelta(hours=3))
    assert len({first.match_id, revoked.match_id, repeated.match_id}) == 3
    said = [(row["action"], row["decided_by"], row["effective_at"]) for row in rows(lake)]
    assert sorted(said, key=lambda one: one[2]) == [
        ("match", "alice", NOW),
        ("unmatch", "alice", NOW + timedelta(hours=2)),
        ("match", "bob", NOW + timedelta(hours=3)),
    ]


def test_another_tenant_decides_for_itself(tmp_path: Path) -> None:
    lake = Lake(str(tmp_path))
    matches.decide(lake, **SAID, decided_at=NOW)
    assert matches.decide(lake, **SAID | {"tenant_id": "kumo"}, decided_at=NOW).is_new
    assert {row["tenant_id"] for row in rows(lake)} == {"acme", "kumo"}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"by": " "}, "needs its person"),
        ({"reason": ""}, "needs its reason"),
        ({"right": ""}, "needs its right side"),
        ({"area": "ledger"}, "no area ledger"),
        ({"action": "accept"}, "no decision accept"),
    ],
)
def test_a_decision_without_a_part_is_refused_and_nothing_lands(
    tmp_path: Path, change: dict[str, str], said: str
) -> None:
    lake = Lake(str(tmp_path))
    with pytest.raises(matches.MatchRefused, match=said):
        matches.decide(lake, **SAID | change)
    assert rows(lake) == []


def test_the_command_appends_and_says_what_stood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RATEHOUSE_LAKE", str(tmp_path / "lake"))
    said = [
        "b1",
        "po_1",
        "--tenant",
        "acme",
        "--area",
        "bank",
        "--by",
        "alice",
        "--reason",
        "named in a call",
    ]
    first = CliRunner().invoke(app, ["reconcile", "unmatch", *said], catch_exceptions=False)
    assert "is noted" in first.output
    assert "stood already" in CliRunner().invoke(app, ["reconcile", "unmatch", *said]).output
    (row,) = rows(Lake(str(tmp_path / "lake")))
    assert (row["left_reference"], row["right_reference"], row["action"]) == ("b1", "po_1", "unmatch")
