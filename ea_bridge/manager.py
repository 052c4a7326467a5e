"""Earlier name of ``python -m ea_bridge.mt4_manager``, for scripts that start the peer by it."""

import sys

from .mt4_manager.__main__ import main

if __name__ == "__main__":
    sys.exit(main())
