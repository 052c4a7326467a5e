"""The routes for daemons: ``/v1/daemon/...`` and ``/v1/keys``.

Bodies and answers are those of :mod:`gateway.credentials.daemon_api`; every call but ``/v1/keys``
is signed by the device's key (:mod:`gateway.credentials.device`).
"""

from __future__ import annotations

from .routes import daemon_routes

__all__ = ["daemon_routes"]
