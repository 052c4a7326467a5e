"""What stands at the other end of the bridge has in common, be it emulated or real: which daemon
it belongs to, what it remembers of commands, how it dials, how it cuts long answers.
"""
