"""The methods, a module a group. Each is written once: see :mod:`gateway.rpc.catalogue`."""
