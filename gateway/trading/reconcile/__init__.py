"""Finding out what became of commands whose answer was lost.

Theory of operation
===================

A command whose answer does not come is *unknown*: it may have been executed, and is never sent
again. This package stands above the terminal: it asks it, and ends what is unknown in the journal.
The evidence, from the strongest to the weakest:

1. a late answer, and the terminal's own table of results (:mod:`.reported_results`);
2. what the account shows (:mod:`.snapshot`): the orders of commands by tag and likeness
   (:mod:`.matching`), and changes of what was there (:mod:`.outcome`);
3. nothing for a long time (:mod:`.patience`): then the command was not executed.

A person may say how an order ended; that is compared with what the terminal says later
(:mod:`.settlement`). :mod:`.service` runs one :class:`~.service.Reconciler` a terminal.
:mod:`.used_ids` looks for ids that a journal which was restored from a backup does not know.
"""
