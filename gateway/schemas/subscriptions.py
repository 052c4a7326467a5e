"""Answers of ``subscribe``, ``unsubscribe`` and ``get_subscriptions``."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from .enums import shape

Delivery = Literal["latest", "lossless", "mixed"]


@shape
class Subscribed(TypedDict):
    """A channel whose events come from now on, the first of them a ``snapshot`` where it has
    one."""

    channel: str
    """Its canonical name, which events carry."""
    terminal: str
    delivery: Delivery
    """``latest``: events may be merged into newer ones while you are slow; ``lossless``: never;
    ``mixed``: closed bars never, the forming one may."""
    epoch: str
    """Numbers of different epochs can't be compared."""
    seq: int
    """Of the last event before the first that you get."""
    recovered: bool | None
    """With ``since``: whether what came after it is told in full; null without."""
    reason: Literal["epoch_changed", "evicted", "ahead"] | None
    """Why it was not recovered: then a snapshot follows."""
    replayed: int
    """Events told again because of ``since``."""
    already: bool
    """It was subscribed to before."""
    live: bool
    """False while the terminal is offline: the channel begins, with its snapshot, when it comes
    back; the channel ``terminal`` tells when."""


@shape
class NotSubscribed(TypedDict):
    """A channel that could not be subscribed to."""

    channel: str
    """As it was asked for."""
    code: int
    name: str
    """The stable name of the error with that code."""
    message: str
    did_you_mean: list[str]


@shape
class SubscribeResult(TypedDict):
    """Result for each channel."""

    subscribed: list[Subscribed]
    failed: list[NotSubscribed]


@shape
class UnsubscribeResult(TypedDict):
    """No more events come of these channels."""

    unsubscribed: list[str]
    not_subscribed: list[str]
    """Understood, but there was nothing to end."""
    failed: list[NotSubscribed]
    """Not understood."""


@shape
class Subscription(TypedDict):
    """A channel that is subscribed to."""

    channel: str
    terminal: str
    delivery: Delivery
    epoch: str
    seq: int
    """Of its last event."""
    live: bool
    owner: Literal["connection", "token"]
    """``token``: made over ``/rpc``, heard by every ``/ws`` of the token that authenticated by
    header."""
    queued: int
    """Events that wait because a connection is slow."""
    conflated_total: int
    """Events that were merged into newer ones for that reason."""


@shape
class Subscriptions(TypedDict):
    """Subscriptions of the connection; over ``/rpc`` those of the token."""

    subscriptions: list[Subscription]
