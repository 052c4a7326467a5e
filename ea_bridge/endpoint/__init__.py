"""Peer's end of a link, shared by emulated terminals and by manager peers.

====================  ====================================================================
:mod:`.link`          dials the daemon, and dials again after every disconnect
:mod:`.conversation`  one TCP connection: proof, approval, heartbeats; the daemon's device
:mod:`.results`       commands that change something are carried out once; long answers
====================  ====================================================================
"""
