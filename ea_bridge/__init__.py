"""The wire to MetaTrader terminals: protocol, sessions, TCP listener, emulator.

Knows nothing of the gateway: importing ``gateway`` from here breaks the build.
"""
