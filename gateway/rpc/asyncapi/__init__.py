"""Published description of ``/ws``: calls, notifications and channels as an AsyncAPI document.

Nothing is written twice: methods, params, results and errors come from the catalogue, as in
:mod:`gateway.rpc.openrpc`, channels from :data:`gateway.streams.channels.FORMS`, close codes from
:class:`gateway.http.websocket_frames.CloseCode`. The examples of calls are those of OpenRPC, the
examples of events stand in ``examples.json``, which a test keeps equal to what is really told.

AsyncAPI calls two things a channel: what a message goes over, and a topic. The WebSocket itself is
the channel ``connection``: requests, answers, and what the gateway tells unasked. Each form of our
channels is one more; its messages come over the same WebSocket. The document is written from the
gateway's side: it *receives* a request, and *sends* an event.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

import orjson

from gateway import __version__
from gateway.http.websocket_frames import CloseCode
from gateway.rpc.catalogue import Method
from gateway.rpc.openrpc import (
    METHODS_OF_THE_FRONT,
    TYPES_OF_THE_FRONT,
    X_MEMBERS,
    Schema,
    errors_by_name,
    errors_of,
    load_examples,
    named,
    params_key,
    reference,
    result_key,
    schemas_of,
    types_of,
    used_by,
)
from gateway.schemas import (
    ChannelEnd,
    EventParams,
    Gap,
    HeartbeatEvent,
    ServerShutdown,
    Welcome,
)
from gateway.schemas.enums import Timeframe
from gateway.streams.channels import (
    FORMS,
    MAX_DEPTH,
    MAX_INTERVAL_MS,
    MAX_SYMBOL,
    MIN_INTERVAL_MS,
    OF_SYMBOL,
    ChannelForm,
    parse_channel,
)

ASYNCAPI_VERSION = "3.0.0"
CONNECTION = "connection"
LEAST_FINAL_CODE = 4500
"""Close codes from here on say that to connect again will not help."""
JSON_RPC_VERSION, ERROR = "JsonRpcVersion", "ErrorResponse"

DESCRIPTION = """\
The WebSocket of mt-gateway, a local gateway for MetaTrader 4 and 5: JSON-RPC 2.0, and the events \
of what was subscribed to. Each text message holds one JSON object, or a batch of calls or answers.

Sign in by `Authorization: Bearer <auth_token>`, by a subprotocol, or by `hello` as the first \
message. Then `welcome` comes unasked. An answer has the `id` of its request; what has a `method` \
is a notification: `event`, `welcome`, `heartbeat`, `server_shutdown`. Clients should ignore what \
they don't know: fields, channels and events are added without a new version.

Events of a channel are counted by `seq` within an `epoch`. On a `latest` channel a hole is what \
was merged into newer events because you were slow; on a `lossless` one each event arrives, or a \
`gap` says which do not. The first event of a channel that has a state is its `snapshot`.

