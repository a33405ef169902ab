"""Asking a worker how far it is, over TLS."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp
import pytest

from cdi.controllers.progress import fetch_metrics
from support import authority, httpd

METRICS = b'kubevirt_cdi_import_progress_total{ownerUID="u"} 7'


def test_metrics_are_read(tmp_path: Path) -> None:
    tls = authority.Authority(tmp_path).server_context("127.0.0.1")
    with httpd.Server(tls) as server:
        url = server.put("/metrics", httpd.Blob(METRICS))
        assert asyncio.run(fetch_metrics(url)).encode() == METRICS


def test_a_worker_sends_nobody_elsewhere(tmp_path: Path) -> None:
    tls = authority.Authority(tmp_path).server_context("127.0.0.1")
    with httpd.Server() as other, httpd.Server(tls) as server:
        elsewhere = other.put("/metrics", httpd.Blob(METRICS))
        url = server.put("/metrics", httpd.redirect(elsewhere))
        with pytest.raises(aiohttp.ClientError, match="status 302"):
            asyncio.run(fetch_metrics(url))
        assert other.requests == []
