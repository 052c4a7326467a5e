"""The attack on an API: Schemathesis calls every operation that its OpenAPI document describes."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

CHECKS = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.unsupported_method,
    checks.negative_data_rejection,
)


@dataclass(frozen=True, kw_only=True)
class Attack:
    """One API, and what is special about it."""

    document: Mapping[str, Any]
    """The first of its servers is attacked. Without ``security``, since all calls carry the
    ``headers``, which are never wrong."""
    headers: Mapping[str, str]
    left_out: Collection[str]
    """Ids of operations that are not called."""
    real: Mapping[str, Any]
    """Path parameters by name: ids of what there is, which Schemathesis would hardly guess.
    Calls that should be right have them."""
    guesses: bool = False
    """Whether each of those calls is made with guessed ids before."""
    spoilt: Sequence[str] = ("body", "query")
    """Parts of a call that can be wrong: an operation with none of them is not called wrongly."""
    more_checks: Sequence[Callable[..., Any]] = ()
    before: Callable[[], None] = lambda: None
    """Done before each operation is attacked."""
    found: Counter[int] = field(default_factory=Counter, init=False)
    """How often each status came."""

    async def run(self, *, right: int, wrong: int) -> Counter[int]:
        """Call each operation: so often as it is described, then so often otherwise.

        Returns:
            How often each status came.

        """
        for mode, examples in ((GenerationMode.POSITIVE, right), (GenerationMode.NEGATIVE, wrong)):
            await asyncio.to_thread(self._attack_all, mode, examples)
        return self.found

    def _attack_all(self, mode: GenerationMode, examples: int) -> None:
        schema = schemathesis.openapi.from_dict(dict(self.document))
        schema.config.update(base_url=self.document["servers"][0]["url"])
        for result in schema.exclude(operation_id=list(self.left_out)).get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if mode is GenerationMode.NEGATIVE and not any(
                getattr(operation, part) for part in self.spoilt
            ):
                continue  # there is nothing that could be wrong
            self.before()
            self._attack(operation, mode, examples)

    def _attack(self, operation: Any, mode: GenerationMode, examples: int) -> None:
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            derandomize=True,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode))
        def call(case: Any) -> None:
            is_right = mode is GenerationMode.POSITIVE
            known = case.path_parameters.keys() & self.real.keys() if is_right else set()
            if self.guesses or not known:
                self._send(case)
            if known:
                case.path_parameters |= {name: self.real[name] for name in known}
                self._send(case)

        call()

    def _send(self, case: Any) -> None:
        response = case.call(headers=dict(self.headers))
        self.found[response.status_code] += 1
        case.validate_response(response, checks=[*CHECKS, *self.more_checks])
        assert response.status_code != 500, response.text
