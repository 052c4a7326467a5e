"""MetaTrader 4's Manager API over the bridge.

===================  ============================================================================
:mod:`.model`        records of the API, :mod:`.commands` built of them
:mod:`.session`      the daemon's end of a link, and the links that are live
:mod:`.endpoint`     the other end: its link, commands carried out once
:mod:`.peer`         MetaQuotes' library behind that end: ``python -m ea_bridge.mt4_manager``
:mod:`.emulator`     a MetaTrader 4 server made of Python behind that end
===================  ============================================================================
"""
