"""Catalogue of all that a caller can ask of the gateway.

A method is written once, as a typed coroutine in :mod:`gateway.rpc.methods`: its name is its
address, its schema is its signature, its documentation its docstring, its errors its ``raises``.
The JSON-RPC front, OpenRPC, the client's typed methods and the command line all derive from the
:class:`Catalogue`. A handler cannot forget authorization: :meth:`Method.answer` does it first.
"""

from __future__ import annotations

import inspect
import typing
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from types import ModuleType
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model
from typing_extensions import is_typeddict

from gateway.auth.caller import Caller, Scope
from gateway.credentials.lease import Tier
from gateway.errors import (
    Forbidden,
    GatewayError,
    InvalidParams,
    MethodNotFound,
    TerminalNotFound,
    did_you_mean,
)
from gateway.trading.contingent.service import recall_held_order
from gateway.trading.journal import CallKey, canonical
from gateway.trading.requests import new_client_order_id, with_outcome

if TYPE_CHECKING:
    from gateway.auth.tickets import Tickets
    from gateway.runtime import RuntimeInfo
    from gateway.streams import Listener, Streams
    from gateway.trading.kill_switch.service import Safeguards
    from gateway.trading.state import TradingState
    from gateway.trading.terminal import GuardedTerminal

Handler = Callable[..., Coroutine[Any, Any, Any]]
Transport = Literal["http", "ws"]

BOTH: tuple[Transport, ...] = ("http", "ws")
MAX_FIELD_NAME = 64
"""Characters of a name that an error repeats."""
_FROZEN = (type(None), bool, int, float, str, tuple)
MAX_FAULTS = 100
"""Faults of params that an error lists; a caller with more has sent something else altogether."""

TerminalName = Annotated[
    str | None,
    Field(description="Name of the terminal; may be left out, since a token is for one terminal."),
]


@dataclass(slots=True, kw_only=True, eq=False)
class Call:
    """One call in progress: who asks, and what the handler may use to answer.

    Handlers change nothing of it. It is not frozen because one is made for each call, and a frozen
    one takes nearly three times as long to make.
    """

    caller: Caller
    transport: Transport
    terminal: GuardedTerminal
    """The caller's terminal; the only way to the market. It may be offline."""
    state: TradingState
    """Shared by all callers of that terminal."""
    safeguards: Safeguards
    """The kill switch, and the timers for lost programs."""
    streams: Streams
    listener: Listener | None
    """The WebSocket connection that the call came in on."""
    daemon: RuntimeInfo
    """What the gateway knows of itself: version, limits, clock."""
    tickets: Tickets
    """What lets a web page open a WebSocket."""
    origin: str | None = None
    """Of the web page that the call came from; ``None`` for a program."""
    may_read: bool = False
    """Whoever took the message in has seen, in this very turn of the loop, that the caller may
    read: until something is waited for, that need not be looked at again."""
    after_answer: list[Callable[[], None]] = field(default_factory=list)
    """Run by the door right after the answer is queued, with no ``await`` between: the first
    event of a subscription follows the answer that announces it."""


class Params(BaseModel):
    """Base of the models made from the handlers' signatures."""

    model_config = ConfigDict(
        extra="forbid", allow_inf_nan=False, hide_input_in_errors=True, strict=True, frozen=True
    )


class ParamGroup(Params):
    """Base of params that several methods have in common.

    A handler takes the group as one argument; a caller gives its params beside the others.
    """


