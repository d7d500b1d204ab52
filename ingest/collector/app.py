"""The HTTP application: usage events into the spool, processors' notices into the lake, and whether both are well.

    POST /v1/usage/{tenant}            Authorization: Bearer …; NDJSON, a JSON array or one object, or CloudEvents
    POST /webhooks/stripe/{tenant}     as Stripe sends it
    POST /webhooks/braintree/{tenant}  as Braintree sends it; GET answers its challenge
    GET  /health

An answer of 200 means that what was sent is on disk. Secrets are read from the environment at every request, so that they can be
rolled without a restart, and are in no answer and no log.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import os
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from ingest.braintree import account as braintree_account
from ingest.braintree import webhooks as braintree
from ingest.collector.events import BodyRefused, rows_of
from ingest.collector.spool import Spool, SpoolFull
from ingest.stripe import webhooks as stripe
from ingest.stripe.landing import Landing
from ratehouse.canonical_json import BadJson, canonical
from ratehouse.lake import Lake, LakeNotWritable
from ratehouse.secrets import variable
from ratehouse.settings import Settings

USAGE_BYTES = 8 * 1024 * 1024
NOTICE_BYTES = 1024 * 1024
# A sender that does not get its body across in this time is let go.
BODY_SECONDS = 30.0
# Landing that fails for longer than this is somebody's to look at.
_UNWELL_AFTER = 300
_RETRY_AFTER = {"Retry-After": "30"}
_TENANT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,99}")
_MEDIA_TYPES = frozenset(
    {
        "application/json", "application/x-ndjson", "application/ndjson",
        "application/cloudevents+json", "application/cloudevents-batch+json",
    }
)  # fmt: skip

logger = logging.getLogger("ratehouse.collector")
Handler = Callable[[Request], Awaitable[Response]]


def application(settings: Settings, spool: Spool) -> Starlette:
    """The application; it begins to accept with its lifespan, and ends with what it accepted landed or on disk.

    Args:
        settings: where lake and tenants are.
        spool: takes the events; not begun yet.
    """
    door = _Door(settings, spool)

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        await run_in_threadpool(spool.__enter__)
        try:
            yield
        finally:
            await run_in_threadpool(spool.__exit__, None, None, None)

    def post(path: str, handler: Handler, limit: int) -> Route:
        return Route(path, _in_words(handler), methods=["POST"], max_body_size=limit)

    return Starlette(
        routes=[
            post("/v1/usage/{tenant}", door.usage, USAGE_BYTES),
            post("/webhooks/stripe/{tenant}", door.stripe, NOTICE_BYTES),
            post("/webhooks/braintree/{tenant}", door.braintree, NOTICE_BYTES),
            Route("/webhooks/braintree/{tenant}", _in_words(door.braintree_challenge), methods=["GET"]),
            Route("/health", door.health, methods=["GET"]),
        ],
        lifespan=lifespan,
    )


class _Door:
    def __init__(self, settings: Settings, spool: Spool) -> None:
        self._lake = Lake(settings.lake_url)
        self._tenants = settings.tenants_dir
        self._spool = spool

    async def usage(self, request: Request) -> Response:
        """Take events of usage; the answer says of each what became of it."""
        tenant = self._tenant(request)
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        if not _is_one_of(token, _secrets(variable("collector", tenant, "TOKEN"))):
            raise HTTPException(401, "The token is not this tenant's.", {"WWW-Authenticate": "Bearer"})
        media_type = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
        if media_type not in _MEDIA_TYPES:
            raise HTTPException(415, f"Send one of {', '.join(sorted(_MEDIA_TYPES))}.")
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise HTTPException(415, "Send the body as it is, not compressed.")
        body = await _body(request)
        try:
            rows = (
                await run_in_threadpool(rows_of, body, media_type)
                if len(body) > 65536
                else rows_of(body, media_type)
            )
        except BodyRefused as error:
            raise HTTPException(400, error.message) from error
        try:
            verdicts = await asyncio.wrap_future(self._spool.accept(tenant, rows))
        except SpoolFull as error:
            logger.error("usage of %s was not taken: %s", tenant, error)
            raise HTTPException(503, "Not taken; send it again later.", _RETRY_AFTER) from error
        rejected = sum(verdict.reason_code is not None for verdict in verdicts)
        answers: list[dict[str, Any]] = []
        for row, verdict in zip(rows, verdicts, strict=True):
            answer: dict[str, Any] = {"event_id": _shown(row.get("event_id")), "status": "accepted"}
            if verdict.reason_code is not None:
                answer |= {"status": "rejected", "reason_code": verdict.reason_code, "reason": verdict.reason}
            answers.append(answer)
        text = canonical({"accepted": len(rows) - rejected, "rejected": rejected, "events": answers})
        return Response(text, media_type="application/json")

    async def stripe(self, request: Request) -> Response:
        """Take a notice of Stripe's."""
        tenant = self._tenant(request)
        secrets = _configured("Stripe", tenant, variable("stripe", tenant, "WEBHOOK_SECRET"))
        body = await _body(request)
        try:
            landing = await run_in_threadpool(
                stripe.receive,
                self._lake,
                body,
                request.headers.get("Stripe-Signature"),
                tenant_id=tenant,
                secrets=secrets,
                account=os.environ.get(variable("stripe", tenant, "ACCOUNT")),
            )
        except stripe.NoticeRefused as error:
            raise _refused("Stripe", tenant, error.message) from error
        return _landed("Stripe", tenant, landing)

    async def braintree(self, request: Request) -> Response:
        """Take a notice of Braintree's."""
        tenant = self._tenant(request)
        gateway = _braintree_gateway(tenant)
        await _body(request)
        async with request.form() as form:
            fields = {name: str(form.get(name) or "") for name in ("bt_signature", "bt_payload")}
        try:
            landing = await run_in_threadpool(
                braintree.receive,
                self._lake,
                fields["bt_signature"],
                fields["bt_payload"],
                gateway,
                tenant_id=tenant,
            )
        except braintree.NoticeRefused as error:
            raise _refused("Braintree", tenant, error.message) from error
        return _landed("Braintree", tenant, landing)

    async def braintree_challenge(self, request: Request) -> Response:
        """Tell Braintree that this endpoint is the account's."""
        tenant = self._tenant(request)
        gateway = _braintree_gateway(tenant)
        try:
            return PlainTextResponse(
                braintree.answer_challenge(gateway, request.query_params.get("bt_challenge", ""))
            )
        except braintree.NoticeRefused as error:
            raise _refused("Braintree", tenant, error.message) from error

    async def health(self, request: Request) -> Response:
        """200 while events are taken and landed; 503, and why, where somebody has to look."""
        state = await run_in_threadpool(self._spool.state)
        well = state["landing_fails_for_seconds"] < _UNWELL_AFTER and not state["damaged_segments"]
        return JSONResponse({"status": "ok" if well else "failing", **state}, 200 if well else 503)

    def _tenant(self, request: Request) -> str:
        tenant = str(request.path_params["tenant"])
        if not _TENANT.fullmatch(tenant) or not (self._tenants / tenant / "tenant.yaml").is_file():
            raise HTTPException(404, "There is no such tenant.")
        return tenant


