"""The wire to MetaTrader terminals: protocol, TCP listener, EA sources, emulator.

Knows nothing of the gateway: importing ``gateway`` from here breaks the build.
"""
