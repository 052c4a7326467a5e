"""Peer's end of a link, shared by emulated terminals and by manager peers.

==================  =========================================================================
:mod:`.link`        dials the daemon, and dials again after every disconnect
:mod:`.conversation`  one TCP connection: proof, approval, heartbeats
:mod:`.idempotency`  commands that change something are carried out once
:mod:`.chunking`    long answers in parts
:mod:`.device_pin`  the daemon that a peer belongs to
:mod:`.file_lock`   one peer in one folder
==================  =========================================================================
"""
