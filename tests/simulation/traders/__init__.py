"""Traders, a module for each kind of bot; each registers who trades at which terminals.

See :func:`simulation.plugins.trader`. Every module of this folder is imported by itself.
"""
