"""Formats that console and daemon share: signed envelopes, key sets, token records, secrets."""
