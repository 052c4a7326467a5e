"""The real manager peer: MetaQuotes' ``mtmanapi.dll`` on the one side, the daemon on the other."""
