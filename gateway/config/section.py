"""What all sections of the configuration have in common."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """Base of the sections: unknown names are refused, so that a typing error is seen."""

    says_defaults: ClassVar[bool] = True
    """Whether the example may say the defaults: not where what a file says counts more than what
    a home has noted, though it is the same as the default."""
    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        hide_input_in_errors=True,
        allow_inf_nan=False,
    )
