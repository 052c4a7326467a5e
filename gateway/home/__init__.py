"""Home folder of a gateway: its databases, keys and lock."""
