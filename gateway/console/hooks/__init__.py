"""Hooks: alerts of TradingView that come in and become orders of a token."""

from __future__ import annotations

from .service import AlertInfo, HookInfo, Hooks, hook_routes
from .template import HookTemplate

__all__ = ["AlertInfo", "HookInfo", "HookTemplate", "Hooks", "hook_routes"]
