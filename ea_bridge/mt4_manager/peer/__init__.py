"""Manager peer beside MetaQuotes' ``mtmanapi.dll``, linked to the daemon.

``python -m ea_bridge.mt4_manager`` runs on the Windows machine that has the library, with the
daemon beside it or at the other end of an SSH tunnel. The library comes from MetaQuotes; it is no
part of this program.

Layers, from the library up: :mod:`.layouts` (records in memory), :mod:`.library` (loads it and
calls its methods), :mod:`.connection` (to the trade server), :mod:`.records` (to our structs),
:mod:`.queries` (commands that ask), :mod:`.manager_peer` (those that change, and the link).

Layouts, slots, calls and everything above were tried with a library of our own that has the same
class. Not tried, for want of Windows and of a trade server:

* that Microsoft's compiler gave the real class the table that its ABI prescribes;
* the convention of ``__stdcall`` on 32 bits, and of the callback;
* which codes a real server gives where, and after which of them money was booked all the same;
* whether ``UserRecordUpdate`` keeps passwords that come back empty;
* whether ``TradeTransaction`` writes the number of the order back (0 is told if not);
* whether ``SymbolInfoGet`` has prices in an interface that pumps, and how soon;
* that a list which the server did not give is followed by a ping that fails too;
* the encoding of texts.
"""
