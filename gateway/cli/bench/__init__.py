"""``bench``: what the gateway costs, measured here and now.

Absolute figures are this machine's and this minute's. What can be compared are ratios between
lines of one run: rounds of one path and the other take turns.
"""
