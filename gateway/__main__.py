"""``python -m gateway`` is ``mt-gateway``."""

from gateway.cli import main

main()
