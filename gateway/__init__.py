"""The daemon between trading bots and MetaTrader terminals."""

__version__ = "0.1.0"
API_VERSION = 1
"""Version of the client protocol; additive changes don't bump it."""
