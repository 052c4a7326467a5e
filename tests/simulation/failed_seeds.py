"""Seeds that have failed: what each has shown, and what mended it.

A run is another one whenever bots, faults or the product change, so a seed that is mended need not
come near the same place again: what shows that a mistake would be found again is its mutant, in
:mod:`.mutants.found`. The seeds stay all the same, for they cost little.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FailedSeed:
    """One run that was wrong.

    Attributes:
        command: its words, which ``python -m tests.simulation`` takes.
        wrong: what was wrong, and why.
        mended: subject of the commit that mended it.

    """

    command: str
    wrong: str
    mended: str

    @property
    def orders(self) -> int:
        """How many orders it takes."""
        words = self.command.split()
        return int(words[words.index("--orders") + 1])

    @property
    def name(self) -> str:
        """What it is called among the tests: the seed, and how many orders."""
        return f"{self.command.split()[1]}-{self.orders}"


FAILED_SEEDS = (
    FailedSeed(
        "--seed 1 --orders 2000 --kills-every 110",
        "Of two closes of different positions on a netting account the one that was not executed "
        "was told to be done: which position an order had gone into was not looked at.",
        "Tell closes on netting accounts by the position that orders went into",
    ),
    FailedSeed(
        "--seed 2 --orders 2000 --kills-every 110",
        "A close on MetaTrader 4 that a dead terminal had forgotten was told to be done, since "
        "another close, whose answer was under way, had closed the ticket.",
        "Give no closed trade to a lost close while another waits for its answer",
    ),
    FailedSeed(
        "--seed 1005 --orders 2000 --kills-every 110",
        "A close-by that was found out before its deals showed was told without deal and price.",
        "Look for the deals of a close-by whose receipt lacks its price",
    ),
    FailedSeed(
        "--seed 4 --orders 300 --kills-every 60",
        "Commands stayed in the memory of a terminal's reconciler when another terminal of the "
        "account had found out how they had ended.",
        "Forget commands whose end another terminal of the account has found out",
    ),
    FailedSeed(
        "--seed 5004 --orders 300 --kills-every 60",
        "The judge took a command for unwritten while a checkpoint had failed: only the log, "
        "which was synced, has to be.",
        "Excuse a simulated ledger's own file, and operators, by a failing disk",
    ),
    FailedSeed(
        "--seed 5021 --orders 300 --kills-every 60",
        "get_order failed, and did not tell what it knew, since the disk could not be read for "
        "what is there now of a held order.",
        "Tell what became of a request though held orders cannot be read",
    ),
    FailedSeed(
        "--seed 2 --orders 700 --kills-every 110",
        "A late answer of the MT4 server's peer was dropped, and a task died of it, since the "
        "disk could not be read for what it was about. Later the judge took a change to prices "
        "that an order had from the beginning for one that nobody had made.",
        "Look again for a booking whose late answer met an unreadable journal",
    ),
    FailedSeed(
        "--seed 6 --orders 1500 --kills-every 110",
        "A booking's answer came late while the disk reported errors: the task that took it died, "
        "and nobody looked for that booking again before the next round.",
        "Look again for a booking whose late answer met an unreadable journal",
    ),
    FailedSeed(
        "--seed 22 --orders 2000 --kills-every 110",
        "A terminal that went while linked orders were looked at was logged as a failure of the "
        "gateway, with a traceback.",
        "Log no failure where a terminal goes while linked orders are looked at",
    ),
    FailedSeed(
        "--seed 880003 --orders 2000 --kills-every 110",
        "The judge took a booking for taken back whose operator had asked three times at once: "
        "one copy had been refused before the others were carried out, and was read last.",
        "Judge no booking by the order of answers asked for at one time",
    ),
    FailedSeed(
        "--seed 880007 --orders 2000 --kills-every 110",
        "A lost stop order on MetaTrader 4 was told to be rejected while its position was open: "
        "it was filled, and looked for as what it had been.",
        "Find lost pending orders of MetaTrader 4 among the trades they became",
    ),
    FailedSeed(
        "--seed 880018 --orders 2000 --kills-every 110",
        "Held and linked orders were first read when a terminal linked: on a disk that failed "
        "then, nobody watched over them.",
        "Read held and linked orders of all terminals at the start",
    ),
    FailedSeed(
        "--seed 900004 --orders 2000 --kills-every 110",
        "An order of a sweep was rejected on the disk while its second filling mode was "
        "tried: a crash would have lost what that did.",
        "Keep an order of the gateway's own open until its second filling mode",
    ),
    FailedSeed(
        "--seed 900034 --orders 2000 --kills-every 110",
        "An unknown order was written with the end of its command, and without its own.",
        "Write no unknown order without the ends of its commands that were found",
    ),
    FailedSeed(
        "--seed 902014 --orders 2000 --kills-every 110",
        "A close that was found out before its deals showed lacked deal and price for good.",
        "Look longer for the deals of an order that was found out later",
    ),
    FailedSeed(
        "--seed 905005 --orders 2000 --kills-every 110",
        "A held order whose request a kill kept from the journal was told not to be sent "
        "while trading was halted, and would have traded. Then a sweep did not name what it "
        "had closed in part as the terminal went.",
        "Answer again for held orders whose requests a kill kept from the disk",
    ),
    FailedSeed(
        "--seed 907002 --orders 2000 --kills-every 110",
        "The manager API answered with an error of another API where an access token could "
        "not be read.",
        "Answer as the manager API describes where an access token cannot be read",
    ),
    FailedSeed(
        "--seed 327 --orders 2000 --kills-every 110",
        "A linked order that its broker had cancelled was called gone, since the terminal did "
        "not tell at first.",
        "Ask how a linked order ended until the terminal tells",
    ),
    FailedSeed(
        "--seed 327 --orders 800 --kills-every 60",
        "An order was told to be rejected, and then that nobody knows: the table of one "
        "terminal answered after another one had found its end.",
        "Change no end that another terminal has found while a table answered",
    ),
    FailedSeed(
        "--seed 999713615 --orders 500 --kills-every 110",
        "On a netting account beyond its limit, buys that waited outweighed two sales at once: "
        "when one was filled they outweighed the other no more, which went beyond the limit.",
        "Let no netting order pass a limit beside one its own way under way",
    ),
    FailedSeed(
        "--seed 5000011 --orders 600 --kills-every 110 --lone limited",
        "Commands whose end another terminal of the account had found stayed in the memory of "
        "a terminal whose link was gone at its next look.",
        "Forget commands that others have found out without a link as well",
    ),
    FailedSeed(
        "--seed 904239112 --orders 500 --kills-every 110",
        "An order on paper met books that another order's failed write had just closed, and its "
        "call ended in an internal error.",
        "Send no order to paper books that a failed write has closed",
    ),
    FailedSeed(
        "--seed 1455546802 --orders 500 --kills-every 110",
        "Cancel on disconnect left an order of the lost program: its answer was lost, the broker "
        "had rewritten its comment, and the number that it was found under was not noted.",
        "Cancel on disconnect what was found after its answer was lost",
    ),
    FailedSeed(
        "--seed 4100055 --orders 2000 --kills-every 110",
        "A terminal stayed away for minutes: a connection that its EA had given up, whose proof "
        "came late, had replaced the next one.",
        "Let no connection that was given up replace the next one",
    ),
    FailedSeed(
        "--seed 9200052 --orders 2000 --kills-every 110",
        "The judge knew a position that had turned round before a close by its first ticket "
        "alone; the close, found out later, was told with the ticket that it closed.",
        "Simulation: tasks have an order in sets; judge late answers truly",
    ),
    FailedSeed(
        "--seed 9200086 --orders 2000 --kills-every 110",
        "The judge wanted a conflict of an id from a gateway that was being stopped and looked "
        "at no id any more.",
        "Simulation: tasks have an order in sets; judge late answers truly",
    ),
    FailedSeed(
        "--seed 9100036 --orders 2000 --kills-every 110",
        "The judge looked at a held order whose attempt had just been found out, within the five "
        "seconds after which the order asks for that.",
        "Simulation: tasks have an order in sets; judge late answers truly",
    ),
    FailedSeed(
        "--seed 9300056 --orders 2000 --kills-every 110",
        "A connection that had asked for arrays was told one event in an array of its own: it was "
        "the last of a delivery that filled a frame.",
        "Streams: tell an event that is left alone as one, not as an array",
    ),
    FailedSeed(
        "--seed 1594860816 --orders 500 --kills-every 110",
        "A call of subscribe was answered as cancelled, with an error in the log: its connection "
        "and the terminal went in one turn, and what it waited for was cancelled.",
        "Streams: a subscription that ends while it is made fails alone",
    ),
    FailedSeed(
        "--seed 9500142 --orders 2000 --kills-every 110",
        "A hole in all ticks was not told: the terminal had not said whether it had ended them, "
        "and nobody remembered that when the next subscription came.",
        "Streams: remember that an end of ticks is in doubt while nobody listens",
    ),
    FailedSeed(
        "--seed 9500143 --orders 2000 --kills-every 110",
        "A gateway went on from the streams of the one before the last: its predecessor had been "
        "killed before the failing disk had deleted them.",
        "Streams: delete what was kept before telling, on a failing disk too",
    ),
    FailedSeed(
        "--seed 9600140 --orders 2000 --kills-every 110",
        "The judge wanted a late answer to have ended its order while nothing came on the link.",
        "Simulation: a late answer is held up with all else on its link",
    ),
    FailedSeed(
        "--seed 9600155 --orders 2000 --kills-every 110",
        "A channel that had ended went on after a restart: its end was told again, beside "
        "a subscription that lived.",
        "Streams: keep nothing of a channel that has ended",
    ),
)
