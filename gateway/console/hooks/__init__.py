"""Hooks: alerts of TradingView that come in and become orders of a token."""

from __future__ import annotations

from .routes import hook_routes
from .service import AlertInfo, HookInfo, Hooks
from .template import HookTemplate

__all__ = ["AlertInfo", "HookInfo", "HookTemplate", "Hooks", "hook_routes"]