@dataclass(frozen=True, eq=False)
class Method:
    """A handler and everything that can be said about it."""

    handler: Handler
    scope: Scope | None
    """What the caller must hold; ``None`` for what anybody with a valid token may ask."""
    raises: tuple[type[GatewayError], ...]
    """The errors to expect beyond those of every method."""
    params: type[Params]
    result: Any
    mutates: bool
    """It can change the account: never run as a notification, never out of order in a batch."""
    reduces: bool
    """It mutates, and can be used so that nothing is at risk that was not before: its handler is
    called while the console is silent, and sees to the rest."""
    transports: tuple[Transport, ...]
    of_terminal: bool
    """It is about one terminal, and takes ``terminal`` beside its own params."""
    keyed: bool = True
    """A ``client_order_id`` among its params is that of its own call, not of another one."""
    groups: Mapping[str, type[ParamGroup]] = field(default_factory=dict)
    """Arguments of the handler that stand for several params each."""
    group: str = ""
    """Heading of the reference that it stands under."""

    @cached_property
    def name(self) -> str:
        return self.handler.__name__

    @cached_property
    def tier(self) -> Tier:
        """What its callers must be allowed at least."""
        if self.mutates:
            return Tier.REDUCE if self.reduces else Tier.FULL
        return Tier.READ

    @property
    def summary(self) -> str:
        """The first sentence of the documentation."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[0]

    @property
    def description(self) -> str:
        """The rest of the documentation."""
        return (inspect.getdoc(self.handler) or "").partition("\n")[2].strip()

    def answer(
        self, call: Call, params: Mapping[str, Any] | list[Any]
    ) -> Coroutine[Any, Any, Any]:
        """Authorize, validate, handle: the whole life of a call, in this order.

        Args:
            params: by name; a list gives them in the order of the signature.

        Returns:
            The handler's answer, to be awaited at once: what was found out about the caller's
            rights holds in this turn of the loop.

        Raises:
            Forbidden: the caller's token lacks the scope, or may do less for now.
            Unauthorized: it may do nothing any more.
            InvalidParams: ``data.errors`` lists each field and what is wrong with it.
            TerminalNotFound: ``terminal`` names another terminal than the token's.
            ClientOrderIdConflict: the id was used for something else.

        """
        try:
            arguments, model = self._admit(call, params)
        except GatewayError as error:
            # nothing of an order can have been written yet; later the terminal has to tell
            if self.mutates:
                error.data["outcome"] = "not_sent"
            raise
        # only a call that was let in proves that the token's program lives
        call.safeguards.heard(call.terminal.name, call.caller.tid, call.listener)
        # a trial run uses up no client_order_id
        if self.is_journaled and not arguments.get("validate_only"):
            return self._once(call, arguments, model)
        return self._handle(call, arguments, model)

    @cached_property
    def lists(self) -> tuple[str, ...]:
        """The members of its result that are lists, and may be long."""
        members = typing.get_type_hints(self.result) if is_typeddict(self.result) else {}
        return tuple(name for name, hint in members.items() if typing.get_origin(hint) is list)

    @cached_property
    def is_journaled(self) -> bool:
        """Its calls are kept by their ``client_order_id``, and each is carried out once."""
        return self.mutates and self.keyed and "client_order_id" in self.params.model_fields

    async def _once(self, call: Call, arguments: dict[str, Any], model: Params | None) -> Any:
        """Carry a call out unless its id was used before; see :mod:`gateway.trading.journal`."""
        terminal = call.terminal
        given = arguments["client_order_id"]
        client_order_id = given or new_client_order_id(call.daemon.now_ms())
        arguments["client_order_id"] = client_order_id
        account = terminal.account
        # ids are an account's own: without one there is nothing to look them up in
        if account is None:
            raise with_outcome(terminal.offline(), client_order_id, "not_sent")
        # the same request in other words (1 or "1.0") must be found to be the same
        said = canonical(self.params, arguments)
        asked = CallKey(
            account,
            client_order_id,
            self.name,
            said,
            call.caller.tid,
            is_new=given is None,
            reduces=self.reduces,
        )
        await recall_held_order(terminal, call.state, asked)
        return await terminal.journal.once(asked, lambda: self._handle(call, arguments, model))

    def _handle(
        self, call: Call, arguments: dict[str, Any], model: Params | None
    ) -> Coroutine[Any, Any, Any]:
        """Call the handler; the params of a group are given as the model that they are part of."""
        if not self.groups:
            return self.handler(call, **arguments)
        own = {name: arguments[name] for name in self._own_names}
        return self.handler(call, **dict.fromkeys(self.groups, model), **own)

    @cached_property
    def _own_names(self) -> list[str]:
        """The params that stand in no group."""
        grouped = {name for group in self.groups.values() for name in group.model_fields}
        return [name for name in self.params.model_fields if name not in {*grouped, "terminal"}]

    def _admit(
        self, call: Call, params: Mapping[str, Any] | list[Any]
    ) -> tuple[dict[str, Any], Params | None]:
        """Return the arguments by name, and the model that they were checked by, which nobody
        needs where there are no groups.
        """
        if self.scope is not None and self.scope not in call.caller.scopes:
            raise Forbidden(
                f"{self.name} needs a token with the scope {self.scope}", scope=self.scope.value
            )
        if self.scope is not None and not (call.may_read and self.tier is Tier.READ):
            call.terminal.require(self.tier)
        # rights before params: whoever may not call learns nothing of what they should be
        if not params and self._defaults is not None:
            return self._defaults.copy(), None
        given = self._by_name(params) if isinstance(params, list) else params
        try:
            model = self.params.model_validate(given)
        except ValidationError as exc:
            raise InvalidParams(errors=_field_errors(exc, given, self.param_names)) from None
        # the fields alone: params take nothing else, and its own iterator costs a call each
        arguments = vars(model).copy()
        if self.of_terminal:
            wanted = arguments.pop("terminal")
            if wanted not in (None, call.caller.terminal):
                raise TerminalNotFound(
                    terminal=wanted[:MAX_FIELD_NAME], terminals=[call.caller.terminal]
                )
        return arguments, model

    @cached_property
    def _defaults(self) -> dict[str, Any] | None:
        """Arguments of a call without params; ``None`` where some are required. They are made
        once: each call gets a copy, and none of the values can be changed.
        """
        if self.groups:
            return None
        try:
            arguments = dict(self.params.model_validate({}))
        except ValidationError:
            return None
        if self.of_terminal:
            del arguments["terminal"]
        is_frozen = all(isinstance(value, _FROZEN) for value in arguments.values())
        return arguments if is_frozen else None

    @property
    def param_names(self) -> list[str]:
        """What a caller may give, in the order of the signature."""
        return [field.alias or name for name, field in self.params.model_fields.items()]

    def _by_name(self, params: list[Any]) -> dict[str, Any]:
        # by position, terminal would be the last of each method, and move with each new param
        names = [name for name in self.param_names if name != "terminal"]
        if len(params) > len(names):
            raise InvalidParams(
                f"{self.name} takes at most {len(names)} params",
                errors=[{"field": str(len(names)), "reason": "unexpected"}],
            )
        return dict(zip(names, params, strict=False))


def method(
    *,
    scope: Scope | None,
    raises: tuple[type[GatewayError], ...] = (),
    mutates: bool = False,
    reduces: bool = False,
    transports: tuple[Transport, ...] = BOTH,
    of_terminal: bool = True,
    keyed: bool = True,
    group: str = "",
) -> Callable[[Handler], Method]:
    """Turn a typed coroutine into a :class:`Method`; see its attributes for the arguments.

    Its group is its module, unless that holds several.

    The coroutine takes the :class:`Call`, then its params by keyword; types, defaults and
    ``Field(description=...)`` of their annotations make the schema. A :class:`ParamGroup` among
    them stands for its fields.
    """

    def decorate(handler: Handler) -> Method:
        hints = typing.get_type_hints(handler, include_extras=True)
        fields: dict[str, Any] = {}
        groups: dict[str, type[ParamGroup]] = {}
        for p in inspect.signature(handler).parameters.values():
            hint = hints[p.name]
            if isinstance(hint, type) and issubclass(hint, ParamGroup):
                groups[p.name] = hint
            elif p.kind is p.KEYWORD_ONLY:
                fields[p.name] = (hint, ... if p.default is p.empty else p.default)
        if of_terminal:
            fields["terminal"] = (TerminalName, None)
        title = "".join(word.title() for word in handler.__name__.split("_")) + "Params"
        # the params of a group are inherited: its methods work on the model itself
        params = create_model(title, __base__=tuple(groups.values()) or Params, **fields)
        return Method(
            handler=handler,
            scope=scope,
            raises=raises,
            params=params,
            result=hints["return"],
            mutates=mutates,
            reduces=reduces,
            transports=transports,
            of_terminal=of_terminal,
            keyed=keyed,
            groups=groups,
            group=group or handler.__module__.rpartition(".")[2],
        )

    return decorate


class Catalogue(Mapping[str, Method]):
    """The methods of some modules, in the order in which they are written."""

    def __init__(self, *modules: ModuleType) -> None:
        self._methods = {
            m.name: m for module in modules for m in vars(module).values() if isinstance(m, Method)
        }

    def __getitem__(self, name: str) -> Method:
        try:
            return self._methods[name]
        except KeyError:
            raise MethodNotFound(method=name, **did_you_mean(name, self._methods)) from None

    def __contains__(self, name: object) -> bool:
        return name in self._methods

    def __iter__(self) -> Iterator[str]:
        return iter(self._methods)

    def __len__(self) -> int:
        return len(self._methods)


@cache
def shape_adapter(type_: Any) -> TypeAdapter[Any]:
    """Return what describes a documented shape and checks values against it.

    It is kept: pydantic reads the source of each class to find what its fields say of themselves.
    """
    return TypeAdapter(type_)


def _field_errors(
    exc: ValidationError, given: Mapping[str, Any], known: list[str]
) -> list[dict[str, Any]]:
    # to list them costs more than to find them, and orders of others wait meanwhile
    if exc.error_count() > MAX_FAULTS:
        return [{"field": "", "reason": f"{exc.error_count()} faults, too many to list"}]
    found = exc.errors(include_url=False, include_context=False, include_input=False)
    named = (
        (
            _path(error["loc"], given, error["type"]),
            f"no such param; there are {', '.join(known) or 'none'}"
            if error["type"] == "extra_forbidden" and len(error["loc"]) == 1
            else error["msg"],
        )
        for error in found
    )
    return [{"field": field, "reason": reason} for field, reason in dict.fromkeys(named)]


def _path(loc: tuple[int | str, ...], given: Any, kind: str) -> str:
    """Return where a fault lies in what was given.

    pydantic also names the arms of a union that it tried, in words of Python, and even by the
    addresses of functions: whatever is no key or index of the params is left out.
    """
    path = []
    for part in loc:
        if _holds(given, part):
            given = given[part]
        elif not (isinstance(given, dict) and part == loc[-1] and kind == "missing"):
            continue
        path.append(str(part)[:MAX_FIELD_NAME])
    return ".".join(path)


def _holds(given: Any, part: int | str) -> bool:
    if isinstance(given, dict):
        return part in given
    return isinstance(given, list) and isinstance(part, int) and part < len(given)
