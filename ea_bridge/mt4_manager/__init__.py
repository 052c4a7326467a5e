"""MetaTrader 4's Manager API over the bridge.

===================  ============================================================================
:mod:`.model`        records of the API, :mod:`.commands` built of them
:mod:`.session`      the daemon's end of a link, :mod:`.registry` the links that are live
:mod:`.executor`     the other end: commands carried out once, :mod:`.conversation` its link
:mod:`.peer`         MetaQuotes' library behind that end: ``python -m ea_bridge.mt4_manager``
:mod:`.emulator`     a MetaTrader 4 server made of Python behind that end
===================  ============================================================================
"""
