"""The server: the application on uvicorn, one process, until it is told to stop."""

from __future__ import annotations

import logging

import uvicorn

from ingest.collector.app import application
from ingest.collector.spool import Spool
from ratehouse.lake import Lake
from ratehouse.settings import Settings

# Connections beyond this are answered with 503 at once instead of waiting for a turn.
CONNECTIONS = 1000
# How long requests that have begun may take after a stop was asked for.
STOP_SECONDS = 30


def serve(settings: Settings, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT; then finish what has begun, land what was accepted, and return.

    Args:
        settings: where lake, tenants and spool are.
        host: the address to listen at.
        port: and the port.

    Raises:
        SpoolBusy: another collector has the spool.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    spool = Spool(settings.spool_dir, Lake(settings.lake_url))
    uvicorn.run(
        application(settings, spool),
        host=host,
        port=port,
        workers=1,
        access_log=False,
        log_config=None,
        server_header=False,
        # Who is before it decides what a forwarded address is worth; nothing here depends on one.
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
