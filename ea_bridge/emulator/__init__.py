"""Terminal made of Python: the same wire, a market of real prices, a broker that keeps books."""
