"""Streams: who hears of what happens in a terminal, in which order, and what is kept for it."""
