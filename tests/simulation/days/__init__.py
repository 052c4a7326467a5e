"""Days of a gateway with its console, in minutes: mostly idle, with all that comes with time.

``python -m tests.simulation days --seed 7 --days 3`` makes one run; with ``--tour`` each kind of
incident happens once, and then it is over. Leases are renewed and run out, tokens come and go,
keys are exchanged, the trail is archived, machines sleep; daemon and console are killed, and lose
power. What the console knows is the truth about rights, and the broker's books are that about the
limits of its days; what was served, and what the broker did, is compared with both. While nobody
trades the product looks more rarely after everything (:mod:`.intervals`): idle days cost little.
"""