def _shown(event_id: Any) -> Any:
    """The identity as it was sent, or what can be said of one that is no text at all."""
    try:
        canonical(event_id)
    except BadJson:
        return ascii(event_id)
    return event_id


async def _body(request: Request) -> bytes:
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await request.body()
    except TimeoutError as error:
        raise HTTPException(408, "The body did not arrive in time.", {"Connection": "close"}) from error
    except ClientDisconnect as error:
        raise HTTPException(400, "The body did not arrive.") from error


def _in_words(handler: Handler) -> Handler:
    """The handler, its refusals as JSON, and a store that takes nothing as "later", which processors understand."""

    async def answer(request: Request) -> Response:
        try:
            return await handler(request)
        except LakeNotWritable as error:
            logger.error("%s was not taken: %s", request.url.path, error)
            return JSONResponse({"error": "Not taken; send it again later."}, 503, headers=_RETRY_AFTER)
        except HTTPException as error:
            return JSONResponse({"error": error.detail}, error.status_code, headers=error.headers)

    return answer


def _secrets(name: str) -> list[str]:
    """The secrets of a variable, several with commas while they are rolled."""
    return [secret for part in os.environ.get(name, "").split(",") if (secret := part.strip())]


def _is_one_of(given: str, secrets: list[str]) -> bool:
    # All are compared, so that the time it takes says nothing.
    return sum([hmac.compare_digest(given.encode(), secret.encode()) for secret in secrets]) > 0


def _configured(processor: str, tenant: str, name: str) -> list[str]:
    secrets = _secrets(name)
    if not secrets:
        # Processors repeat for days what is not taken, so nothing is lost while somebody sets it.
        logger.error("a notice of %s for %s cannot be checked: %s is not set", processor, tenant, name)
        raise HTTPException(503, "This endpoint is not set up yet.", _RETRY_AFTER)
    return secrets


def _braintree_gateway(tenant: str) -> Any:
    try:
        return braintree_account.gateway(tenant)
    except braintree_account.AccountUnknown as error:
        logger.error("a notice of Braintree for %s cannot be checked: %s", tenant, error)
        raise HTTPException(503, "This endpoint is not set up yet.", _RETRY_AFTER) from error


def _refused(processor: str, tenant: str, message: str) -> HTTPException:
    logger.warning("a notice of %s for %s was refused: %s", processor, tenant, message)
    return HTTPException(400, message)


def _landed(processor: str, tenant: str, landing: Landing) -> Response:
    if landing.quarantined:
        logger.warning(
            "a notice of %s for %s was quarantined: %s", processor, tenant, dict(landing.quarantined)
        )
    return JSONResponse(
        {"landed": landing.landed, "known": landing.known, "quarantined": sum(landing.quarantined.values())}
    )
