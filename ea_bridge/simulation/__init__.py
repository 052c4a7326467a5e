"""Simulated market and broker, shared by the emulated terminal, the emulated MetaTrader 4 server
and paper trading."""