`POST /rpc` has the same calls, described by `/openrpc.json`.
"""

NOTIFICATIONS: dict[str, tuple[Any, str]] = {
    "welcome": (Welcome, "Told unasked to whoever has signed in, before any event."),
    "heartbeat": (HeartbeatEvent, "Nothing else has come for `heartbeat_ms`."),
    "server_shutdown": (ServerShutdown, "The gateway goes down; close code 1001 follows."),
}
"""What comes unasked and belongs to no channel, by its ``method``."""

PARAMETERS: dict[str, Schema] = {
    "symbol": {
        "description": f"The broker's name of the symbol, verbatim, with at most {MAX_SYMBOL} "
        "characters; it may hold dots, spaces and colons.",
        "examples": ["EURUSD"],
    },
    "interval": {
        "description": f"Milliseconds and `ms`: `{MIN_INTERVAL_MS}ms` to `{MAX_INTERVAL_MS}ms`.",
        "examples": ["100ms", "1000ms"],
    },
    "depth": {
        "description": f"Most levels on each side: 1 to {MAX_DEPTH}.",
        "examples": ["10"],
    },
    "timeframe": {"description": "Period of the bars.", "examples": ["M1"]},
}


def asyncapi_document(
    catalogue: Mapping[str, Method], *, ws_url: str = "ws://127.0.0.1:7400/ws"
) -> dict[str, Any]:
    """Return the AsyncAPI document of a catalogue and of the channels, ready for JSON."""
    return _Document(catalogue).assembled(ws_url)


def load_event_examples() -> dict[str, list[dict[str, Any]]]:
    """Return documented messages of the gateway by the name of their message."""
    content = resources.files(__package__).joinpath("examples.json").read_bytes()
    examples: dict[str, list[dict[str, Any]]] = orjson.loads(content)
    return examples


def close_codes() -> list[dict[str, Any]]:
    """Return what the close frames of the gateway say."""
    return [
        {
            "code": int(code),
            "name": code.name.lower(),
            "description": code.meaning,
            "reconnect": code < LEAST_FINAL_CODE,
        }
        for code in CloseCode
    ]


class _Document:
    """Document in the making: named schemas and messages, as channels and operations need them."""

    def __init__(self, catalogue: Mapping[str, Method]) -> None:
        self._methods = [m for m in catalogue.values() if "ws" in m.transports]
        shapes = types_of(self._methods) | TYPES_OF_THE_FRONT
        for form in FORMS:
            shapes |= {f"{form.id} {kind}": type_ for kind, type_ in _data_of(form).items()}
        shapes |= {name: params for name, (params, _) in NOTIFICATIONS.items()}
        shapes |= {"event": EventParams, "timeframe": Timeframe}
        self._shapes, self._definitions = schemas_of(shapes)
        self._messages: dict[str, dict[str, Any]] = {}
        self._of_connection: list[str] = []
        self._operations: dict[str, dict[str, Any]] = {}
        self._define_envelope()

    def assembled(self, ws_url: str) -> dict[str, Any]:
        """Return the whole document."""
        for method in self._methods:
            self._add_method(method)
        for front in METHODS_OF_THE_FRONT:
            self._add_front(front)
        self._add_notifications()
        channels = {form.id: self._channel(form) for form in FORMS}
        place = urlsplit(ws_url)
        return {
            "asyncapi": ASYNCAPI_VERSION,
            "info": {
                "title": "mt-gateway /ws",
                "version": __version__,
                "description": DESCRIPTION,
                "license": {"name": "MIT"},
            },
            "defaultContentType": "application/json",
            "servers": {
                "gateway": {
                    "host": place.netloc,
                    "pathname": place.path,
                    "protocol": place.scheme,
                    "description": "Listens on loopback alone.",
                    "security": [
                        {"$ref": f"#/components/securitySchemes/{name}"}
                        for name in SECURITY_SCHEMES
                    ],
                }
            },
            "channels": {CONNECTION: self._connection(), **channels},
            "operations": self._operations,
            "components": {
                "messages": self._messages,
                "schemas": used_by(self._messages, self._definitions),
                "securitySchemes": SECURITY_SCHEMES,
                "x-errors": errors_by_name(self._methods),
            },
        }

    # --- envelopes -----------------------------------------------------------------------------

    def _define(self, name: str, schema: Schema) -> Schema:
        """Give a schema its name; return what points to it."""
        if self._definitions.setdefault(name, schema) != schema:
            raise ValueError(f"two schemas are called {name}")
        return reference(name)

    def _object(self, name: str, optional: Iterable[str] = (), **members: Schema) -> Schema:
        return self._define(
            name,
            {
                "type": "object",
                "properties": members,
                "required": [member for member in members if member not in optional],
                "additionalProperties": False,
            },
        )

    def _word(self, name: str, word: str) -> Schema:
        return self._define(name, {"type": "string", "const": word})

    def _define_envelope(self) -> None:
        version = self._word(JSON_RPC_VERSION, "2.0")
        data = {
            "type": "object",
            "description": "Further members tell the particulars of the error.",
            "properties": {
                "name": {"type": "string", "description": "Stable: `symbol_not_found`."},
                "retryable": {
                    "type": "boolean",
                    "description": "Whether the same call may work later.",
                },
            },
            "required": ["name", "retryable"],
        }
        error = self._object(
            "ErrorObject",
            code={"type": "integer"},
            message={"type": "string", "description": "For people."},
            data=self._define("ErrorData", data),
        )
        request_id = {
            "anyOf": [reference("RequestId"), {"type": "null"}],
            "description": "Null where the request could not be read.",
        }
        timing = X_MEMBERS["response"]
        self._object(ERROR, timing, jsonrpc=version, id=request_id, error=error, **timing)
        self._message(ERROR, "A call failed.", load_event_examples().get(ERROR, ()), asked=True)
        self._of_connection.append(ERROR)

    def _message(
        self, name: str, summary: str, payloads: Sequence[Any], *, asked: bool = False
    ) -> None:
        """Add a message whose payload is the schema of its name."""
        examples = [{"name": f"{name}{n}", "payload": one} for n, one in enumerate(payloads, 1)]
        of_call = {"correlationId": {"location": "$message.payload#/id"}} if asked else {}
        self._messages[name] = {
            "name": name,
            "summary": summary,
            **of_call,
            "payload": reference(name),
            **({"examples": examples} if examples else {}),
        }

    # --- calls ---------------------------------------------------------------------------------

    def _add_method(self, method: Method) -> None:
        examples = load_examples().get(method.name, [])
        self._add_call(
            method.name,
            method.summary,
            params=self._shapes[params_key(method.name)],
            result=self._shapes[result_key(method.name)],
            examples=[(example["params"], example["result"]) for example in examples],
        )
        self._operations[method.name] |= {
            "description": method.description,
            "tags": [{"name": method.group}],
            "x-scope": None if method.scope is None else method.scope.value,
            "x-mutates": method.mutates,
            "x-errors": [error.__name__ for error in errors_of(method)],
        }

    def _add_front(self, front: Mapping[str, Any]) -> None:
        """Add a call that the JSON-RPC front answers by itself."""
        members = {param["name"]: param["schema"] for param in front["params"]}
        examples = [
            ({param["name"]: param["value"] for param in one["params"]}, one["result"]["value"])
            for one in front.get("examples", ())
        ]
        self._add_call(
            front["name"],
            front["summary"],
            params=self._object(f"{_pascal(front['name'])}Params", **members),
            result=front["result"]["schema"],
            examples=examples,
        )
        self._operations[front["name"]] |= {
            "description": front.get("description", ""),
            "tags": front["tags"],
            "x-scope": front["x-scope"],
            "x-mutates": front["x-mutates"],
            "x-errors": [error["$ref"].rpartition("/")[2] for error in front["errors"]],
        }

    def _add_call(
        self,
        name: str,
        summary: str,
        *,
        params: Schema,
        result: Schema,
        examples: Sequence[tuple[Any, Any]],
    ) -> None:
        title, version = _pascal(name), reference(JSON_RPC_VERSION)
        request, response = f"{title}Request", f"{title}Response"
        needed = named(params, self._definitions).get("required", ())
        more, told = X_MEMBERS["request"], X_MEMBERS["response"]
        self._object(
            request,
            [*more, *(() if needed else ("params",))],
            jsonrpc=version,
            id=reference("RequestId"),
            method=self._word(f"{title}Method", name),
            params=params,
            **more,
        )
        self._object(
            response, told, jsonrpc=version, id=reference("RequestId"), result=result, **told
        )
        asked = [_envelope(id=1, method=name, params=given) for given, _ in examples]
        answered = [_envelope(id=1, result=answer) for _, answer in examples]
        self._message(request, summary, asked, asked=True)
        self._message(response, f"What `{name}` is answered.", answered, asked=True)
        self._of_connection += [request, response]
        self._operations[name] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{CONNECTION}"},
            "summary": summary,
            "messages": _messages_at(CONNECTION, [request]),
            "reply": {
                "channel": {"$ref": f"#/channels/{CONNECTION}"},
                "messages": _messages_at(CONNECTION, [response, ERROR]),
            },
        }

    # --- what is told unasked ------------------------------------------------------------------

    def _add_notifications(self) -> None:
        names = []
        for method, (_, summary) in NOTIFICATIONS.items():
            name = f"{_pascal(method)}Notification"
            self._notification(name, method, summary, self._shapes[method])
            names.append(name)
        self._of_connection += names
        self._operations["notify"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{CONNECTION}"},
            "summary": "What comes unasked and belongs to no channel.",
            "messages": _messages_at(CONNECTION, names),
        }

    def _notification(self, name: str, method: str, summary: str, params: Schema) -> None:
        self._object(
            name,
            jsonrpc=reference(JSON_RPC_VERSION),
            method=self._word(f"{_pascal(method)}Method", method),
            params=params,
        )
        self._message(name, summary, load_event_examples().get(name, ()))

    def _event(self, form: ChannelForm, kind: str, data: Schema) -> str:
        """Add the message of the events of one type, once for all forms of a topic."""
        topic = parse_channel(form.example).topic
        name = f"{_pascal(topic)}{_pascal(kind)}Event"
        said = dict(named(self._shapes["event"], self._definitions)["properties"])
        said |= {
            "channel": self._channel_name(topic),
            "type": self._word(f"{_pascal(kind)}Type", kind),
            "data": data,
        }
        params = self._object(f"{_pascal(topic)}{_pascal(kind)}Params", **said)
        self._notification(name, "event", f"{_EVENTS[kind]} on `{topic}`.", params)
        return name

    def _channel_name(self, topic: str) -> Schema:
        end = ":.+$" if topic in OF_SYMBOL else "$"
        pattern = rf"^{topic}(\.[A-Za-z0-9]+)?{end}"
        return self._define(f"{_pascal(topic)}Channel", {"type": "string", "pattern": pattern})

    # --- channels ------------------------------------------------------------------------------

    def _channel(self, form: ChannelForm) -> dict[str, Any]:
        names = [
            self._event(form, kind, self._shapes[f"{form.id} {kind}"]) for kind in _data_of(form)
        ]
        self._operations[f"send_{form.id}"] = {
            "action": "send",
            "channel": {"$ref": f"#/channels/{form.id}"},
            "summary": f"Events of `{form.address}`, to who has subscribed.",
            "messages": _messages_at(form.id, names),
        }
        parameters = {name: dict(PARAMETERS[name]) for name in _parameters_of(form.address)}
        if "timeframe" in parameters:
            words = named(self._shapes["timeframe"], self._definitions)["enum"]
            parameters["timeframe"]["enum"] = words
        return {
            "address": form.address,
            "summary": form.content,
            "description": _DELIVERY[form.delivery],
            "messages": _components(names),
            **({"parameters": parameters} if parameters else {}),
            "x-delivery": form.delivery,
            "x-snapshot": form.snapshot is not None,
            "x-example": form.example,
        }

    def _connection(self) -> dict[str, Any]:
        return {
            # an address of AsyncAPI is that of messages; the WebSocket's own is the server's
            "address": None,
            "summary": "The WebSocket: calls, their answers, and what is told unasked.",
            "messages": _components(self._of_connection),
            "bindings": {"ws": {"method": "GET", "bindingVersion": "0.1.0"}},
            "x-close-codes": close_codes(),
        }


SECURITY_SCHEMES: dict[str, dict[str, Any]] = {
    "authorization": {
        "type": "http",
        "scheme": "bearer",
        "description": "The header `Authorization: Bearer <auth_token>`.",
    },
    "subprotocol": {
        "type": "httpApiKey",
        "in": "header",
        "name": "Sec-WebSocket-Protocol",
        "description": "`mtg.v1`, and `mtg.bearer.` with the token in base64url; a web page "
        "offers `mtg.ticket.` with what `get_ws_ticket` gave it. Without any of them `hello` has "
        "to be the first message.",
    },
}

_EVENTS = {
    "snapshot": "The whole state",
    "update": "What changed",
    "gap": "Events are missing",
    "end": "The channel is over",
}
_DELIVERY = {
    "latest": "Delivery class `latest`: while you are slow, events may be merged into newer ones.",
    "lossless": "Delivery class `lossless`: every event arrives; who reads too slowly for that is "
    "closed with 4000.",
    "mixed": "Delivery class `mixed`: updates with `closed` true are `lossless`, the others "
    "`latest`.",
}


def _data_of(form: ChannelForm) -> dict[str, Any]:
    """Return the shapes of ``data``, by the types of events that a form has."""
    snapshot = {} if form.snapshot is None else {"snapshot": form.snapshot}
    gap = {"gap": Gap} if form.gaps else {}
    end = {"end": ChannelEnd} if form.ends else {}
    return {**snapshot, "update": form.update, **gap, **end}


def _parameters_of(address: str) -> list[str]:
    return [name for name in PARAMETERS if f"{{{name}}}" in address]


def _pascal(name: str) -> str:
    return "".join(word.title() for word in name.replace(".", "_").split("_"))


def _envelope(**members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", **members}


def _components(names: Iterable[str]) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _messages_at(channel: str, names: Iterable[str]) -> list[dict[str, str]]:
    return [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in names]


__all__ = ["asyncapi_document"]
