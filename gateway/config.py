"""``config.toml`` as models, one per ``[section]``."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """Base of the sections: unknown names are refused, so that a typing error is seen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Limits(Section):
    """Bounds of everything that grows. All are told to clients by ``hello``."""

    max_message_bytes: int = Field(1_048_576, ge=4096)
    """A request body or WebSocket message."""
    max_response_bytes: int = Field(8_388_608, ge=65_536)
    """An answer; larger results are paged."""
    max_batch: int = Field(100, ge=1, le=1000)
    """Calls in one batch."""
    max_in_flight: int = Field(64, ge=1)
    """Calls being answered on one connection; then it is not read until one is done."""
    max_connections: int = Field(256, ge=1)
    """HTTP and WebSocket connections in all."""
    max_unauthenticated: int = Field(64, ge=1)
    """Connections that have not shown a valid token yet."""
    max_websockets: int = Field(32, ge=1)
    """WebSocket connections of one token."""
    max_channels: int = Field(1024, ge=1)
    """Subscribed channels of one connection."""
    queue_bytes: int = Field(1_048_576, ge=65_536)
    """Events waiting for one slow connection."""
    queue_messages: int = Field(4096, ge=16)
    """The same, counted."""
    max_terminals: int = Field(64, ge=1)
    """EA links."""
