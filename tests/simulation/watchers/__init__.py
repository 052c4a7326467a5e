"""Watchers, a module for each rule that must hold; each registers what looks after it.

See :func:`simulation.plugins.watcher`. Every module of this folder is imported by itself.
"""
