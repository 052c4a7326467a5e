"""``GET /metrics``: figures of the running daemon, as Prometheus reads them.

Parts of the daemon count by themselves, and know nothing of this room or of any library. When
somebody asks, the loop's thread reads their counts (:mod:`.readings`), and another one makes the
text (:mod:`.exposition`), so that nobody's call waits for that.
"""
