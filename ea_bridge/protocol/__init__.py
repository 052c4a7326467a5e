"""Sans-I/O core of the bridge: bytes in, messages out.

Theory of operation
===================

One :class:`~.connection.Connection` holds the state of one conversation. Feed it what the
network gives you with ``receive_data()``, which returns messages; turn a message into bytes for
the network with ``send()``. It never reads a clock, opens a socket or starts a task, so each
rule of the wire is tested in microseconds, without a terminal.

    bytes -> framing -> lines -> codec -> messages -> connection -> caller
"""
