// Written by `mt-gateway stubs`: do not edit.

/** Methods, with what they take and return. */
export interface Methods {
  /**
   * Return everything the terminal knows of the account.
   *
   * Money is in the account's `currency`. `margin_level` is in percent and null without positions.
   * MetaTrader 4 does not know the margin mode, FIFO rule and some sums: they are null and listed
   * in `unavailable`.
   */
  get_account_info: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: AccountInfo;
  };
  /**
   * Return the account's money: balance, equity, margin, floating profit.
   *
   * All of it is from one moment, and also in `get_account_info`.
   */
  get_account_balance: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: AccountBalance;
  };
  /**
   * Return what the terminal tells of itself: build, folders, switches, ping to the broker.
   *
   * `trade_allowed` is the AutoTrading button; whether the account may trade is in
   * `get_account_info`.
   */
  get_terminal_info: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: TerminalInfo;
  };
  /**
   * Return the broker's time, and how far it lies from UTC.
   *
   * MetaTrader types the broker's wall clock as if it were UTC. The gateway learns the offset from
   * fresh quotes; `offset` says how sure it is. `last_quote_time` stands still without quotes.
   */
  get_server_time: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: ServerTime;
  };
  /**
   * Return the state of the link to the terminal's EA.
   *
   * The gateway answers by itself, so this works while the terminal is offline: then `state` is
   * `disconnected` and the rest is what was known last. Before the first contact it is null.
   */
  get_ea_status: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: EaStatus;
  };
  /**
   * Return the names of the broker's symbols, in the broker's order.
   *
   *
   */
  get_symbols: {
    params: {
      /** Masks separated by commas; `*` stands for anything, `!` excludes: `*USD*,!EURUSD`. They are applied from left to right. All symbols if absent. */
      group?: string | null;
      /** Only those in Market Watch. */
      selected?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Array<string>;
  };
  /**
   * Return everything the terminal knows of a symbol: contract, limits, sessions, prices.
   *
   * A symbol outside Market Watch is put into it first, since it has no prices otherwise. An
   * unknown one is refused with the nearest names in `did_you_mean`.
   */
  get_symbol_info: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: SymbolInfo;
  };
  /**
   * Return when a symbol trades: the broker's weekly table, the next opening and closing.
   *
   * An order for a closed market is refused before it travels: 2006 `market_closed`, with the same
   * `opens_at`. Holidays are in no table; then the broker refuses it.
   */
  get_sessions: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: SymbolSessions;
  };
  /**
   * Put a symbol into Market Watch, or take it out.
   *
   * Other methods select what they need by themselves. The terminal keeps a symbol that has a
   * chart, an order or a position: then `select` stays true.
   */
  symbol_select: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** False takes it out. */
      enable?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: SymbolSelected;
  };
  /**
   * Return the last bars of a symbol, oldest first.
   *
   * With `start` 0 the last one is the forming bar. `time` is when a bar opened. There may be
   * fewer than `count`: with `complete` true the broker has no more, with false the terminal does
   * not have them all, and `reason` says why. For a span of time see `get_history_prices`.
   */
  get_ohlc: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Period of the bars. MetaTrader 4 has M1 M5 M15 M30 H1 H4 D1 W1 MN1 alone. Also read: `PERIOD_H1`, `TIMEFRAME_H1`, MetaTrader's number. */
      timeframe?: TimeframeParam;
      /** How many bars. */
      count?: number;
      /** How many of the newest to leave out. */
      start?: number;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Bars;
  };
  /**
   * Return the bars of a symbol that opened in a span of time, oldest first, page by page.
   *
   * Both ends are included. While `next_cursor` is not null there may be more: ask again with the
   * same params and that `cursor`; a page in the middle of a long gap can be empty. While
   * `complete` is false bars are missing from the page, and `reason` says why: where the terminal
   * is `loading`, ask for the same page again. Past dates are converted with the broker's offset
   * of that date.
   */
  get_history_prices: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Period of the bars. MetaTrader 4 has M1 M5 M15 M30 H1 H4 D1 W1 MN1 alone. Also read: `PERIOD_H1`, `TIMEFRAME_H1`, MetaTrader's number. */
      timeframe?: TimeframeParam;
      /** First opening time. */
      from: Time;
      /** Last opening time; now if absent. */
      to?: Time | null;
      /** Most bars in one answer. */
      limit?: number;
      /** `next_cursor` of the page before this one. */
      cursor?: CursorText | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Bars;
  };
  /**
   * Return past ticks of a symbol, oldest first, page by page.
   *
   * Both ends are included. Ticks may share a millisecond; none is lost or told twice between
   * pages. While `complete` is false ticks are missing from the page, and `reason` says why: where
   * the terminal is `loading`, ask for the same page again. MetaTrader 5 can take 45 seconds to
   * load ticks, and does nothing else meanwhile: 3002 `history_loading` says that it is at it.
   * MetaTrader 4 keeps no ticks: there the method is not supported.
   */
  get_history_ticks: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** First time; without it the last `limit` ticks. */
      from?: Time | null;
      /** Last time; now if absent. */
      to?: Time | null;
      /** `info`: changes of bid and ask; `trade`: of last and volume. */
      flags?: TickKindParam;
      /** Most ticks in one answer. */
      limit?: number;
      /** `next_cursor` of the page before this one. */
      cursor?: CursorText | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: HistoryTicks;
  };
  /**
   * Return the order book of a symbol as it is now: highest price first, sells above buys.
   *
   * For its changes subscribe to `book:<symbol>`. MetaTrader 4 has no order books; with brokers
   * that publish none for the symbol the answer is 3004 `no_market_depth`.
   */
  get_market_book: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Book;
  };
  /**
   * Return the open positions, all or those of a symbol, oldest first.
   *
   * For changes subscribe to `positions`, for floating profit to `pnl`. With `limit` they come in
   * pages by their tickets, as those of `get_orders`.
   */
  get_positions: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol?: Symbol | null;
      /** MetaTrader's ticket. */
      ticket?: Ticket | null;
      /** Most in one answer; all if absent. */
      limit?: ListLimit | null;
      /** Only higher tickets: the last ticket of the page before. */
      after?: AfterTicket | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Array<Position>;
  };
  /**
   * Close a position at market, all of it or a part.
   *
   * On MetaTrader 4 what is left after a part gets a new ticket: `order.position` of the answer.
   * For `data.outcome` of errors see `place_order`.
   */
  close_position: {
    params: {
      /** MetaTrader's ticket. */
      ticket: Ticket;
      /** In lots; all of the position if absent. */
      volume?: Volume | null;
      /** In points; 20 if absent. */
      deviation?: Points | null;
      /** Another name of `deviation`. */
      max_deviation_points?: Points | null;
      /** Filling mode; chosen from the symbol's if absent. */
      type_filling?: FillingParam | null;
      /** Kept with the order after the gateway's tag of 10 characters; cut so that both fit MetaTrader's 31. Brokers may overwrite it. */
      comment?: Comment;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
      ttl_ms?: TtlMs | null;
      /** The same as a moment, UTC milliseconds; the earlier one counts. */
      deadline_ms?: DeadlineMs | null;
      /** Move prices and volume that lie off the symbol's grid onto it (volume down, prices to the nearest tick) instead of refusing them; the answer says which. */
      normalize?: boolean;
      /** Run every check, and the terminal's own `OrderCheck`; send nothing. */
      validate_only?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderReceipt;
  };
  /**
   * Close two opposite positions of a symbol against each other, which saves one spread.
   *
   * What is left of the larger one stays open. Netting accounts have no opposite positions.
   */
  close_by: {
    params: {
      /** Ticket of the position to close. */
      position: Ticket;
      /** Ticket of an opposite one. */
      position_by: Ticket;
      /** Kept with the order after the gateway's tag of 10 characters; cut so that both fit MetaTrader's 31. Brokers may overwrite it. */
      comment?: Comment;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
      ttl_ms?: TtlMs | null;
      /** The same as a moment, UTC milliseconds; the earlier one counts. */
      deadline_ms?: DeadlineMs | null;
      /** Run every check, and the terminal's own `OrderCheck`; send nothing. */
      validate_only?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderReceipt;
  };
  /**
   * Return the pending orders, all or those of a symbol, oldest first.
   *
   * Those that the gateway keeps itself, since the platform has no such orders, are among them
   * with `emulated` true. For changes subscribe to `orders`.
   *
   * With `limit` they come in pages by their tickets, lowest first: ask again with the last
   * ticket as `after`, until a page has fewer. None is lost or told twice, whatever comes and goes
   * meanwhile. Without it more than an answer holds is refused with 3003 `range_too_large`.
   */
  get_orders: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol?: Symbol | null;
      /** MetaTrader's ticket. */
      ticket?: Ticket | null;
      /** Most in one answer; all if absent. */
      limit?: ListLimit | null;
      /** Only higher tickets: the last ticket of the page before. */
      after?: AfterTicket | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Array<Order>;
  };
  /**
   * Return one order by its ticket, pending or past; `state` tells which.
   *
   *
   */
  get_order_info: {
    params: {
      /** MetaTrader's ticket. */
      ticket: Ticket;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Order;
  };
  /**
   * Send a new order: at market, or one that waits.
   *
   * Prices and volume must lie on the symbol's grid; they are refused with the grid in the error's
   * data, never rounded silently. A symbol may be named without the broker's prefix or suffix; the
   * answer says which was taken. The filling mode is chosen from what the symbol allows; the
   * answer says which was taken, and which were tried.
   *
   * MetaTrader 4 has no stop-limit orders: the gateway keeps them itself (`order.emulated`), and
   * when the price is reached it sends the limit order in their place. That works while the
   * gateway runs and the terminal is linked, and while the token may trade.
   *
   * Every error of a trade says in `data.outcome` what is known: `not_sent` (nothing happened,
   * sending again is safe), `rejected` (the broker said no) or `unknown` (2102: the order may have
   * been executed; the gateway finds out, and `get_order` tells what). The gateway itself never
   * sends an order twice: a call that is repeated with its `client_order_id` is answered as the
   * first one was, with `duplicate` true, however much later. So make the id once, outside of what
   * repeats the call. An id is free again only after `not_sent`; with other params it is refused
   * (2101).
   */
  place_order: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** With `type` market, limit, stop, stop_limit. */
      side?: SideParam | null;
      /** Either `market`, `limit`, `stop`, `stop_limit` beside `side`, or both in one word: `buy`, `sell_limit`. In any case, also `ORDER_TYPE_BUY` and MetaTrader's number. */
      type?: OrderTypeParam;
      /** In lots; a number or a string. */
      volume: Volume;
      /** Where a pending order waits. At market it may be left out: it is the price that `deviation` counts from, where the broker executes instantly. */
      price?: Price | null;
      /** Stop loss, a price. 0 is read as null: none. */
      sl?: Price | null;
      /** Take profit, a price. 0 is read as null: none. */
      tp?: Price | null;
      /** Of a stop-limit order: the limit that `price` triggers. */
      stoplimit?: Price | null;
      /** In points; 20 if absent. */
      deviation?: Points | null;
      /** Another name of `deviation`. */
      max_deviation_points?: Points | null;
      /** The mark of your program; 0 for none. At most 2147483647 on MetaTrader 4. */
      magic?: Magic;
      /** Kept with the order after the gateway's tag of 10 characters; cut so that both fit MetaTrader's 31. Brokers may overwrite it. */
      comment?: Comment;
      /** Filling mode; chosen from the symbol's if absent. */
      type_filling?: FillingParam | null;
      /** How long a pending order lives; `gtc`, or until `expiration`, if absent. MetaTrader 4 has `gtc` and `specified` alone. */
      type_time?: LifetimeParam | null;
      /** With `type_time` specified or specified_day, or alone. */
      expiration?: Time | null;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
      ttl_ms?: TtlMs | null;
      /** The same as a moment, UTC milliseconds; the earlier one counts. */
      deadline_ms?: DeadlineMs | null;
      /** Move prices and volume that lie off the symbol's grid onto it (volume down, prices to the nearest tick) instead of refusing them; the answer says which. */
      normalize?: boolean;
      /** Run every check, and the terminal's own `OrderCheck`; send nothing. */
      validate_only?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderReceipt;
  };
  /**
   * Change a pending order, or the stop loss and take profit of a position.
   *
   * What is absent stays as it is. If everything is as asked for already, `changed` is false.
   * A position has `sl` and `tp` alone. While the console is silent, a position's stop loss can
   * still be added or moved closer to the market, with its take profit as it is.
   */
  modify_order: {
    params: {
      /** MetaTrader's ticket. */
      ticket: Ticket;
      /** What the ticket is of; if absent a pending order comes first. */
      target?: TargetParam | null;
      /** Absent or null: as it is. */
      price?: Price | null;
      /** Absent or null: as it is. */
      stoplimit?: Price | null;
      /** Absent: as it is. null or 0: none any more. */
      sl?: StopParam | null;
      /** Absent: as it is. null or 0: none any more. */
      tp?: StopParam | null;
      /** Absent or null: as it is; `gtc` ends an expiration. */
      type_time?: LifetimeParam | null;
      /** Absent or null: as it is. */
      expiration?: Time | null;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
      ttl_ms?: TtlMs | null;
      /** The same as a moment, UTC milliseconds; the earlier one counts. */
      deadline_ms?: DeadlineMs | null;
      /** Move prices and volume that lie off the symbol's grid onto it (volume down, prices to the nearest tick) instead of refusing them; the answer says which. */
      normalize?: boolean;
      /** Run every check, and the terminal's own `OrderCheck`; send nothing. */
      validate_only?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderReceipt;
  };
  /**
   * Remove a pending order.
   *
   * One that was filled meanwhile is not there any more: 2009 `order_not_found`; its position
   * stays.
   */
  cancel_order: {
    params: {
      /** MetaTrader's ticket. */
      ticket: Ticket;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
      ttl_ms?: TtlMs | null;
      /** The same as a moment, UTC milliseconds; the earlier one counts. */
      deadline_ms?: DeadlineMs | null;
      /** Run every check, and the terminal's own `OrderCheck`; send nothing. */
      validate_only?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderReceipt;
  };
  /**
   * Tell whether an order would pass, and the account after it (MetaTrader's `OrderCheck`).
   *
   * Takes what `place_order` takes, makes its every check and sends nothing. An order that would
   * be refused, by the gateway or the broker, is a result with `passes` false, its retcode and the
   * `error` of `place_order`; what lies off the symbol's grid is an error, as there.
   * MetaTrader 4 has no such check.
   */
  order_check: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** With `type` market, limit, stop, stop_limit. */
      side?: SideParam | null;
      /** Either `market`, `limit`, `stop`, `stop_limit` beside `side`, or both in one word: `buy`, `sell_limit`. In any case, also `ORDER_TYPE_BUY` and MetaTrader's number. */
      type?: OrderTypeParam;
      /** In lots; a number or a string. */
      volume: Volume;
      /** Where a pending order waits. At market it may be left out: it is the price that `deviation` counts from, where the broker executes instantly. */
      price?: Price | null;
      /** Stop loss, a price. 0 is read as null: none. */
      sl?: Price | null;
      /** Take profit, a price. 0 is read as null: none. */
      tp?: Price | null;
      /** Of a stop-limit order: the limit that `price` triggers. */
      stoplimit?: Price | null;
      /** In points; 20 if absent. */
      deviation?: Points | null;
      /** Another name of `deviation`. */
      max_deviation_points?: Points | null;
      /** The mark of your program; 0 for none. At most 2147483647 on MetaTrader 4. */
      magic?: Magic;
      /** Kept with the order after the gateway's tag of 10 characters; cut so that both fit MetaTrader's 31. Brokers may overwrite it. */
      comment?: Comment;
      /** Filling mode; chosen from the symbol's if absent. */
      type_filling?: FillingParam | null;
      /** How long a pending order lives; `gtc`, or until `expiration`, if absent. MetaTrader 4 has `gtc` and `specified` alone. */
      type_time?: LifetimeParam | null;
      /** With `type_time` specified or specified_day, or alone. */
      expiration?: Time | null;
      /** Move prices and volume that lie off the symbol's grid onto it (volume down, prices to the nearest tick) instead of refusing them; the answer says which. */
      normalize?: boolean;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: CheckResult;
  };
  /**
   * Tell what became of a request by its `client_order_id`; this is authoritative.
   *
   * It works while the terminal is offline, and for good: the journal forgets nothing. After an
   * `order_unresolved` (2102) ask here before anything else. 2009 `order_not_found`: nothing was
   * ever sent under that id for the account that the terminal is logged in to.
   */
  get_order: {
    params: {
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id: ClientOrderId;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderRecord;
  };
  /**
   * Settle by hand what became of a request whose outcome is unknown.
   *
   * For a person who has looked at the terminal, or asked the broker: the gateway finds nearly
   * everything out by itself, and what it cannot tell keeps its symbol closed to new orders. From
   * here on the request is `done` or `rejected`, also for whoever repeats it, the symbol is open,
   * and `orders` tells it.
   *
   * Refused is what is not unknown, a ticket that belongs to another request, and, while the
   * terminal is linked, one that it does not show or that is of another symbol, type or volume;
   * `settlement` says what was looked at. Should the terminal tell otherwise within a day, that
   * counts: `orders` tells it once more, with `settlement.time_contradicted`. All of it stands in
   * the audit trail.
   */
  settle_order: {
    params: {
      /** Of the one that is unknown. */
      client_order_id: ClientOrderId;
      /** Whether the broker has carried it out. */
      executed: boolean;
      /** With `executed`: which order of the terminal it is. Of a change (`modify_order`, `cancel_order`) it may be left out. */
      ticket?: Ticket | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OrderRecord;
  };
  /**
   * Let the stop loss of a position follow the market, go to break-even, or both.
   *
   * The EA does it on every tick, also while the gateway is down, and its stop only ever comes
   * closer to the market. All numbers are in points of the symbol. What was set before is
   * replaced. Saying it again is safe, whatever became of the first time. While the console is
   * silent, a stop can be set, but not loosened.
   */
  set_trailing_stop: {
    params: {
      /** Of the position. */
      ticket: Ticket;
      /** Between the price at which the position would be closed and the stop; 0: it does not trail. */
      distance?: Points;
      /** Least move of the stop; 0: the least. */
      step?: Points;
      /** Profit from which on it trails; 0: at once. */
      activation?: Points;
      /** Profit at which the stop goes to the opening price; 0: never. */
      break_even?: Points;
      /** How far beyond the opening price it goes then. */
      break_even_offset?: Points;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: TrailingStop;
  };
  /**
   * Remove the trailing stop of a position; its stop loss stays where it is.
   *
   * It is no error if it did not follow.
   */
  remove_trailing_stop: {
    params: {
      /** Of the position. */
      ticket: Ticket;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: TrailingStopRemoved;
  };
  /**
   * Return the stops that follow the market, all, of a symbol, or of a position.
   *
   * A new stop loss is told on the channel `positions`, as any other.
   */
  get_trailing_stops: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol?: Symbol | null;
      /** MetaTrader's ticket. */
      ticket?: Ticket | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Array<TrailingStop>;
  };
  /**
   * Let the first of some pending orders that ends cancel the others.
   *
   * A fill counts, also of a part. The gateway does it: while it runs and the terminal is linked at
   * once, else as soon as they are back; in a fast market more than one may be filled. Linking
   * the same orders again returns the link there is. If one of them does not wait any more,
   * nothing is linked: 2009 names it.
   */
  link_oco: {
    params: {
      /** Of pending orders, also of those with `emulated` true. */
      tickets: Array<Ticket>;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OcoLink;
  };
  /**
   * Remove the link between OCO orders; the orders themselves stay.
   *
   * A link whose orders are being cancelled, or are gone, stays as it is: look at `state`.
   */
  unlink_oco: {
    params: {
      /** Its `id`. */
      id: OcoId;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: OcoLink;
  };
  /**
   * Return which orders cancel one another, oldest first, then those that are over.
   *
   * The gateway answers by itself, so this works while the terminal is offline.
   */
  get_oco_links: {
    params: {
      /** How many of those that are over, newest first. */
      past?: number;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Array<OcoLink>;
  };
  /**
   * Return the margin that a position would need by itself, in the account's currency.
   *
   * Positions that are there already, and what they would save, are not counted.
   */
  order_calc_margin: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Direction of the trade. */
      side?: SideParam | null;
      /** Another name of `side`, as MetaTrader has it. */
      type?: SideParam | null;
      /** In lots; a number or a string. */
      volume: Volume;
      /** The market's if absent. */
      price?: Price | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Margin;
  };
  /**
   * Return what a position would bring between two prices, in the account's currency.
   *
   * Without commission and swap; converted at today's rates.
   */
  order_calc_profit: {
    params: {
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol: Symbol;
      /** Direction of the trade. */
      side?: SideParam | null;
      /** Another name of `side`, as MetaTrader has it. */
      type?: SideParam | null;
      /** In lots; a number or a string. */
      volume: Volume;
      price_open: Price;
      price_close: Price;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Profit;
  };
  /**
   * Return past orders, deals, closed positions, or orders with deals, oldest first.
   *
   * Orders count by the time they ended, deals by their own, positions by the time they were
   * closed; both ends are included. While `next_cursor` is not null there may be more: ask again
   * with the same params and that `cursor`. A page may hold fewer than `limit`, or none: where a
   * symbol was hardly traded, or many positions began before the page.
   *
   * Positions are put together from their deals: average prices, and the sums of profit, swap,
   * commission and fee. One that is still open is not among them. Right after a fill some
   * terminals do not know the deal yet: asked for by `ticket` or `position`, it is waited for a
   * little.
   *
   * MetaTrader 4 has no deals: `deals` and `orders_deals` are not supported there, its closed
   * trades are `positions`, and `unavailable` lists what they lack.
   */
  get_history_orders: {
    params: {
      /** What to return; `orders_deals` is both lists. */
      kind?: HistoryKind;
      /** First time; 30 days ago if absent. */
      from?: Time | null;
      /** Last time; now if absent. */
      to?: Time | null;
      /** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
      symbol?: Symbol | null;
      /** One order, or its deals, of any time. */
      ticket?: Ticket | null;
      /** What belongs to one position (its `identifier`), of any time. */
      position?: Ticket | null;
      /** Most items in one answer. */
      limit?: number;
      /** `next_cursor` of the page before this one. */
      cursor?: CursorText | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: History;
  };
  /**
   * Return records as MetaTrader has them: its names, its numbers, the broker's clock.
   *
   * For programs that were written against the MetaTrader5 package, such as the drop-in
   * `gateway.client.mt5`; others are better served by the methods with words and UTC. Nothing is
   * put into Market Watch for it but where there is no answer otherwise (`tick`, `book`).
   */
  get_native: {
    params: {
      /** Which records. */
      kind: NativeKind;
      /** The broker's name, exactly; of `symbol`, `tick` and `book`, and a filter of `positions` and `orders`. */
      symbol?: Symbol | null;
      /** Of `symbols`, as of `get_symbols`. */
      group?: string | null;
      /** Only symbols in Market Watch. */
      selected?: boolean;
      /** One position, one order, or the deals of one order. */
      ticket?: Ticket | null;
      /** Past orders or deals of one position. */
      position?: Ticket | null;
      /** First second of past orders or deals. */
      from_s?: number;
      /** Last second of past orders or deals. */
      to_s?: number;
      /** Most in one answer, about. */
      limit?: ListLimit;
      /** `next` of the page before this one. */
      after?: number;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: NativeRecords;
  };
  /**
   * Return bars as bytes, oldest first: MetaTrader's `CopyRates` in its three forms.
   *
   * `start` and `count`: so many, back from the newest, the forming bar at 0. `to_s` and `count`:
   * the last ones that opened until then. `from_s` and `to_s`: those that opened in that span.
   */
  copy_rates: {
    params: {
      /** The broker's name, exactly. */
      symbol: Symbol;
      /** Period of the bars. MetaTrader 4 has M1 M5 M15 M30 H1 H4 D1 W1 MN1 alone. Also read: `PERIOD_H1`, `TIMEFRAME_H1`, MetaTrader's number. */
      timeframe: TimeframeParam;
      /** With `count`: how many to leave out. */
      start?: number | null;
      /** Most in the answer. */
      count?: number | null;
      /** Seconds of the broker's clock. */
      from_s?: number | null;
      /** Seconds of the broker's clock. */
      to_s?: number | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: PackedRows;
  };
  /**
   * Return past ticks as bytes, oldest first: MetaTrader's `CopyTicks` and `CopyTicksRange`.
   *
   * With `from_ms` and `to_ms` all of that span, with `from_ms` and `count` so many from then on,
   * with `count` alone the newest.
   */
  copy_ticks: {
    params: {
      /** The broker's name, exactly. */
      symbol: Symbol;
      /** The newest if absent. */
      from_ms?: number | null;
      /** Milliseconds of the broker's clock. */
      to_ms?: number | null;
      /** Most in the answer. */
      count?: number | null;
      /** As of `get_history_ticks`. */
      flags?: TickKindParam;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: PackedRows;
  };
  /**
   * Return whether new orders are let through, and which halts stand in the way.
   *
   * The gateway answers by itself, so this works while the terminal is offline. While the gateway
   * drains (`mt-gateway drain`) trading is not enabled, though no halt may be there.
   */
  get_trading_enabled: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: TradingEnabled;
  };
  /**
   * Halt trading at once, or lift the halt.
   *
   * A halt holds from this call on: an order whose bytes are not written yet is refused with 2104
   * `kill_switch_active`, outcome `not_sent`. It is latched: it outlives the gateway, and lasts
   * until it is lifted. Every program's orders are stopped, not only the caller's.
   *
   * What is stopped is new exposure. Closing a position, cancelling an order and moving a stop
   * loss closer to the market go on, so that you can get out, unless `reductions` is false. What
   * the terminal does by itself (stops, pending orders that are there already, a person's clicks)
   * no gateway can stop: see `cancel_all_orders` and `close_all_positions`.
   *
   * A halt that was made with a token of the scope `admin`, or by `mt-gateway halt`, is lifted in
   * the same ways alone. The answer says which halts are left.
   */
  set_trading_enabled: {
    params: {
      /** False halts trading, true lifts the halt. */
      enabled: boolean;
      /** All terminals of this gateway; needs the scope `admin`, and a token that the gateway made: a console's are of several people. */
      everywhere?: boolean;
      /** With a halt: whether closing positions, cancelling orders and tightening stops stay possible. False freezes those too. */
      reductions?: boolean;
      /** For the people who meet the halt; it stands in every refusal. */
      reason?: HaltReason;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: TradingEnabled;
  };
  /**
   * Cancel all pending orders, or those of a symbol, a magic or a side.
   *
   * Those that were made by hand or by other programs as well. An order that is filled meanwhile
   * is neither cancelled nor failed: its position stays. What could not be cancelled is in
   * `failed`, with its reason; the call itself fails only if nothing was tried.
   *
   * It goes on while trading is halted, and while the console is silent.
   */
  cancel_all_orders: {
    params: {
      /** Those of a symbol; of all if absent. */
      symbol?: Symbol | null;
      /** Those with this magic, 0: those made by hand; with any if absent. */
      magic?: Magic | null;
      /** Those of a side; of both if absent. */
      side?: SideParam | null;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Swept;
  };
  /**
   * Close all positions at market, or those of a symbol, a magic or a side.
   *
   * Those that were opened by hand or by other programs as well. Pending orders stay: cancel them
   * first with `cancel_all_orders`, or they may open new positions. What could not be closed is in
   * `failed`, with its reason; the call itself fails only if nothing was tried.
   *
   * It goes on while trading is halted, and while the console is silent.
   */
  close_all_positions: {
    params: {
      /** Those of a symbol; of all if absent. */
      symbol?: Symbol | null;
      /** Those with this magic, 0: those made by hand; with any if absent. */
      magic?: Magic | null;
      /** Those of a side; of both if absent. */
      side?: SideParam | null;
      /** Points that each price may have moved. */
      deviation?: Points;
      /** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
      client_order_id?: ClientOrderId | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Swept;
  };
  /**
   * Start a dead man's switch: it cancels orders, or also closes positions, when calls stop.
   *
   * Every call where it was set starts it anew, be it this one, `ping` or any other: on the same
   * `/ws` connection (or a later one with the same `session_id` in `hello`), or, if it was set
   * over `/rpc`, over `/rpc` with the same token. Calls elsewhere do not, and pongs of a WebSocket
   * library never. When none has come for `timeout_ms` it fires: all pending orders of the
   * terminal are cancelled and, with `cancel_and_close`, all positions closed, whoever made them;
   * `terminal` tells what became of them. Then it is off until it is set again.
   *
   * A lost connection does not stop its timer; setting one on a new connection of the token does.
   * It is about the account that the terminal is logged in to now: while it is logged in to
   * another one nothing is done, and `terminal` says so. Set it again there.
   *
   * It outlives the gateway: one that is started again counts from its start. Should the gateway
   * die or hang, the EA does the same by itself after 5 s without a heartbeat, where it can
   * (`lease` among its capabilities).
   */
  cancel_all_after: {
    params: {
      /** From 1000 on, or 0 to switch the timer off. */
      timeout_ms: number;
      /** `cancel_orders` leaves positions; `cancel_and_close` closes them too. */
      action?: Action;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Countdown;
  };
  /**
   * Have orders cancelled when this connection is lost.
   *
   * Lost is a connection that ends in any way but `logout`, also when the token is revoked; what
   * the gateway's own end does is told below. Whoever says `hello` on another connection with the
   * same `session_id` within the grace goes on where the lost one stood: its orders and this rule
   * are the new connection's, and should the old one still be there it is closed with 4505. Say
   * `hello` first, and then this.
   *
   * It is about the account that the terminal is logged in to now: while it is logged in to
   * another one nothing is done, and `terminal` says so. Ask for it again there.
   *
   * It outlives the gateway: one that is started again waits for the grace and 5 s more. As it
   * cannot know which orders of before were whose, a rule of the scope `connection` that it has
   * found means all of those that came through the gateway, also when its program is back and is
   * lost again; of later orders it means its own alone. Should the gateway die or hang, the EA
   * cancels by itself after 5 s without a heartbeat, where it can (`lease` among its
   * capabilities): what came through the gateway, or all.
   */
  set_cancel_on_disconnect: {
    params: {
      /** False: the orders stay when it is lost. */
      enabled: boolean;
      /** `connection`: the orders that were placed on this connection, and their positions. `terminal`: all of the terminal, whoever made them. */
      scope?: DisconnectScope;
      /** `cancel_orders` leaves positions; `cancel_and_close` closes them too. */
      action?: Action;
      /** Coming back within so many milliseconds, with the `session_id` that was given to `hello`, disarms it. */
      grace_ms?: number;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: DisconnectRule;
  };
  /**
   * Return what becomes of orders when this connection is lost.
   *
   * After a login to another account it is off there, until it is asked for again.
   */
  get_cancel_on_disconnect: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: DisconnectRule;
  };
  /**
   * Leave in order: the connection is closed after the answer, and its orders stay.
   *
   * What `set_cancel_on_disconnect` has asked for is off; the timer of `cancel_all_after`, which
   * is the token's, runs on.
   */
  logout: {
    params: {};
    result: Farewell;
  };
  /**
   * Subscribe to channels.
   *
   * Each channel succeeds or fails by itself; the call fails only when none could be subscribed.
   * The answer comes before the first event. The first event of a channel that has a state is its
   * `snapshot`, with the `seq` at which it is true; updates follow without a hole. Subscribing
   * again changes nothing and says `already`. While the terminal is offline a subscription is
   * kept (`live: false`) and begins when it comes back; the channel `terminal` tells when.
   *
   * Who comes back names the last event it has of a channel, as `since`. `recovered: true`:
   * every event after it comes now, in order, then the snapshot (unless `snapshot: false`), then
   * what is new. `recovered: false`: none of them comes, and a snapshot does. Kept are the last
   * events of ticks (512, of a minute), bars (1000), and of `orders`, `positions`, `deals`
   * and `terminal` (10,000, of a day), at most 1 MiB a channel; the other channels have a
   * snapshot that tells everything, and a symbol's channels keep nothing once nobody hears them.
   * `since` on a connection that hears the channel already mends a hole: it begins anew behind
   * that event.
   */
  subscribe: {
    params: {
      /** Channels: names (`"tick:EURUSD"`, `"bar.M1:EURUSD"`, `"orders"`), objects with particulars, or the vendor's objects; one or a list. */
      channels?: ChannelItems | null;
      /** The vendor's form instead: `tick`, `mbook`, `ohlc` or `order`. */
      type?: string | null;
      /** With `type`: the symbol, or several. */
      symbol?: VendorSymbols | null;
      /** With `type: "ohlc"`: `"M1"`, or MetaTrader's number. */
      timeframe?: VendorPeriod | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: SubscribeResult;
  };
  /**
   * End subscriptions.
   *
   * After the answer no more events of these channels come. On a connection this also silences
   * what the token subscribed to over `/rpc`, for this connection alone.
   */
  unsubscribe: {
    params: {
      /** Channels: names (`"tick:EURUSD"`, `"bar.M1:EURUSD"`, `"orders"`), objects with particulars, or the vendor's objects; one or a list. */
      channels?: ChannelItems | null;
      /** Every channel. */
      all?: boolean;
      /** The vendor's form instead: `tick`, `mbook`, `ohlc` or `order`. */
      type?: string | null;
      /** With `type`: the symbol, or several. */
      symbol?: VendorSymbols | null;
      /** With `type: "ohlc"`: `"M1"`, or MetaTrader's number. */
      timeframe?: VendorPeriod | null;
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: UnsubscribeResult;
  };
  /**
   * List what this connection hears; over `/rpc`, what the token has subscribed to.
   *
   *
   */
  get_subscriptions: {
    params: {
      /** Name of the terminal; may be left out, since a token is for one terminal. */
      terminal?: string | null;
    };
    result: Subscriptions;
  };
  /**
   * Answer at once; with the state of the terminal's link and its last round trip.
   *
   * The gateway answers by itself. On `/ws` this also tells it that the program is alive, which
   * the pongs of a WebSocket library do not.
   */
  ping: {
    params: {
      /** Comes back. */
      t?: PingEcho | null;
    };
    result: Pong;
  };
  /**
   * Open a connection, or learn what an open one can do.
   *
   * A client that sends the `Authorization` header need not call it. One that cannot sends it
   * first, within 5 seconds; before it every other method is refused. A token that is not let in
   * is answered with -32001, and the connection is closed with 4501; a version that we don't speak
   * with -32602, and 4503. When the token's rights end, the connection is closed with 4506; the
   * reason of the close frame is the `reason` that error -32001 would have, such as `expired`.
   */
  hello: {
    params: {
      /** For clients that cannot set the `Authorization` header: then `hello` is the first message. Ignored where the connection is open already. */
      auth_token?: string | null;
      /** Who calls, for logs. */
      client?: ClientName | null;
      /** The versions that you speak; 1 if absent. */
      api?: ApiRange | null;
      /** Features that this connection is to have, and no others; unknown ones are left out. Absent: as it is, at first none. `coalesce`: events that are sent together come as one JSON array, in one frame; one alone as it is. */
      features?: Array<string> | null;
      /** Your name for this run: for logs, and to come back by within the grace of `set_cancel_on_disconnect`. */
      session_id?: string | null;
      /** How long nothing may come; 15000 if absent. */
      heartbeat_ms?: number | null;
    };
    result: HelloResult;
  };
  /**
   * Return what the gateway is, its limits, how it tells the broker's time, and its console.
   *
   * The gateway answers by itself, so this works while the terminal is offline. `console` tells
   * what the token may do while the console is silent, and until when.
   */
  get_server_info: {
    params: {};
    result: ServerInfo;
  };
  /**
   * Return a ticket that opens `/ws` once: for web pages, which can send no header there.
   *
   * It is good for 5 seconds, for the origin that asked and for the rights that the token has now:
   * ask for one right before each connection. A page must be of an origin in `api.allowed_origins`.
   * On the handshake a wrong ticket is answered with 401 and -32001: `malformed`, `unknown` (also
   * when it was used, or asked for by another origin) or `expired`.
   */
  get_ws_ticket: {
    params: {};
    result: WsTicket;
  };
}

/** Methods that the gateway recognises by their `client_order_id`. */
export type KeyedMethod = "close_position" | "close_by" | "place_order" | "modify_order" | "cancel_order" | "cancel_all_orders" | "close_all_positions";

/** The stable names of errors. */
export type ErrorName = "ambiguous_symbol" | "autotrading_disabled" | "broker_disconnected" | "cancelled" | "client_order_id_conflict" | "deadline_exceeded" | "forbidden" | "frozen" | "history_loading" | "insufficient_margin" | "internal_error" | "invalid_params" | "invalid_price" | "invalid_stops" | "invalid_volume" | "kill_switch_active" | "limit_exceeded" | "market_closed" | "method_not_supported" | "no_market_depth" | "order_limit" | "order_not_found" | "order_rejected" | "order_unresolved" | "overloaded" | "position_not_found" | "price_changed" | "range_too_large" | "risk_limit" | "shutting_down" | "subscribe_failed" | "symbol_not_found" | "terminal_busy" | "terminal_disconnected" | "terminal_not_found" | "timeout" | "too_large" | "trade_disabled" | "unauthorized" | "unsupported_filling";

/** The channels that there are. */
export type ChannelName =
  | `positions`
  | `heartbeat`
  | `terminal`
  | `account`
  | `orders`
  | `deals`
  | `pnl`
  | `tick.all:${string}`
  | `tick:${string}`
  | `book:${string}`
  | `pnl.${string}`
  | `tick.${string}:${string}`
  | `book.${string}:${string}`
  | `bar.${string}:${string}`;

/** The events of a channel, by its name; of a name that is not known: of any. */
export type EventOf<C extends string> =
  C extends `positions` ? PositionsSnapshotParams | PositionsUpdateParams | PositionsGapParams :
  C extends `heartbeat` ? HeartbeatUpdateParams :
  C extends `terminal` ? TerminalSnapshotParams | TerminalUpdateParams :
  C extends `account` ? AccountSnapshotParams | AccountUpdateParams :
  C extends `orders` ? OrdersSnapshotParams | OrdersUpdateParams | OrdersGapParams :
  C extends `deals` ? DealsUpdateParams | DealsGapParams | DealsEndParams :
  C extends `pnl` ? PnlSnapshotParams | PnlUpdateParams :
  C extends `tick.all:${string}` ? TickUpdateParams | TickGapParams | TickEndParams :
  C extends `tick:${string}` ? TickSnapshotParams | TickUpdateParams | TickEndParams :
  C extends `book:${string}` ? BookSnapshotParams | BookUpdateParams | BookEndParams :
  C extends `pnl.${string}` ? PnlSnapshotParams | PnlUpdateParams :
  C extends `tick.${string}:${string}` ? TickSnapshotParams | TickUpdateParams | TickEndParams :
  C extends `book.${string}:${string}` ? BookSnapshotParams | BookUpdateParams | BookEndParams :
  C extends `bar.${string}:${string}` ? BarSnapshotParams | BarUpdateParams | BarGapParams | BarEndParams :
  EventOf<ChannelName>;

/** The money of the account alone, in `currency`. */
export type AccountBalance = {
  balance: number;
  credit: number;
  equity: number;
  margin: number;
  margin_free: number;
  /** `equity / margin` in percent; null without positions. */
  margin_level: number | null;
  /** Floating result of the open positions. */
  profit: number;
  currency: string;
  /** True: the sums of paper trading. */
  paper: boolean;
};

export type AccountChannel = string;

/** MetaTrader's `AccountInfo*`. Money in `currency`. */
export type AccountInfo = {
  login: number;
  trade_mode: AccountTradeMode;
  leverage: number;
  /** Most pending orders allowed; null where the broker sets no limit. */
  limit_orders: number | null;
  /** What `margin_so_call` and `margin_so_so` are measured in. */
  margin_so_mode: StopoutMode;
  /** The broker allows trading on this account. */
  trade_allowed: boolean;
  /** The broker allows trading by programs on this account. */
  trade_expert: boolean;
  margin_mode: MarginMode | null;
  currency_digits: number | null;
  /** Positions of a symbol can be closed in the order of their opening only. */
  fifo_close: boolean | null;
  balance: number;
  credit: number;
  /** Floating result of the open positions. */
  profit: number;
  equity: number;
  margin: number;
  margin_free: number;
  /** `equity / margin` in percent; null without positions. */
  margin_level: number | null;
  margin_so_call: number;
  margin_so_so: number;
  margin_initial: number | null;
  margin_maintenance: number | null;
  assets: number | null;
  liabilities: number | null;
  commission_blocked: number | null;
  name: string;
  server: string;
  currency: string;
  company: string;
  /** True: the sums are those of paper trading, and no money of the account is in them. */
  paper: boolean;
  /** Fields that are null because this platform does not know them; empty on MetaTrader 5. */
  unavailable: Array<string>;
};

export type AccountSnapshotParams = {
  channel: AccountChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: AccountInfo;
};

export type AccountTradeMode = AccountTradeModeWord | Other;

export type AccountTradeModeWord = "demo" | "contest" | "real";

export type AccountUpdateParams = {
  channel: AccountChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: AccountInfo;
};

export type Action = "cancel_orders" | "cancel_and_close";

export type Added = "add";

/** Only higher tickets: the last ticket of the page before. */
export type AfterTicket = number;

/** The versions of the protocol that a client speaks. */
export type ApiRange = {
  min: number;
  max: number;
};

/** One bar. `time` is when it opened. */
export type Bar = {
  time: number;
  broker_time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  /** How many ticks. */
  tick_volume: number;
  /** In points. */
  spread: number;
  /** Exchange volume; 0 where there is none. */
  real_volume: number;
};

export type BarChannel = string;

export type BarEndParams = {
  channel: BarChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: EndType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: ChannelEnd;
};

/** A bar on the channel `bar.<timeframe>`. */
export type BarEvent = {
  symbol: string;
  timeframe: Timeframe;
  /** False while the bar is forming; each bar is told once as closed. */
  closed: boolean;
  time: number;
  broker_time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  tick_volume: number;
  spread: number;
  real_volume: number;
};

export type BarGapParams = {
  channel: BarChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: GapType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Gap;
};

export type BarSnapshotParams = {
  channel: BarChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: BarEvent;
};

export type BarUpdateParams = {
  channel: BarChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: BarEvent;
};

/** Bars of a symbol, oldest first. */
export type Bars = {
  symbol: string;
  timeframe: Timeframe;
  bars: Array<Bar>;
  /** Give it as `cursor` for the next page; null on the last. */
  next_cursor: string | null;
  /** Whether this is all that the broker has of what was asked for, up to `next_cursor`. */
  complete: boolean;
  /**
   * Why it is not complete: `loading` (ask the same again), `max_bars` (the terminal keeps
   * no more: "Max bars in chart" in its options) or `terminal_error` (its log may say why).
   */
  reason: Incomplete | null;
};

/** A whole order book, also on the channel `book`: sells first, highest price first. */
export type Book = {
  symbol: string;
  levels: Array<BookLevel>;
  /** When the terminal saw it; null from a terminal that does not say. */
  time: number | null;
  broker_time: number | null;
};

export type BookChannel = string;

export type BookEndParams = {
  channel: BookChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: EndType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: ChannelEnd;
};

/** One level of an order book. */
export type BookLevel = {
  type: BookType;
  price: number;
  volume: number;
};

export type BookSnapshotParams = {
  channel: BookChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Book;
};

export type BookType = BookTypeWord | Other;

export type BookTypeWord = "sell" | "buy" | "sell_market" | "buy_market";

export type BookUpdateParams = {
  channel: BookChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Book;
};

/** Offset of broker time to UTC: learnt from the terminal, since MetaTrader does not tell. */
export type BrokerOffset = {
  /** Broker time minus UTC, now. */
  broker_utc_offset_s: number;
  /**
   * How the offset of other dates follows: broker midnight is the close of New York, so that
   * its summer time is America's (most brokers); Eastern European Time; or always the same.
   */
  rule: ClockRule;
  /** `ticks`: measured on fresh quotes; `assumed`: none has come yet, the commonest rule. */
  source: ClockSource;
  /** `high`: many measurements agree; `low`: few yet; `none`: assumed. */
  confidence: Confidence;
  /** Since when the present offset has been measured, UTC milliseconds; null if assumed. */
  since: number | null;
};

export type Change = "add" | "change" | "remove";

/** The terminal turned out not to have the channel: no more events come. */
export type ChannelEnd = {
  /** Of the error. */
  code: number;
  /** Its stable name: `symbol_not_found`. */
  name: string;
};

export type ChannelItems = Item | Array<Item>;

/** A channel with its particulars. */
export type ChannelRequest = {
  channel: string;
  /** May be left out, since a token is for one terminal. */
  terminal?: string | null;
  /** False: begin with the next change, unless `since` is not recovered. */
  snapshot?: boolean;
  /** Go on after this event, if what came since is still there. */
  since?: Since | null;
};

/** The account as it would be after the request: MetaTrader's `OrderCheck`. */
export type CheckResult = {
  /** The request would be accepted, as far as the terminal can tell. */
  passes: boolean;
  /** 0 if it would pass, else the `TRADE_RETCODE_*` of the refusal. */
  retcode: number;
  /** `TRADE_RETCODE_NO_MONEY`; null if it would pass. */
  retcode_name: string | null;
  /** This and the other sums are null where the terminal did not compute them. */
  balance: number | null;
  equity: number | null;
  profit: number | null;
  margin: number | null;
  margin_free: number | null;
  margin_level: number | null;
  comment: string;
  /** The error that `place_order` would meet; null if the request would pass. */
  error: OrderError | null;
};

/** Bounds that a client can run into. */
export type ClientLimits = {
  /** A request body or WebSocket message. */
  max_message_bytes: number;
  /** An answer; larger results are paged. */
  max_response_bytes: number;
  /** Calls in one batch. */
  max_batch: number;
  /** Calls being answered on one connection. */
  max_in_flight: number;
  /** WebSocket connections of one token. */
  max_websockets: number;
  /** Subscribed channels of one connection. */
  max_channels: number;
  /** Events waiting for a slow connection; above that it is closed with 4000. */
  queue_bytes: number;
  /** The same, counted: events that came at once are one. */
  queue_messages: number;
  /**
   * Trades of the account in the long run, whichever tokens they come with; null: any number.
   * One beyond is refused with `limit_exceeded` and the time to wait, unless it reduces.
   */
  orders_per_second: number | null;
  /** How many of them may come at once, after a pause; null where their number is not bounded. */
  order_burst: number | null;
  /** New orders of the account in any 60 seconds; null: any number. */
  max_orders_per_minute: number | null;
};

/** The program that calls, for logs. */
export type ClientName = {
  name: string;
  version?: string;
};

/** Your name for this request; the gateway makes one if absent. The same request with the same name is carried out once, for good. It is echoed in the answer and in errors, and a tag of it stands in the order's comment. */
export type ClientOrderId = string;

export type ClockRule = "new_york+7h" | "eet" | "constant";

export type ClockSource = "ticks" | "assumed";

/** Kept with the order after the gateway's tag of 10 characters; cut so that both fit MetaTrader's 31. Brokers may overwrite it. */
export type Comment = string;

export type Confidence = "high" | "low" | "none";

/** The console that the gateway takes its tokens from, and what that means for yours. */
export type ConsoleInfo = {
  url: string;
  /** It can tell the gateway at once what has changed; else the gateway asks twice a minute. */
  connected: boolean;
  /** When the gateway last had its word, UTC milliseconds; null: not since the start. */
  last_sync: number | null;
  /** What is wrong with the link, and what to do; null if nothing is. */
  problem: string | null;
  /** The clock of the gateway's machine went back, and the console was not reached since. */
  clock_suspect: boolean;
  /**
   * What your token may do now: all that its scopes allow; only close positions, cancel orders
   * and tighten stops; only read; nothing.
   */
  tier: Tier;
  /** Why it is not `full`, in the words of `data.reason`; null if it is. */
  tier_reason: string | null;
  /** When it becomes less if the console stays silent, UTC milliseconds. */
  tier_ends: number | null;
  /** How long the console vouches for your token, UTC milliseconds; it is renewed long before. */
  lease_ends: number | null;
  /** Id of the gateway's machine, as the console knows it. */
  device: string;
  /** Four words for it, by which people compare. */
  device_words: string;
};

/** The timer that `cancel_all_after` has set. */
export type Countdown = {
  /** UTC milliseconds, if nothing is said until then; null: it is off. */
  fires_at: number | null;
  timeout_ms: number;
  action: Action;
};

/** `next_cursor` of the page before this one. */
export type CursorText = string;

export type DayOfWeek = DayOfWeekWord | Other;

export type DayOfWeekWord = "sunday" | "monday" | "tuesday" | "wednesday" | "thursday" | "friday" | "saturday";

/** The same as a moment, UTC milliseconds; the earlier one counts. */
export type DeadlineMs = number;

/** An execution, or a balance operation (then `symbol`, `order` and `entry` are null). */
export type Deal = {
  ticket: number;
  order: number | null;
  time: number | null;
  broker_time: number | null;
  type: DealType;
  entry: DealEntry | null;
  magic: number;
  position_id: number | null;
  reason: DealReason;
  volume: number;
  price: number | null;
  commission: number;
  swap: number;
  profit: number;
  fee: number;
  symbol: string | null;
  comment: string;
  external_id: string;
  /** True: of paper trading; no market has seen it. */
  paper: boolean;
};

export type DealEntry = DealEntryWord | Other;

export type DealEntryWord = "in" | "out" | "inout" | "out_by";

/** `deals`: an execution or a balance operation. */
export type DealEvent = {
  op: Added;
  deal: Deal;
};

export type DealReason = DealReasonWord | Other;

export type DealReasonWord = "client" | "mobile" | "web" | "expert" | "sl" | "tp" | "so" | "rollover" | "vmargin" | "split";

export type DealType = DealTypeWord | Other;

export type DealTypeWord = "buy" | "sell" | "balance" | "credit" | "charge" | "correction" | "bonus" | "commission" | "commission_daily" | "commission_monthly" | "commission_agent_daily" | "commission_agent_monthly" | "interest" | "buy_canceled" | "sell_canceled" | "dividend" | "dividend_franked" | "tax";

export type DealsChannel = string;

export type DealsEndParams = {
  channel: DealsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: EndType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: ChannelEnd;
};

export type DealsGapParams = {
  channel: DealsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: GapType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Gap;
};

export type DealsUpdateParams = {
  channel: DealsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: DealEvent;
};

export type Delivery = "latest" | "lossless" | "mixed";

/** Rule for a connection's orders when the connection is lost. */
export type DisconnectRule = {
  enabled: boolean;
  scope: DisconnectScope;
  action: Action;
  grace_ms: number;
  /**
   * The one of `hello`, by which the program can come back within the grace; null: it cannot.
   *
   */
  session_id: string | null;
};

export type DisconnectScope = "connection" | "terminal";

/** The link to the terminal. Answered by the gateway itself, so also while it is offline. */
export type EaStatus = {
  /** The name of the terminal, as given with its token. */
  terminal: string;
  /** The EA is linked and heard of within the last seconds: `state` is `ready`. */
  connected: boolean;
  state: LinkState;
  /** This and what follows is null until the EA has been connected once. */
  platform: Platform | null;
  ea_version: string | null;
  build: number | null;
  login: number | null;
  server: string | null;
  company: string | null;
  /**
   * What this terminal can do beyond the basics: `ticks` (history), `book`, `deals`,
   * `check`, `lease`.
   */
  capabilities: Array<string>;
  /** Since when it has been in this state, UTC milliseconds. */
  state_since: number | null;
  /** When the EA was last heard of, UTC milliseconds; null while disconnected. */
  last_heartbeat: number | null;
  /** Round trip of the last heartbeat. */
  rtt_ms: number | null;
  /** The terminal is connected to the broker. */
  broker_connected: boolean | null;
  /** The AutoTrading button is on and the EA may trade. */
  autotrading: boolean | null;
  /** The account trades on paper: no order reaches the market. */
  paper: boolean;
  /** Channels that this connection hears; over `/rpc`, that the token has subscribed to. */
  subscriptions: number;
};

export type EndType = "end";

export type ExpirationFlag = ExpirationFlagWord | Other;

export type ExpirationFlagWord = "gtc" | "day" | "specified" | "specified_day";

/** The answer to `logout`. */
export type Farewell = {
  /** Always true: nothing comes after this. */
  closing: boolean;
};

/** The filling mode of a request. */
export type Filling = {
  /** The one in force. */
  chosen: OrderFilling;
  /**
   * All that were sent, in order: a second one only after the broker refused the first as
   * unsupported (10030), and only when the caller named none.
   */
  tried: Array<OrderFilling>;
};

export type FillingParam = FillingParamWord | FillingParamNumber;

/** MetaTrader's number. */
export type FillingParamNumber = 0 | 1 | 2 | 3;

export type FillingParamWord = "fok" | "ioc" | "return" | "boc";

export type FinalOutcome = "done" | "rejected" | "not_sent";

/** Events are missing; a `snapshot` follows where the channel has one. */
export type Gap = {
  /** The first number that is missing. */
  from: number;
  /** The last; null: nobody knows. */
  to: number | null;
  reason: GapReason;
};

export type GapReason = "ea_restarted" | "events_lost" | "account_changed" | "paper_switched" | "ticks_lost" | "history_too_long";

export type GapType = "gap";

/** Trading is halted, by somebody, since some time. */
export type Halt = {
  /** Of all terminals, not of this one alone. */
  everywhere: boolean;
  /** `cli`, `console`, `drawdown`, or `token` and its public id. */
  armed_by: string;
  /** UTC milliseconds. */
  since: number;
  /** What was said; may be empty. */
  reason: string;
  /** Closing, cancelling and tightening stops go on. */
  reductions: boolean;
  /** Only `mt-gateway resume`, or a token of the scope `admin`, lifts it. */
  by_admin: boolean;
};

export type HaltReason = string;

export type HeartbeatChannel = string;

/** `heartbeat`: the gateway is alive. */
export type HeartbeatEvent = {
  /** The gateway's clock, UTC milliseconds. */
  time: number;
};

export type HeartbeatUpdateParams = {
  channel: HeartbeatChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: HeartbeatEvent;
};

/** The connection is open. */
export type HelloResult = {
  /** Version of the protocol that is spoken. */
  api: number;
  server: ServerIdentity;
  /** Those of the features asked for that are in force. */
  features: Array<string>;
  /** What the token may be used for. */
  scopes: Array<Scope>;
  /** Some frame comes at least this often. */
  heartbeat_ms: number;
  /** The gateway's clock, UTC milliseconds. */
  time: number;
  limits: ClientLimits;
  terminals: Array<TerminalState>;
};

/** A page of the account's past. Lists that were not asked for are empty. */
export type History = {
  kind: HistoryKind;
  /** By the time they ended, oldest first. */
  orders: Array<Order>;
  /** By their time, oldest first. */
  deals: Array<Deal>;
  /** By the time they were closed, oldest first. */
  positions: Array<HistoryPosition>;
  /** Give it as `cursor` for the next page; null on the last. */
  next_cursor: string | null;
  /** What this platform does not keep: on MetaTrader 4 the fees and reasons of positions. */
  unavailable: Array<string>;
};

export type HistoryKind = "orders" | "positions" | "deals" | "orders_deals";

/**
 * A position that is closed, put together from its deals.
 *
 * A netting position that was reversed counts as two: the reversal closes one, opens the next.
 */
export type HistoryPosition = {
  position_id: number;
  symbol: string;
  type: PositionType;
  /** Opened in all, which is what was closed in all. */
  volume: number;
  /** Average of its entries, weighted by volume. */
  price_open: number;
  /** Average of its exits. */
  price_close: number;
  /** When it was opened. */
  time: number | null;
  broker_time: number | null;
  time_close: number | null;
  broker_time_close: number | null;
  /** Without commission, swap and fee. */
  profit: number | null;
  commission: number | null;
  swap: number | null;
  fee: number | null;
  magic: number;
  /** Of the deal that opened it. */
  comment: string;
  /** What closed it; null on MetaTrader 4. */
  reason: DealReason | null;
  /** Tickets of its deals, oldest first; empty on MetaTrader 4. */
  deals: Array<number>;
  /** True: of paper trading; no market has seen it. */
  paper: boolean;
};

/** One tick of `get_history_ticks`. */
export type HistoryTick = {
  time: number;
  broker_time: number;
  bid: number | null;
  ask: number | null;
  last: number | null;
  volume: number | null;
  /** What changed, MetaTrader's bit mask: 2 bid, 4 ask, 8 last, 16 volume, 32 buy, 64 sell. */
  flags: number;
};

/** Ticks of a symbol, oldest first. */
export type HistoryTicks = {
  symbol: string;
  ticks: Array<HistoryTick>;
  /** Give it as `cursor` for the next page; null on the last. */
  next_cursor: string | null;
  /** Whether this is all that the broker has of what was asked for, up to `next_cursor`. */
  complete: boolean;
  /**
   * Why it is not complete: `loading` (ask the same again), `max_bars` (the terminal keeps
   * no more: "Max bars in chart" in its options) or `terminal_error` (its log may say why).
   */
  reason: Incomplete | null;
};

export type Incomplete = "loading" | "max_bars" | "terminal_error";

export type Item = string | ChannelRequest | VendorRequest;

export type KillCause = "halt" | "resume" | "disconnect" | "timer" | "lease" | "account";

/** `terminal`: trading was halted or goes on, or a program has fallen silent. */
export type KillSwitchEvent = {
  event: KillSwitchTag;
  /**
   * `halt` and `resume`: by hand. `disconnect`: a connection was lost for longer than its
   * grace. `timer`: that of `cancel_all_after`. `lease`: the gateway itself had fallen
   * silent, and the EA has acted; told when it is back. `account`: nothing was done, the terminal
   * is logged in to another account, and what was armed (`cancel_all_after`,
   * `set_cancel_on_disconnect`) waits for the one before.
   */
  cause: KillCause;
  /** Whether new orders are let through now. */
  trading_enabled: boolean;
  /** Who halts trading now; null: nobody. */
  armed_by: string | null;
  /** UTC milliseconds. */
  since: number | null;
  /** It is about all terminals. */
  everywhere: boolean;
  /** Tickets of the orders that are gone. */
  cancelled: Array<number>;
  /** Tickets of the positions that are gone. */
  closed: Array<number>;
  failed: Array<SweepFailure>;
  /** True: what was cancelled and closed was of paper trading. */
  paper: boolean;
  /** UTC milliseconds. */
  time: number;
};

export type KillSwitchTag = "kill_switch";

export type LifetimeParam = LifetimeParamWord | LifetimeParamNumber;

/** MetaTrader's number. */
export type LifetimeParamNumber = 0 | 1 | 2 | 3;

export type LifetimeParamWord = "gtc" | "day" | "specified" | "specified_day";

export type LinkState = "ready" | "stale" | "disconnected";

/** Most in one answer; all if absent. */
export type ListLimit = number;

/** The mark of your program; 0 for none. At most 2147483647 on MetaTrader 4. */
export type Magic = number;

/** Margin that a trade would need, in the account's currency. */
export type Margin = {
  margin: number;
  currency: string;
};

export type MarginMode = MarginModeWord | Other;

export type MarginModeWord = "netting" | "exchange" | "hedging";

export type NativeKind = "account" | "terminal" | "symbol" | "symbols" | "tick" | "book" | "positions" | "orders" | "history_orders" | "history_deals";

/** Records of one kind, a row each. */
export type NativeRecords = {
  kind: NativeKind;
  /** Names of a row's values, MetaTrader's own. */
  fields: Array<string>;
  /** Null: this platform does not know the field. */
  rows: Array<Array<NativeValue>>;
  /** Give it as `after` for the next page; null on the last. */
  next: number | null;
};

export type NativeValue = boolean | number | string | null;

export type NormalizedField = "volume" | "price" | "sl" | "tp" | "stoplimit";

export type NotRecovered = "epoch_changed" | "evicted" | "ahead";

/** A channel that could not be subscribed to. */
export type NotSubscribed = {
  /** As it was asked for. */
  channel: string;
  code: number;
  /** The stable name of the error with that code. */
  name: string;
  message: string;
  did_you_mean: Array<string>;
};

export type OcoEnd = "filled" | "canceled" | "expired" | "rejected" | "gone";

/** Its `id`. */
export type OcoId = string;

/**
 * Orders of which the first that is filled, even in part, or ends otherwise, cancels the
 * others.
 */
export type OcoLink = {
  id: string;
  /**
   * `cancelling`: one has ended, and the others are being cancelled, for as long as it takes;
   * `done`: none of them waits any more.
   */
  state: OcoState;
  orders: Array<OcoOrder>;
  /** Name of the error that the last cancel met; null for none. */
  problem: string | null;
  /** UTC milliseconds. */
  created: number;
  ended: number | null;
  /** True: orders of paper trading. */
  paper: boolean;
  /**
   * The gateway cancels, while it runs and the terminal is linked; what happened meanwhile is
   * looked up when both are back. In a fast market more than one may be filled.
   */
  runs_in: RunsInGateway;
};

/** One of the orders that are linked. */
export type OcoOrder = {
  ticket: number;
  /** How it ended: `gone` if nobody knows; null while it waits. */
  end: OcoEnd | null;
};

export type OcoState = "active" | "cancelling" | "done" | "unlinked";

export type OptionMode = OptionModeWord | Other;

export type OptionModeWord = "european" | "american";

export type OptionRight = OptionRightWord | Other;

export type OptionRightWord = "call" | "put";

/** A pending or a past order. */
export type Order = {
  ticket: number;
  time_setup: number | null;
  broker_time_setup: number | null;
  /** When it was filled, cancelled or expired; null while it is open. */
  time_done: number | null;
  broker_time_done: number | null;
  time_expiration: number | null;
  broker_time_expiration: number | null;
  type: OrderType;
  type_time: OrderTime;
  type_filling: OrderFilling;
  state: OrderState;
  magic: number;
  /** The position that it opened, changed or closed; null until it did. */
  position_id: number | null;
  /** The opposite position, of a `close_by`. */
  position_by_id: number | null;
  reason: OrderReason;
  volume_initial: number;
  /** What has not been filled yet. */
  volume_current: number;
  price_open: number | null;
  sl: number | null;
  tp: number | null;
  /** The market; of a past trade on MetaTrader 4 its closing price. */
  price_current: number | null;
  price_stoplimit: number | null;
  symbol: string;
  comment: string;
  external_id: string;
  /**
   * True: the gateway keeps it, since the platform has no such orders; the terminal does not
   * know it. Its ticket, 4503599627370497 or more, is the gateway's.
   */
  emulated: boolean;
  /** Of an emulated order that was triggered: ticket of the limit order that took its place. */
  became: number | null;
  /** True: of paper trading; no market has seen it. */
  paper: boolean;
};

/** The error that the request was answered with. */
export type OrderError = {
  code: number;
  message: string;
  data: Record<string, unknown>;
};

/** `orders`: one order was placed, changed, or left the book with its final state. */
export type OrderEvent = {
  op: Change;
  order: Order;
};

export type OrderFilling = OrderFillingWord | Other;

export type OrderFillingWord = "fok" | "ioc" | "return" | "boc";

export type OrderFlag = OrderFlagWord | Other;

export type OrderFlagWord = "market" | "limit" | "stop" | "stop_limit" | "sl" | "tp" | "close_by";

/** Present state, at the terminal, of what the request made or touched. */
export type OrderNow = {
  /** Pending. */
  orders: Array<Order>;
  positions: Array<Position>;
  past_orders: Array<Order>;
};

/** The order as the broker took it. Ids that this request did not make or touch are null. */
export type OrderOutcome = {
  /** Ticket of the order. */
  order: number | null;
  /** Ticket of the deal, when something was filled. */
  deal: number | null;
  /** The position that was opened, changed or closed. */
  position: number | null;
  /** Yours, or the one that the gateway made. */
  client_order_id: string;
  /**
   * True: the platform has no such order (stop-limit on MetaTrader 4), so the gateway keeps it,
   * and sends a limit order when its price is reached. Only while it runs and is linked.
   */
  emulated: boolean;
  /** As the broker names it. */
  symbol: string;
  /** As you named it; null where you named none. */
  symbol_requested: string | null;
  /** Buy or sell; null for a `close_by`. */
  side: Side | null;
  /** Null when a position's stops were changed. */
  type: OrderType | null;
  /**
   * `filled`, `partial`, `placed`, `canceled`; `not_sent` if only validated; null when
   * a position's stops were changed.
   */
  state: OutcomeState | null;
  /** As asked for. */
  volume: number | null;
  /** As filled by this request. */
  filled_volume: number;
  /** The price asked for; null at market. */
  price: number | null;
  /** Where it was filled; null where nothing was, or the terminal does not know yet. */
  avg_price: number | null;
  sl: number | null;
  tp: number | null;
  magic: number;
  /**
   * As sent: the gateway's tag (`g` and 9 characters), then yours, cut to fit. Brokers may
   * overwrite it.
   */
  comment: string;
  /** The market when the broker answered, if it said. */
  bid: number | null;
  ask: number | null;
  /** 10008 placed, 10009 done, 10010 partially done, 10025 nothing to change; 0 if not sent. */
  retcode: number;
  /** `TRADE_RETCODE_DONE`. */
  retcode_name: string | null;
  retcode_external: number;
  request_id: number;
  /** When the gateway had the answer, UTC milliseconds. */
  time: number;
};

export type OrderReason = OrderReasonWord | Other;

export type OrderReasonWord = "client" | "mobile" | "web" | "expert" | "sl" | "tp" | "so";

/** The answer to everything that trades. */
export type OrderReceipt = {
  /**
   * False with `validate_only`: nothing was sent, `check` says how it would end. False as
   * well of an order that the gateway keeps itself: `order.emulated` is true then.
   */
  sent: boolean;
  /**
   * True where this is the answer of an earlier call with the same `client_order_id`: nothing
   * was sent again.
   */
  duplicate: boolean;
  /** True: it was filled on paper, at the terminal's prices, and nothing reached the market. */
  paper: boolean;
  /** False when there was nothing to change (10025), and with `validate_only`. */
  changed: boolean;
  order: OrderOutcome;
  /** Null where no filling mode applies: pending changes, MetaTrader 4. */
  filling: Filling | null;
  /** What `normalize: true` moved onto the symbol's grid. */
  normalized: Array<NormalizedField>;
  /** With `validate_only`, where the terminal has `OrderCheck`. */
  check: CheckResult | null;
  timing_ms: Timing;
  /** What this platform does not tell of a trade; empty on MetaTrader 5. */
  unavailable: Array<string>;
};

/** One request that could change the account, and what became of it. */
export type OrderRecord = {
  client_order_id: string;
  terminal: string;
  /** True: its commands went to the paper broker, and no market has seen them. */
  paper: boolean;
  /** Null for what the gateway did by itself. */
  method: string | null;
  /** Those that differ from their defaults. */
  params: Record<string, unknown>;
  state: OrderStage;
  /**
   * `pending`: being carried out right now. `not_sent`: nothing happened, and the id is
   * free. `unknown`: it may have been executed; the gateway goes on looking.
   */
  outcome: RecordOutcome;
  /** Its end was not answered by the terminal in time but found there later. */
  reconciled: boolean;
  time_created: number;
  time_updated: number;
  sends: Array<SentCommand>;
  /** What the request was answered with: an `OrderReceipt` for orders. */
  result: Record<string, unknown> | null;
  error: OrderError | null;
  /** Null: nobody has settled it by hand. */
  settlement: OrderSettlement | null;
  /**
   * Null while the terminal is offline, where no ticket is known, and while paper trading is
   * switched otherwise than it was for the request.
   */
  now: OrderNow | null;
};

/** `orders`: the outcome of a request that was unknown (2102) has been found out. */
export type OrderSettled = {
  op: Settled;
  client_order_id: string;
  outcome: FinalOutcome;
  /** As `get_order` tells it: what the request would have been answered with. */
  result: Record<string, unknown> | null;
  error: OrderError | null;
  /**
   * A person has said so, or, with `time_contradicted`, has said otherwise before; null: the
   * gateway found it out by itself.
   */
  settlement: OrderSettlement | null;
  /** True: a request of paper trading. */
  paper: boolean;
};

/** Outcome that a person has given to a request whose outcome was unknown. */
export type OrderSettlement = {
  /** `token` and its public id. */
  by: string;
  outcome: SettledOutcome;
  /** Of the order that is said to be this one's. */
  ticket: number | null;
  /** The terminal has shown that order, and it is of the kind that was asked for. */
  checked: boolean;
  /** For people: what was looked at, and what was not. */
  note: string;
  time: number;
  /** When the terminal has said otherwise since, and that counts; null: it has not. */
  time_contradicted: number | null;
};

export type OrderStage = "received" | "journaled" | "sent" | "acked" | "done" | "rejected" | "unknown" | "not_sent";

export type OrderState = OrderStateWord | Other;

export type OrderStateWord = "started" | "placed" | "canceled" | "partial" | "filled" | "rejected" | "expired" | "request_add" | "request_modify" | "request_cancel";

export type OrderTime = OrderTimeWord | Other;

export type OrderTimeWord = "gtc" | "day" | "specified" | "specified_day";

export type OrderType = OrderTypeWord | Other;

export type OrderTypeParam = OrderTypeParamWord | OrderTypeParamNumber;

/** MetaTrader's number. */
export type OrderTypeParamNumber = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7;

export type OrderTypeParamWord = "market" | "limit" | "stop" | "stop_limit" | "buy" | "sell" | "buy_limit" | "sell_limit" | "buy_stop" | "sell_stop" | "buy_stop_limit" | "sell_stop_limit";

export type OrderTypeWord = "buy" | "sell" | "buy_limit" | "sell_limit" | "buy_stop" | "sell_stop" | "buy_stop_limit" | "sell_stop_limit" | "close_by";

export type OrdersChannel = string;

export type OrdersGapParams = {
  channel: OrdersChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: GapType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Gap;
};

/** `orders`: all open orders, when the stream starts. */
export type OrdersSnapshot = {
  orders: Array<Order>;
};

export type OrdersSnapshotParams = {
  channel: OrdersChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: OrdersSnapshot;
};

export type OrdersUpdate = OrderEvent | OrderSettled;

export type OrdersUpdateParams = {
  channel: OrdersChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: OrdersUpdate;
};

/** Unknown to the gateway. */
export type Other = string;

export type Outcome = "not_sent" | "rejected" | "unknown";

export type OutcomeState = OrderState | OutcomeStateWord;

export type OutcomeStateWord = "not_sent";

/**
 * Bars or ticks as bytes: records of 60 bytes, one after another, little-endian.
 *
 * A bar is `time` (int64, seconds), `open`, `high`, `low`, `close` (float64),
 * `tick_volume` (uint64), `spread` (int32), `real_volume` (uint64). A tick is `time`
 * (int64, seconds), `bid`, `ask`, `last` (float64), `volume` (uint64), `time_msc`
 * (int64), `flags` (uint32), `volume_real` (float64).
 */
export type PackedRows = {
  count: number;
  /** The bytes in base64. */
  data: string;
  /** Whether this is all that the broker has of what was asked for. */
  complete: boolean;
  /** Why it is not complete; see `get_ohlc`. */
  reason: Incomplete | null;
};

export type PingEcho = number | string;

export type Platform = "mt4" | "mt5";

export type PnlChannel = string;

/** `pnl`: the floating result of every open position. */
export type PnlEvent = {
  positions: Array<PositionPnl>;
  /** True: the positions are those of paper trading. */
  paper: boolean;
};

export type PnlSnapshotParams = {
  channel: PnlChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: PnlEvent;
};

export type PnlUpdateParams = {
  channel: PnlChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: PnlEvent;
};

/** In points of the symbol. */
export type Points = number;

/** The gateway is alive. */
export type Pong = {
  /** What you sent. */
  t: PingEcho | null;
  /** The gateway's clock, UTC milliseconds. */
  time: number;
  /** By name. */
  terminals: Record<string, TerminalPing>;
};

/** An open position. */
export type Position = {
  ticket: number;
  /** When it was opened. */
  time: number | null;
  broker_time: number | null;
  time_update: number | null;
  broker_time_update: number | null;
  type: PositionType;
  /** The mark of the program that opened it; 0 for none. */
  magic: number;
  /** `position_id` of its orders and deals; unlike `ticket` it never changes. */
  identifier: number;
  reason: PositionReason;
  volume: number;
  price_open: number;
  sl: number | null;
  tp: number | null;
  price_current: number | null;
  swap: number;
  profit: number;
  symbol: string;
  comment: string;
  external_id: string;
  /** True: of paper trading; no market has seen it. */
  paper: boolean;
};

/** `positions`: one was opened, changed or closed. Floating profit is on `pnl`. */
export type PositionEvent = {
  op: Change;
  position: Position;
};

/** The floating result of one position, in the account's currency. */
export type PositionPnl = {
  ticket: number;
  price_current: number;
  swap: number;
  profit: number;
};

export type PositionReason = PositionReasonWord | Other;

export type PositionReasonWord = "client" | "mobile" | "web" | "expert";

export type PositionType = PositionTypeWord | Other;

export type PositionTypeWord = "buy" | "sell";

export type PositionsChannel = string;

export type PositionsGapParams = {
  channel: PositionsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: GapType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Gap;
};

/** `positions`: all open positions, when the stream starts. */
export type PositionsSnapshot = {
  positions: Array<Position>;
};

export type PositionsSnapshotParams = {
  channel: PositionsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: PositionsSnapshot;
};

export type PositionsUpdateParams = {
  channel: PositionsChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: PositionEvent;
};

export type Price = number | PriceText;

export type PriceText = string;

/** Profit that a trade would bring, in the account's currency. */
export type Profit = {
  profit: number;
  currency: string;
};

export type RecordOutcome = "pending" | "done" | "rejected" | "not_sent" | "unknown";

export type RunsInGateway = "gateway";

export type RunsInTerminal = "terminal";

export type Scope = "read" | "trade" | "admin" | "remote";

/** One command that was sent to the terminal for the request. Times are null if not known. */
export type SentCommand = {
  command_id: number;
  state: OrderStage;
  symbol: string;
  /** Null when a position's stops were changed. */
  type: OrderType | null;
  volume: number | null;
  /** As sent, with the gateway's tag. */
  comment: string;
  time_created: number;
  time_written: number | null;
  time_ended: number | null;
  retcode: number | null;
  retcode_name: string | null;
  /** Ticket, once it is known. */
  order: number | null;
  deal: number | null;
  position: number | null;
};

/** Identity of this gateway. */
export type ServerIdentity = {
  name: string;
  version: string;
  /** New with each start of the daemon. */
  boot: string;
};

/** The gateway, its limits, and how it tells broker time. */
export type ServerInfo = {
  name: string;
  version: string;
  api: number;
  /** New with each start of the daemon. */
  boot: string;
  /** The gateway's clock, UTC milliseconds. */
  time: number;
  /** UTC milliseconds. */
  started: number;
  uptime_ms: number;
  rpc_url: string;
  ws_url: string;
  /** What the token may be used for. */
  scopes: Array<Scope>;
  limits: ClientLimits;
  /** Those that the token opens. */
  terminals: Array<TerminalServerInfo>;
  /** Null for a gateway that makes its own tokens. */
  console: ConsoleInfo | null;
};

/** The broker's clock. */
export type ServerTime = {
  /** The broker's time now, UTC milliseconds. */
  time: number;
  /** The same on the broker's wall clock, in milliseconds. */
  broker_time: number;
  /** Broker time minus UTC. */
  utc_offset_seconds: number;
  /** Time of the last quote (`TimeCurrent`), UTC milliseconds: stands still without quotes. */
  last_quote_time: number;
  /** UTC of the terminal's machine (`TimeGMT`), in milliseconds. */
  terminal_time: number;
  /** The terminal's machine: local time minus UTC. */
  local_offset_seconds: number;
  offset: BrokerOffset;
  /**
   * What this platform does not tell: on MetaTrader 4 `trade_server_time`, so that `time`
   * comes from the terminal's machine and the measured offset.
   */
  unavailable: Array<string>;
};

export type Settled = "settled";

export type SettledOutcome = "done" | "rejected";

export type Side = "buy" | "sell";

export type SideParam = SideParamWord | SideParamNumber;

/** MetaTrader's number. */
export type SideParamNumber = 0 | 1;

export type SideParamWord = "buy" | "sell";

/** Position of a client's copy of a channel: members of the last event it has. */
export type Since = {
  epoch: string;
  seq: number;
};

export type SnapshotType = "snapshot";

export type StopParam = Price | StopParamWord;

export type StopParamWord = "keep";

export type StopoutMode = StopoutModeWord | Other;

export type StopoutModeWord = "percent" | "money";

/** Result for each channel. */
export type SubscribeResult = {
  subscribed: Array<Subscribed>;
  failed: Array<NotSubscribed>;
};

/**
 * A channel whose events come from now on, the first of them a `snapshot` where it has
 * one.
 */
export type Subscribed = {
  /** Its canonical name, which events carry. */
  channel: string;
  terminal: string;
  /**
   * `latest`: events may be merged into newer ones while you are slow; `lossless`: never;
   * `mixed`: closed bars never, the forming one may.
   */
  delivery: Delivery;
  /**
   * Numbers of different epochs can't be compared. With `recovered` it goes on from that of
   * `since`, also where it is another one since the gateway was started anew.
   */
  epoch: string;
  /** Of the last event before the first new one that you get; what is told again comes first. */
  seq: number;
  /** With `since`: whether what came after it is told in full; null without. */
  recovered: boolean | null;
  /** Why it was not recovered: then a snapshot follows. */
  reason: NotRecovered | null;
  /** Events told again because of `since`. */
  replayed: number;
  /** It was subscribed to before. */
  already: boolean;
  /**
   * False while the terminal is offline: the channel begins, with its snapshot, when it comes
   * back; the channel `terminal` tells when.
   */
  live: boolean;
};

/** A channel that is subscribed to. */
export type Subscription = {
  channel: string;
  terminal: string;
  delivery: Delivery;
  epoch: string;
  /** Of its last event. */
  seq: number;
  live: boolean;
  /**
   * `token`: made over `/rpc`, heard by every `/ws` of the token that authenticated by
   * header.
   */
  owner: SubscriptionOwner;
  /** Events that wait because a connection is slow. */
  queued: number;
  /** Events that were merged into newer ones for that reason. */
  conflated_total: number;
};

export type SubscriptionOwner = "connection" | "token";

/** Subscriptions of the connection; over `/rpc` those of the token. */
export type Subscriptions = {
  subscriptions: Array<Subscription>;
};

/** An order or a position that is still there, or may be. */
export type SweepFailure = {
  kind: SweptKind;
  ticket: number;
  /** Of the error that it failed with. */
  code: number;
  /** The same as a word: `market_closed`. */
  name: string;
  /** For people. */
  message: string;
  /** `unknown`: it may be gone. What was not sent or was rejected can be tried again. */
  outcome: Outcome | null;
};

/** Results for many orders and positions. */
export type Swept = {
  /** Tickets of the orders that are gone. */
  cancelled: Array<number>;
  /** Tickets of the positions that are gone. */
  closed: Array<number>;
  failed: Array<SweepFailure>;
  /** True: of paper trading; no market has seen it. */
  paper: boolean;
  /** This is what an earlier call with the same `client_order_id` was answered. */
  duplicate: boolean;
};

export type SweptKind = "order" | "position";

/** The broker's name of the symbol, or that without its prefix or suffix, in any case: `EURUSD` is `EURUSD.r` where that is the only one. */
export type Symbol = string;

export type SymbolCalcMode = SymbolCalcModeWord | Other;

export type SymbolCalcModeWord = "forex" | "futures" | "cfd" | "cfdindex" | "cfdleverage" | "forex_no_leverage" | "exch_stocks" | "exch_futures" | "exch_options" | "exch_options_margin" | "exch_bonds" | "exch_stocks_moex" | "exch_bonds_moex" | "serv_collateral";

export type SymbolChartMode = SymbolChartModeWord | Other;

export type SymbolChartModeWord = "bid" | "last";

export type SymbolExecution = SymbolExecutionWord | Other;

export type SymbolExecutionWord = "request" | "instant" | "market" | "exchange";

export type SymbolGtcMode = SymbolGtcModeWord | Other;

export type SymbolGtcModeWord = "gtc" | "daily" | "daily_no_stops";

/**
 * MetaTrader's `SymbolInfo*`. Levels and `spread` in points, volumes in lots; prices that
 * the broker does not give (`last` of a currency pair) are null.
 */
export type SymbolInfo = {
  name: string;
  description: string;
  path: string;
  custom: boolean | null;
  chart_mode: SymbolChartMode | null;
  /** It is in Market Watch. */
  select: boolean;
  visible: boolean;
  digits: number;
  point: number;
  spread: number;
  spread_float: boolean;
  trade_calc_mode: SymbolCalcMode | null;
  trade_mode: SymbolTradeMode;
  trade_exemode: SymbolExecution;
  /** Least distance of stops from the market, in points. */
  trade_stops_level: number;
  /** Closer to the market than this, orders can't be changed, in points. */
  trade_freeze_level: number;
  trade_contract_size: number;
  trade_tick_size: number;
  trade_tick_value: number;
  trade_tick_value_profit: number | null;
  trade_tick_value_loss: number | null;
  trade_accrued_interest: number;
  trade_face_value: number;
  trade_liquidity_rate: number;
  volume_min: number;
  volume_max: number;
  volume_step: number;
  /** Most volume in one direction; null where there is no limit. */
  volume_limit: number | null;
  /**
   * The bit mask as words: modes that the broker allows beside `return`, which is allowed
   * for pending orders always and at market wherever `trade_exemode` is not `market`.
   */
  filling_mode: Array<OrderFilling> | null;
  /** Lifetimes that pending orders may have. */
  expiration_mode: Array<ExpirationFlag> | null;
  /** Kinds of order that are allowed. */
  order_mode: Array<OrderFlag> | null;
  order_gtc_mode: SymbolGtcMode | null;
  swap_mode: SymbolSwapMode;
  swap_long: number;
  swap_short: number;
  /** When three days of swap are charged. */
  swap_rollover3days: DayOfWeek;
  margin_initial: number;
  margin_maintenance: number;
  margin_hedged: number;
  margin_hedged_use_leg: boolean | null;
  currency_base: string;
  currency_profit: string;
  currency_margin: string;
  bank: string;
  exchange: string;
  category: string;
  basis: string;
  formula: string;
  isin: string;
  page: string;
  /** Most levels of the order book; 0 where there is none. */
  ticks_bookdepth: number | null;
  option_mode: OptionMode | null;
  option_right: OptionRight | null;
  option_strike: number;
  /** First day of trading, UTC milliseconds. */
  start_time: number | null;
  /** Last day of trading, UTC milliseconds. */
  expiration_time: number | null;
  bid: number | null;
  bidhigh: number | null;
  bidlow: number | null;
  ask: number | null;
  askhigh: number | null;
  asklow: number | null;
  last: number | null;
  lasthigh: number | null;
  lastlow: number | null;
  volume: number;
  volumehigh: number;
  volumelow: number;
  volume_real: number;
  volumehigh_real: number;
  volumelow_real: number;
  /** Of the last quote, UTC milliseconds. */
  time: number | null;
  broker_time: number | null;
  session_deals: number;
  session_buy_orders: number;
  session_sell_orders: number;
  session_volume: number;
  session_turnover: number;
  session_interest: number;
  session_buy_orders_volume: number;
  session_sell_orders_volume: number;
  session_open: number | null;
  session_close: number | null;
  session_aw: number | null;
  session_price_settlement: number | null;
  session_price_limit_min: number | null;
  session_price_limit_max: number | null;
  price_change: number;
  price_volatility: number;
  price_theoretical: number;
  price_greeks_delta: number;
  price_greeks_theta: number;
  price_greeks_gamma: number;
  price_greeks_vega: number;
  price_greeks_rho: number;
  price_greeks_omega: number;
  price_sensitivity: number;
  /** Fields that are null because this platform does not know them; empty on MetaTrader 5. */
  unavailable: Array<string>;
};

/** Presence of a symbol in Market Watch. */
export type SymbolSelected = {
  symbol: string;
  select: boolean;
};

/** Sessions in which a symbol trades. */
export type SymbolSessions = {
  symbol: string;
  /** By the table, now. Holidays are in no table. */
  open: boolean;
  /** When it trades next; null while it does, and where it never does. */
  opens_at: number | null;
  /** When it stops; null while it does not trade, and where it never stops. */
  closes_at: number | null;
  /** The broker's table of the week. */
  sessions: Array<TradeSession>;
};

export type SymbolSwapMode = SymbolSwapModeWord | Other;

export type SymbolSwapModeWord = "disabled" | "points" | "currency_symbol" | "currency_margin" | "currency_deposit" | "interest_current" | "interest_open" | "reopen_current" | "reopen_bid";

export type SymbolTradeMode = SymbolTradeModeWord | Other;

export type SymbolTradeModeWord = "disabled" | "long_only" | "short_only" | "close_only" | "full";

export type TargetParam = "order" | "position";

export type TerminalChange = "snapshot" | "link" | "broker" | "autotrading" | "clock" | "paper";

export type TerminalChannel = string;

/** `terminal`: the link, the broker or a switch changed; the whole state each time. */
export type TerminalEvent = {
  /** What changed. */
  event: TerminalChange;
  state: LinkState;
  platform: Platform | null;
  login: number | null;
  server: string | null;
  broker_connected: boolean | null;
  autotrading: boolean | null;
  /** The account may trade; null until the terminal has said. */
  trade_allowed: boolean | null;
  broker_utc_offset_s: number;
  /** The account trades on paper: no order reaches the market. */
  paper: boolean;
  /** UTC milliseconds. */
  time: number;
};

/** MetaTrader's `TerminalInfo*`. */
export type TerminalInfo = {
  platform: Platform;
  build: number;
  codepage: number | null;
  company: string;
  /** The terminal is connected to the broker. */
  connected: boolean;
  data_path: string;
  commondata_path: string;
  path: string;
  name: string;
  language: string;
  /** Most bars in a chart. */
  maxbars: number | null;
  dlls_allowed: boolean;
  /** The AutoTrading button is on. */
  trade_allowed: boolean;
  tradeapi_disabled: boolean | null;
  community_account: boolean;
  community_balance: number | null;
  community_connection: boolean;
  email_enabled: boolean;
  ftp_enabled: boolean;
  notifications_enabled: boolean | null;
  mqid: boolean | null;
  /** The last measured ping to the broker, in microseconds. */
  ping_last: number | null;
  /** Resent packets on the way to the broker, in percent. */
  retransmission: number | null;
  /** Fields that are null because this platform does not know them; empty on MetaTrader 5. */
  unavailable: Array<string>;
};

/** State of a terminal, as it answers a ping. */
export type TerminalPing = {
  state: LinkState;
  /** Round trip of the last heartbeat. */
  rtt_ms: number | null;
  /** Since it was last heard of. */
  age_ms: number | null;
};

/** A terminal in `get_server_info`. */
export type TerminalServerInfo = {
  id: string;
  platform: Platform | null;
  login: number | null;
  server: string | null;
  state: LinkState;
  clock: BrokerOffset;
};

export type TerminalSnapshotParams = {
  channel: TerminalChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: TerminalEvent;
};

/** A terminal that the token opens. */
export type TerminalState = {
  /** Its name: the `terminal` of other methods. */
  id: string;
  /** Null until its EA has been connected once. */
  platform: Platform | null;
  login: number | null;
  server: string | null;
  state: LinkState;
};

export type TerminalUpdate = TerminalEvent | KillSwitchEvent;

export type TerminalUpdateParams = {
  channel: TerminalChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: TerminalUpdate;
};

/** One change of a symbol's prices, on the channel `tick`. */
export type Tick = {
  symbol: string;
  /** Null before the first quote of the session. */
  bid: number | null;
  ask: number | null;
  /** Price of the last deal; null where the broker gives none. */
  last: number | null;
  /** Volume of the last deal, in lots; null where `last` is. */
  volume: number | null;
  /** What changed, MetaTrader's bit mask: 2 bid, 4 ask, 8 last, 16 volume, 32 buy, 64 sell. */
  flags: number;
  time: number;
  broker_time: number;
  /**
   * True, and there at all, where the tick happened while the terminal was away from the gateway
   * and is told from the terminal's history: it is no news.
   */
  backfilled?: boolean;
};

export type TickChannel = string;

export type TickEndParams = {
  channel: TickChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: EndType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: ChannelEnd;
};

export type TickGapParams = {
  channel: TickChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: GapType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Gap;
};

export type TickKindParam = TickKindParamWord | TickKindParamNumber;

/** MetaTrader's number. */
export type TickKindParamNumber = -1 | 1 | 2;

export type TickKindParamWord = "all" | "info" | "trade";

export type TickSnapshotParams = {
  channel: TickChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: SnapshotType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Tick;
};

export type TickUpdateParams = {
  channel: TickChannel;
  terminal: string;
  /** Numbers of different epochs can't be compared. */
  epoch: string;
  /**
   * Counts the events of the channel within its epoch. A hole: merged into the next event on a
   * `latest` channel, told by a `gap` on a `lossless` one.
   */
  seq: number;
  type: UpdateType;
  /** When the gateway published it, UTC milliseconds. */
  ts: number;
  data: Tick;
};

/** MetaTrader's ticket. */
export type Ticket = number;

export type Tier = "full" | "reduce" | "read" | "none";

export type Time = number | TimeText;

/** ISO 8601 with an offset or `Z`. */
export type TimeText = string;

export type Timeframe = "M1" | "M2" | "M3" | "M4" | "M5" | "M6" | "M10" | "M12" | "M15" | "M20" | "M30" | "H1" | "H2" | "H3" | "H4" | "H6" | "H8" | "H12" | "D1" | "W1" | "MN1";

/** Period of the bars. MetaTrader 4 has M1 M5 M15 M30 H1 H4 D1 W1 MN1 alone. Also read: `PERIOD_H1`, `TIMEFRAME_H1`, MetaTrader's number. */
export type TimeframeParam = TimeframeParamWord | TimeframeParamNumber;

/** MetaTrader's number. */
export type TimeframeParamNumber = 1 | 2 | 3 | 4 | 5 | 6 | 10 | 12 | 15 | 20 | 30 | 16385 | 16386 | 16387 | 16388 | 16390 | 16392 | 16396 | 16408 | 32769 | 49153;

export type TimeframeParamWord = "M1" | "M2" | "M3" | "M4" | "M5" | "M6" | "M10" | "M12" | "M15" | "M20" | "M30" | "H1" | "H2" | "H3" | "H4" | "H6" | "H8" | "H12" | "D1" | "W1" | "MN1";

/** Milliseconds that each step took. */
export type Timing = {
  /** From the call's arrival until the command was written to the terminal. */
  queue: number;
  /** From there until its result came. */
  terminal: number;
};

/** A span in which a symbol trades, in the broker's wall clock. */
export type TradeSession = {
  day: DayOfWeek;
  /** Seconds since the day's midnight. */
  from_s: number;
  /** The same, exclusive; 86400 is the next midnight. */
  to_s: number;
};

/** Permission to send new exposure. */
export type TradingEnabled = {
  /** No halt is there. */
  trading_enabled: boolean;
  /** What has to be lifted before trading goes on: the terminal's own, then that of all. */
  halts: Array<Halt>;
};

/** Trailing stop of a position: its stop loss follows the market. Distances in points. */
export type TrailingStop = {
  /**
   * Of the position. What is left of a MetaTrader 4 trade after a partial close has another
   * ticket: then this one changes with it.
   */
  ticket: number;
  symbol: string;
  /**
   * Between the price at which the position would be closed and the stop; 0: it does not
   * trail.
   */
  distance: number;
  /** Least move of the stop while it trails. */
  step: number;
  /** Profit from which on it trails; 0: at once. */
  activation: number;
  /** Profit at which the stop goes to the opening price; 0: never. */
  break_even: number;
  /** How far beyond the opening price it goes then. */
  break_even_offset: number;
  /** The stop loss that it set last; null if it has set none yet. */
  sl: number | null;
  /** How often it has moved the stop loss. */
  moves: number;
  /** Why its last try was refused, if it was: it tries again every second. */
  retcode: number | null;
  retcode_name: string | null;
  /** The EA moves it on every tick, also while the gateway is down. */
  runs_in: RunsInTerminal;
};

/** Trailing stop that was removed; the stop loss stays where it is. */
export type TrailingStopRemoved = {
  /** False: there was none. */
  removed: boolean;
  trailing_stop: TrailingStop | null;
};

/** Milliseconds for which it is worth sending; 5000 if neither this nor `deadline_ms` is given. Later: 2103 `deadline_exceeded`, not sent. */
export type TtlMs = number;

/** No more events come of these channels. */
export type UnsubscribeResult = {
  unsubscribed: Array<string>;
  /** Understood, but there was nothing to end. */
  not_subscribed: Array<string>;
  /** Not understood. */
  failed: Array<NotSubscribed>;
};

export type UpdateType = "update";

export type VendorPeriod = string | number;

/** The vendor's form. */
export type VendorRequest = {
  /** `tick`, `mbook`, `ohlc` or `order`. */
  type: string;
  /** One, or several. */
  symbol?: VendorSymbols | null;
  /** Of `ohlc`: `"M1"` or MetaTrader's number. */
  timeframe?: VendorPeriod | null;
};

export type VendorSymbols = string | Array<string>;

/** In lots; a number or a string. */
export type Volume = number | VolumeText;

export type VolumeText = string;

/** Ticket that opens one WebSocket connection, once. */
export type WsTicket = {
  /** Random; whoever has it may connect in your name. Never put it into a URL. */
  ticket: string;
  /** How long it may be used, from now. */
  expires_ms: number;
  /** Offer it beside `mtg.v1`: `new WebSocket(url, ["mtg.v1", subprotocol])`. */
  subprotocol: string;
};
