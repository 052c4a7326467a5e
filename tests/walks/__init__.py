"""Walks of one order, tick, token and revocation through the running product, and their figures.

``python -m tests.walks`` prints the figures and the files of each walk in their order; a name of
:data:`walks.product_walks.WALKS` after it prints that walk alone, with every call that climbs.
"""
