"""The published description of the API: the catalogue as an OpenRPC document.

Nothing is written twice: methods, params, results and errors come from the catalogue, the
examples from ``examples.json``, which a test keeps equal to what the methods answer.
"""

from .document import METHODS_OF_THE_FRONT, openrpc_document

__all__ = ["METHODS_OF_THE_FRONT", "openrpc_document"]
