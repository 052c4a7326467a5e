"""Models of bodies, answers and errors that all REST APIs have.

Bodies are strict: an unknown member is refused.
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class RequestModel(BaseModel):
    """Base of bodies."""

    model_config = ConfigDict(
        strict=True,
        frozen=True,
        extra="forbid",
        hide_input_in_errors=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
    )


class ResponseModel(BaseModel):
    """Base of answers."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", from_attributes=True, use_attribute_docstrings=True
    )


class Detail(ResponseModel):
    """Error of a call: what is wrong, and what to do about it."""

    detail: str


class Fault(ResponseModel):
    """One thing that is wrong with a request."""

    loc: list[str | int]
    """Where: ``body``, ``query``, ``path`` or ``header``, then names and numbers on the way."""
    msg: str
    type: str


class Faults(ResponseModel):
    """All that is wrong with a request."""

    detail: list[Fault]
