"""Faults, a module for each kind of thing that fails; each registers what it can do.

See :func:`simulation.plugins.fault`. Every module of this folder is imported by itself.
"""
