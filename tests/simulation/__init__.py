"""Simulation of the whole: daemon, terminals, broker, bots and every fault, all from one seed.

``python -m tests.simulation --seed 7 --orders 500 --kills-every 110`` makes one run. Its modules
import one another relatively, and nothing outside but the product, so that they are the same under
pytest, where this package is called ``simulation``.
"""
