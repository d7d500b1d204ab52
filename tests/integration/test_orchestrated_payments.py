"""What Dagster does beside the night, and how people hear of what failed: real servers take the alerts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetKey,
    DagsterInstance,
    Definitions,
    asset,
    asset_check,
    build_sensor_context,
    materialize,
)

from orchestration.build import build_defs
from orchestration.defs.alerts.sensors import failed_checks
from orchestration.defs.payments.assets import charges_are_answered, collection, processors, retries
from orchestration.lib.alerts import Alert, AlertNotSent, send
from orchestration.lib.names import COLLECTION, PROCESSORS, RECOVERY_MODELS, RETRIES
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from ratehouse.streams import land
from tests.integration.mail_servers import Inbox, mail_server
from tests.integration.payment_servers import Reply, Unreliable

PAID = {PROCESSORS, RETRIES, COLLECTION, RECOVERY_MODELS}


class Webhook(Unreliable):
    """A chat system that keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []
        super().__init__()

    def kind(self, method: str, path: str) -> str:
        return "post"

    def carry_out(self, handler: Any, body: bytes) -> Reply:
        self.told.append(json.loads(body)["text"])
        return 200, b"ok", "text/plain"


@contextmanager
def webhook() -> Iterator[Webhook]:
    server = Webhook()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    folder = tmp_path / "tenants" / "acme"
    folder.mkdir(parents=True)
    (folder / "tenant.yaml").write_text("tenant: acme\ncurrency: EUR\ntimezone: UTC\n", encoding="utf-8")
    return Settings.load(tmp_path, environ={})


def test_what_moves_money_is_no_part_of_the_night_and_off_until_somebody_turns_it_on(
    settings: Settings,
) -> None:
    defs = build_defs(settings=settings)
    Definitions.validate_loadable(defs)
    night = defs.resolve_job_def("nightly")
    assert not PAID & set(night.asset_layer.executable_asset_keys)
    assert set(defs.resolve_job_def("collect").asset_layer.executable_asset_keys) == PAID - {RECOVERY_MODELS}
    assert set(defs.resolve_job_def("train").asset_layer.executable_asset_keys) == {RECOVERY_MODELS}
    schedules = {name: defs.resolve_schedule_def(name) for name in ("collect", "train")}
    assert {name: schedules[name].cron_schedule for name in ("collect", "train")} == {
        "collect": "*/15 * * * *",
        "train": "0 6 * * 1",
    }
    assert all(schedules[name].default_status.value == "STOPPED" for name in ("collect", "train"))


def test_an_account_that_cannot_be_read_fails_its_check_and_holds_up_nobody(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RATEHOUSE_BRAINTREE_ACME_MERCHANT_ID", "m1")
    monkeypatch.delenv("RATEHOUSE_BRAINTREE_ACME_PUBLIC_KEY", raising=False)
    with DagsterInstance.ephemeral() as instance:
        done = materialize(
            [processors, retries, collection],
            resources={"settings": settings},
            instance=instance,
            raise_on_error=False,
        )
    assert done.success
    (check,) = done.get_asset_check_evaluations()
    assert (check.check_name, check.passed, check.description) == (
        "accounts_were_read",
        False,
        "acme braintree: AccountUnknown",
    )
    (made,) = done.asset_materializations_for_node("payments__collection")
    assert made.metadata["why"].value == "nothing is published yet"


def test_a_charge_without_an_answer_for_a_day_is_named(settings: Settings) -> None:
    claim = {
        "payment_id": "pay-1",
        "customer_id": "c1",
        "invoice_id": "inv-1",
        "amount": "10.00",
        "currency": "EUR",
        "status": "unknown",
        "provider": "stripe",
        "attempted_at": "2026-01-01T10:00:00Z",
        "recorded_at": "2026-01-01T10:00:00Z",
        "idempotency_key": "k1",
    }
    checked = charges_are_answered(settings)
    assert checked.passed
    land(
        Lake(settings.lake_url), "payments", [claim],
        tenant_id="acme", source="collection", batch_id="claim-0001",
    )  # fmt: skip
    checked = charges_are_answered(settings)
    assert not checked.passed and "acme charge pay-1" in str(checked.description)


@asset
def made() -> int:
    return 1


@asset_check(asset=AssetKey("made"))
def adds_up() -> AssetCheckResult:
    return AssetCheckResult(
        passed=False, severity=AssetCheckSeverity.WARN, description="3.00 EUR are missing"
    )


@asset_check(asset=AssetKey("made"))
def is_there() -> AssetCheckResult:
    return AssetCheckResult(passed=True)


DEFS = Definitions(assets=[made], asset_checks=[adds_up, is_there], sensors=[failed_checks])


def tick(instance: DagsterInstance, cursor: str | None) -> str | None:
    context = build_sensor_context(instance=instance, cursor=cursor, repository_def=DEFS.get_repository_def())
    failed_checks.evaluate_tick(context)
    return context.cursor


def test_a_failed_check_is_told_once_by_mail_and_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    inbox = Inbox()
    with (
        webhook() as chat,
        mail_server(inbox) as port,
        DagsterInstance.ephemeral() as instance,
    ):
        monkeypatch.setenv("RATEHOUSE_ALERT_WEBHOOK", f"{chat.url}/hooks/1")
        monkeypatch.setenv("RATEHOUSE_ALERT_EMAIL", "ops@example.com, cfo@example.com")
        monkeypatch.setenv("RATEHOUSE_ALERT_FROM", "ratehouse@example.com")
        monkeypatch.setenv("RATEHOUSE_SMTP_HOST", "127.0.0.1")
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
        monkeypatch.setenv("RATEHOUSE_SMTP_SECURITY", "none")
        assert tick(instance, None) == "0"
        job = DEFS.resolve_implicit_global_asset_job_def()
        job.execute_in_process(instance=instance, raise_on_error=False)
        cursor = tick(instance, "0")
        assert chat.told == ["A check failed\nmade: adds_up (warn): 3.00 EUR are missing"]
        (mail,) = inbox.mails
        assert mail["Subject"] == "Ratehouse: A check failed"
        assert inbox.recipients == [["ops@example.com", "cfo@example.com"]]
        # Nothing is said twice, and a new evaluation is news.
        assert tick(instance, cursor) == cursor
        assert len(chat.told) == 1
        job.execute_in_process(instance=instance, raise_on_error=False)
        # A place that does not take it: the cursor stays, and the next tick tells.
        chat.moods["post"] = ["500"]
        with pytest.raises(AlertNotSent):
            tick(instance, cursor)
        assert tick(instance, cursor) != cursor
        assert len(chat.told) == 2 and len(inbox.mails) == 2


def test_an_alert_without_a_place_goes_nowhere_and_a_wrong_address_is_said() -> None:
    send(Alert("A check failed", "x"), {})
    with pytest.raises(AlertNotSent, match="no http address"):
        send(Alert("A check failed", "x"), {"RATEHOUSE_ALERT_WEBHOOK": "file:///etc/passwd"})
    with pytest.raises(AlertNotSent, match="mail server did not take"):
        send(
            Alert("A check failed", "x"),
            {
                "RATEHOUSE_ALERT_EMAIL": "ops@example.com",
                "RATEHOUSE_SMTP_HOST": "127.0.0.1",
                "RATEHOUSE_SMTP_PORT": "9",
                "RATEHOUSE_SMTP_SECURITY": "none",
            },
        )
