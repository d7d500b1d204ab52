"""Documents by e-mail through real SMTP servers on loopback: once each, whatever happens on the way."""

from __future__ import annotations

import datetime as dt
import mailbox
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import ExecuteInProcessResult, materialize
from typer.testing import CliRunner

from deliver.mail.dispatch import BACK_OFF, Dispatched, dispatch, retry
from deliver.mail.outbox import MailError, Message, claim, delivery_id, read_outbox, recipients
from deliver.mail.reports import note_reports
from deliver.mail.transport import SmtpSettings
from orchestration.defs.mail.assets import mail
from orchestration.lib.names import MAIL
from orchestration.lib.resources import BillingNight
from ratehouse.commands.deliver import app
from ratehouse.lake import Lake
from ratehouse.settings import Settings
from tests.integration.mail_servers import BadServer, Inbox, free_port, mail_server
from tests.unit.deliver.documents_marts import Marts, month

ROOT = Path(__file__).parents[2]
NOW = dt.datetime(2026, 2, 2, 8, 30, tzinfo=dt.UTC)
ANN = {"name": "Ann Lee", "email": "ann@c1.example"}
BOB = {"name": "Bob", "email": "bob@c1.example", "language": "de"}


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home whose serving file has one invoice to two contacts and one from before mail was set up."""
    (tmp_path / "data" / "serving").mkdir(parents=True)
    (tmp_path / "tenants" / "acme").mkdir(parents=True)
    marts = Marts(tmp_path / "data" / "serving" / "current.duckdb")
    marts.tenant(
        mail={"since": "2026-01-01", "sender": "billing@acme.example", "sender_name": "Acme Billing"},
        legal_entity={"name": "Acme Inc."},
    )
    marts.add(
        "customers",
        [{"tenant_id": "acme", "customer_id": "c1", "name": "One", "billing_contacts": [ANN, BOB]}],
    )
    marts.invoice("INV-1", [month("usage", "api", "12.50")], po_number="PO-7")
    marts.invoice("INV-0", [month("usage", "api", "9.00")], issued_on=dt.date(2025, 12, 31))
    marts.invoice(None, [month("usage", "api", "9.00")], invoice_id="draft", status="draft")
    marts.connection.close()
    monkeypatch.setenv("RATEHOUSE_HOME", str(tmp_path))
    monkeypatch.setenv("RATEHOUSE_SMTP_HOST", "127.0.0.1")
    monkeypatch.setenv("RATEHOUSE_SMTP_SECURITY", "none")
    monkeypatch.setenv("RATEHOUSE_SMTP_TIMEOUT", "10")
    return Settings.load()


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Inbox]:
    inbox = Inbox()
    with mail_server(inbox) as port:
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
        yield inbox


@pytest.fixture
def bad_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], BadServer]]:
    servers: list[BadServer] = []

    def start(mood: str) -> BadServer:
        servers.append(BadServer(mood))
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(servers[-1].port))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def send(home: Settings, at: dt.datetime = NOW) -> Dispatched:
    return dispatch(home, clock=lambda: at)


def outbox(home: Settings) -> dict[str, Message]:
    return {message.recipient: message for message in read_outbox(Lake(home.lake_url))}


def only_one_contact(home: Settings) -> None:
    import duckdb

    with duckdb.connect(str(home.serving_path)) as connection:
        connection.execute("update marts.customers set billing_contacts = '[\"ann@c1.example\"]'")


def make_messages_long(home: Settings) -> None:
    """Longer than all buffers between sender and server, so that the middle of a message is a real place."""
    folder = home.tenants_dir / "acme" / "mail"
    folder.mkdir()
    (folder / "message.txt.j2").write_text("{{ ('x' * 70 ~ '\\n') * 120000 }}")


def sender_process(home: Settings) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ratehouse.cli", "deliver", "send"]
    return subprocess.Popen(
        command, env=environment, cwd=home.home, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def test_each_contact_gets_the_document_once(home: Settings, inbox: Inbox) -> None:
    first = send(home)
    assert (first.queued, dict(first.outcomes), first.problems) == (2, {"sent": 2}, [])
    assert inbox.recipients == [["ann@c1.example"], ["bob@c1.example"]]
    english, german = inbox.mails
    assert english["From"] == "Acme Billing <billing@acme.example>"
    assert english["To"] == "Ann Lee <ann@c1.example>"
    assert english["Subject"] == "Invoice INV-1 from Acme Inc."
    assert german["Subject"] == "Rechnung INV-1 von Acme Inc."
    key = delivery_id("acme", "id-INV-1", "ann@c1.example")
    assert english["Message-ID"] == f"<{key}@acme.example>"
    assert english["Date"].datetime == NOW
    text = english.get_body(("plain",)).get_content()  # type: ignore[attr-defined]
    assert "Hello Ann Lee," in text and "Amount due: €12.50" in text and "Purchase order: PO-7" in text
    (attachment,) = english.iter_attachments()  # type: ignore[attr-defined]
    assert attachment.get_filename() == "INV-1.pdf" and attachment.get_content()[:5] == b"%PDF-"

    assert {message.state for message in outbox(home).values()} == {"sent"}
    again = send(home, NOW + dt.timedelta(days=9))
    assert (again.queued, dict(again.outcomes), len(inbox.contents)) == (0, {}, 2)


def test_the_same_message_is_the_same_bytes(home: Settings, inbox: Inbox, tmp_path: Path) -> None:
    inbox.answer = lambda: "451 4.3.0 later"
    contents: list[bytes] = []
    send(home)
    inbox.answer = lambda: "250 ok"
    send(home, NOW + dt.timedelta(hours=1))
    contents += inbox.contents
    files = [
        f for f in (tmp_path / "data" / "lake" / "raw" / "deliveries").iterdir() if "-queued" not in f.name
    ]
    for file in files:
        file.unlink()
    send(home, NOW + dt.timedelta(hours=2))
    assert inbox.contents[2:] == contents


def test_a_refused_message_waits_longer_each_time_and_then_for_a_person(home: Settings, inbox: Inbox) -> None:
    only_one_contact(home)
    inbox.answer = lambda: "451 4.3.0 greylisted, try later"
    at = NOW
    for tries, wait in enumerate(BACK_OFF, start=1):
        assert send(home, at).outcomes == {"deferred": 1}
        message = outbox(home)["ann@c1.example"]
        assert (message.state, message.tries, message.code) == ("waiting", tries, "451")
        assert message.next_attempt_at == at + wait
        assert not send(home, at + wait - dt.timedelta(seconds=1)).outcomes
        at += wait
    assert send(home, at).outcomes == {"failed": 1}
    assert outbox(home)["ann@c1.example"].state == "failed"
    assert not send(home, at + dt.timedelta(days=30)).outcomes

    inbox.answer = lambda: "250 ok"
    shown = CliRunner().invoke(app, ["retry", "INV-1", "--tenant", "acme"])
    assert shown.exit_code == 0, shown.output
    assert send(home, dt.datetime.now(dt.UTC)).outcomes == {"sent": 1}
    assert len(inbox.contents) == 1


def test_one_refused_recipient_does_not_keep_the_other_waiting(home: Settings, inbox: Inbox) -> None:
    inbox.refuse = {"ann@c1.example": "550 5.1.1 no such user", "bob@c1.example": "450 4.2.1 mailbox busy"}
    assert send(home).outcomes == {"failed": 1, "deferred": 1}
    inbox.refuse = {}
    assert send(home, NOW + dt.timedelta(minutes=5)).outcomes == {"sent": 1}
    assert {address: message.state for address, message in outbox(home).items()} == {
        "ann@c1.example": "failed",
        "bob@c1.example": "sent",
    }
    assert outbox(home)["ann@c1.example"].detail == "5.1.1 no such user"


def test_a_server_out_of_reach_is_tried_once_and_the_rest_waits(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    port = free_port()
    monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
    done = send(home)
    assert done.outcomes == {"deferred": 1} and "cannot be used" in done.problems[-1]
    inbox = Inbox()
    with mail_server(inbox, port):
        assert send(home, NOW + dt.timedelta(minutes=5)).outcomes == {"sent": 2}
    assert len(inbox.contents) == 2


@pytest.mark.parametrize("mood", ["hang_up", "refuse"])
def test_a_server_that_stops_in_the_middle_of_a_message(
    home: Settings, bad_server: Callable[[str], BadServer], mood: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_one_contact(home)
    make_messages_long(home)
    server = bad_server(mood)
    done = send(home)
    message = outbox(home)["ann@c1.example"]
    assert (server.begun, server.whole, message.claim) == (1, [], 0), done.problems
    assert message.state in ("waiting", "failed"), "a message that was never whole is not lost from sight"
    inbox = Inbox()
    with mail_server(inbox, data_size_limit=100_000_000) as port:
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
        CliRunner().invoke(app, ["retry", "INV-1", "--tenant", "acme"])
        assert send(home, dt.datetime.now(dt.UTC)).outcomes == {"sent": 1}
    assert len(inbox.contents) == 1


def test_killed_in_the_middle_of_a_message(
    home: Settings, bad_server: Callable[[str], BadServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_one_contact(home)
    make_messages_long(home)
    server = bad_server("kill")
    process = sender_process(home)
    server.sender_pid = process.pid
    process.communicate(timeout=120)
    assert process.returncode == -9 and server.begun == 1 and not server.whole
    assert outbox(home)["ann@c1.example"].state == "waiting"
    inbox = Inbox()
    with mail_server(inbox, data_size_limit=100_000_000) as port:
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        assert send(home, later).outcomes == {"sent": 1}
        assert not send(home, later + dt.timedelta(hours=1)).outcomes
    assert len(inbox.contents) == 1


def test_killed_between_send_and_record(
    home: Settings, bad_server: Callable[[str], BadServer], tmp_path: Path
) -> None:
    only_one_contact(home)
    server = bad_server("kill_after")
    process = sender_process(home)
    server.sender_pid = process.pid
    process.communicate(timeout=120)
    assert process.returncode == -9 and len(server.whole) == 1

    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=30)
    for hours in range(3):
        assert not send(home, later + dt.timedelta(hours=hours)).outcomes
    assert server.begun == 1, "nobody knows whether it arrived, so nobody sends it again"
    (message,) = outbox(home).values()
    assert message.state == "unknown"
    assert message.message_id.encode() in server.whole[0]
    refused = CliRunner().invoke(app, ["retry", "INV-1", "--tenant", "acme"])
    assert isinstance(refused.exception, MailError) and message.message_id in str(refused.exception)

    # The server's own report settles it.
    report = tmp_path / "report.eml"
    report.write_text(delivery_report(message.delivery_id, "delivered", "2.0.0"))
    assert note_reports(Lake(home.lake_url), [report]) == {"received": 1}
    assert outbox(home)["ann@c1.example"].state == "sent"
    assert note_reports(Lake(home.lake_url), [report]) == {"known": 1}


def test_an_answer_that_never_comes_is_settled_by_a_person(
    home: Settings, bad_server: Callable[[str], BadServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    only_one_contact(home)
    server = bad_server("silent")
    assert send(home).outcomes == {"unknown": 1}
    assert not send(home, NOW + dt.timedelta(days=1)).outcomes and server.begun == 1
    settled = CliRunner().invoke(app, ["retry", "INV-1", "--tenant", "acme", "--not-received"])
    assert settled.exit_code == 0, settled.output
    inbox = Inbox()
    with mail_server(inbox) as port:
        monkeypatch.setenv("RATEHOUSE_SMTP_PORT", str(port))
        assert send(home, dt.datetime.now(dt.UTC)).outcomes == {"sent": 1}
    assert outbox(home)["ann@c1.example"].claim == 2


def test_runs_at_the_same_time_deliver_once(home: Settings, inbox: Inbox) -> None:
    slow = 0.3

    def answer() -> str:
        time.sleep(slow)
        return "250 ok"

    inbox.answer = answer
    processes = [sender_process(home) for _ in range(3)]
    for process in processes:
        process.communicate(timeout=120)
    assert sorted(address for (address,) in inbox.recipients) == ["ann@c1.example", "bob@c1.example"]
    assert {message.state for message in outbox(home).values()} == {"sent"}


def test_a_claim_is_given_once(home: Settings, inbox: Inbox) -> None:
    inbox.answer = lambda: "451 later"
    send(home)
    message = outbox(home)["ann@c1.example"]
    lake = Lake(home.lake_url)
    assert [claim(lake, message, at=NOW) for _ in range(3)] == [True, False, False]
    inbox.answer = lambda: "250 ok"
    assert send(home, NOW + dt.timedelta(days=1)).outcomes == {"sent": 1}, "the other one, not this"


def test_a_bounce_is_noted_and_a_corrected_address_can_be_tried(
    home: Settings, inbox: Inbox, tmp_path: Path
) -> None:
    send(home)
    message = outbox(home)["ann@c1.example"]
    box = mailbox.Maildir(tmp_path / "bounces")
    box.add(
        delivery_report(message.delivery_id, "failed", "5.1.1", "smtp; 550 no such user", by_message_id=True)
    )
    box.add("Subject: out of office\n\nback on Monday")
    counts = note_reports(Lake(home.lake_url), [tmp_path / "bounces"])
    assert counts == {"bounced": 1, "foreign": 1}
    bounced = outbox(home)["ann@c1.example"]
    assert (bounced.state, bounced.code, bounced.detail) == ("bounced", "5.1.1", "550 no such user")
    assert note_reports(Lake(home.lake_url), [tmp_path / "bounces"]) == {"known": 1, "foreign": 1}
    shown = CliRunner().invoke(app, ["status"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0 and "ann@c1.example" in shown.output and "bob@" not in shown.output
    assert CliRunner().invoke(app, ["retry", "INV-1", "-t", "acme", "--to", "ann@c1.example"]).exit_code == 0
    assert send(home, dt.datetime.now(dt.UTC)).outcomes == {"sent": 1}
    assert inbox.recipients[-1] == ["ann@c1.example"]


def delivery_report(
    key: str, action: str, status: str, diagnostic: str = "smtp; 250 ok", *, by_message_id: bool = False
) -> str:
    envelope = "" if by_message_id else f"Original-Envelope-Id: {key}\n"
    return (
        "From: MAILER-DAEMON@mx.example\nTo: billing@acme.example\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\n\n'
        "--b\nContent-Type: text/plain\n\nAbout your message.\n"
        f"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n{envelope}\n"
        f"Final-Recipient: rfc822; ann@c1.example\nAction: {action}\nStatus: {status}\n"
        f"Diagnostic-Code: {diagnostic}\n"
        f"--b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{key}@acme.example>\n--b--\n"
    )


def test_what_a_customer_typed_cannot_add_a_header_or_markup(home: Settings, inbox: Inbox) -> None:
    import duckdb

    evil = 'Ann\r\nBcc: all@c1.example\r\n\r\n<script>alert(1)</script>"'
    with duckdb.connect(str(home.serving_path)) as connection:
        connection.execute(
            "update marts.customers set billing_contacts = to_json([{name: ?, email: 'ann@c1.example'}])",
            [evil],
        )
        connection.execute("update marts.invoices set bill_to_name = '<b>Evil</b> & Co'")
    assert send(home).outcomes == {"sent": 1}
    (mail,) = inbox.mails
    assert "Bcc" not in mail and inbox.recipients == [["ann@c1.example"]]
    html = mail.get_body(("html",)).get_content()  # type: ignore[attr-defined]
    assert "<script>" not in html and "&lt;b&gt;Evil&lt;/b&gt; &amp; Co" in html
    assert "<b>Evil</b> & Co" in mail.get_body(("plain",)).get_content()  # type: ignore[attr-defined]


def test_templates_and_words_of_a_tenant(home: Settings, inbox: Inbox) -> None:
    folder = home.tenants_dir / "acme" / "mail"
    folder.mkdir()
    (folder / "translations.yaml").write_text('en: {subject: "Your bill {number}"}\n')
    (folder / "message.txt.j2").write_text(
        '{% extends "ratehouse/message.txt.j2" %}{% block closing %}Cheers, {{ view.seller }}{% endblock %}'
    )
    send(home)
    assert inbox.mails[0]["Subject"] == "Your bill INV-1"
    assert "Cheers, Acme Inc." in inbox.mails[0].get_body(("plain",)).get_content()  # type: ignore[attr-defined]


def test_nobody_to_write_to_is_said_each_time(home: Settings, inbox: Inbox) -> None:
    import duckdb

    with duckdb.connect(str(home.serving_path)) as connection:
        connection.execute(
            "update marts.customers set billing_contacts = '[\"not an address\"]', emails = null"
        )
    assert send(home).problems == ["acme INV-1: its customer has no e-mail address"]
    with duckdb.connect(str(home.serving_path)) as connection:
        connection.execute("update marts.customers set emails = '[\"new@c1.example\"]'")
    assert send(home).outcomes == {"sent": 1}


def test_recipients() -> None:
    def found(contacts: str | None, emails: str | None = None) -> list[str]:
        return [recipient.address for recipient in recipients(contacts, emails)]

    assert found('["a@x.example", {"email": "A@x.example"}, {"name": "no address"}, 7]') == ["a@x.example"]
    assert found(None, '["b@x.example"]') == found("[]", '["b@x.example"]') == ["b@x.example"]
    assert found('["a@bücher.example"]') == ["a@xn--bcher-kva.example"]
    assert (
        found('["a@x.example\\nRCPT TO:<b@x.example>", "a b@x.example", "@x", "a@", "a@b@c.example"]') == []
    )
    assert found(None, None) == []


def test_settings_come_from_the_environment() -> None:
    environ = {
        "RATEHOUSE_SMTP_HOST": "mx.example",
        "RATEHOUSE_SMTP_PASSWORD": "secret",
        "RATEHOUSE_SMTP_ACME_HOST": "mx.acme.example",
        "RATEHOUSE_SMTP_ACME_SECURITY": "tls",
    }
    assert SmtpSettings.load("kumo", environ=environ).port == 587
    own = SmtpSettings.load("acme", environ=environ)
    assert (own.host, own.port, own.password) == ("mx.acme.example", 465, None)
    assert "secret" not in repr(SmtpSettings.load(environ=environ))
    for wrong, word in (
        ({}, "RATEHOUSE_SMTP_HOST"),
        ({"RATEHOUSE_SMTP_HOST": "x", "RATEHOUSE_SMTP_SECURITY": "ssl"}, "SECURITY"),
        ({"RATEHOUSE_SMTP_HOST": "x", "RATEHOUSE_SMTP_PORT": "smtp"}, "PORT"),
        (
            {"RATEHOUSE_SMTP_HOST": "x", "RATEHOUSE_SMTP_SECURITY": "none", "RATEHOUSE_SMTP_USER": "u"},
            "clear",
        ),
    ):
        with pytest.raises(MailError, match=word):
            SmtpSettings.load(environ=wrong)


def test_the_night_sends_what_it_issued_once_and_says_what_is_amiss(
    home: Settings, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    def night(**chosen: object) -> ExecuteInProcessResult:
        resources = {"settings": home, "night": BillingNight(**chosen)}
        return materialize([mail], resources=resources, raise_on_error=False)

    first = night()
    (event,) = first.get_asset_materialization_events()
    assert event.asset_key == MAIL
    told = {name: value.value for name, value in event.materialization.metadata.items()}
    assert {name: told[name] for name in ("queued", "problems", "sent")} == {
        "queued": 2,
        "problems": 0,
        "sent": 2,
    }
    again = night()
    (event,) = again.get_asset_materialization_events()
    assert event.materialization.metadata["queued"].value == 0
    assert len(inbox.mails) == 2
    # Messages are due, but there is no server: a person has to look, and starting over would not help.
    wanted = outbox(home)["ann@c1.example"]
    retry(Lake(home.lake_url), wanted, actor="ann", at=dt.datetime.now(dt.UTC))
    monkeypatch.delenv("RATEHOUSE_SMTP_HOST")
    assert night(tenants=["elsewhere"]).success
    failed = night()
    assert not failed.success
    (failure,) = [event for event in failed.all_events if event.is_step_failure]
    assert "nothing was sent" in str(failure.event_specific_data)
    assert len(inbox.mails) == 2
