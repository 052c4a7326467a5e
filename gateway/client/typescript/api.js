// Written by `mt-gateway stubs`: do not edit.
/** Methods that change nothing: asking again is safe. */
export const READS = new Set("get_account_info get_account_balance get_terminal_info get_server_time get_ea_status get_symbols get_symbol_info get_sessions symbol_select get_ohlc get_history_prices get_history_ticks get_market_book get_positions get_orders get_order_info order_check get_order get_trailing_stops get_oco_links order_calc_margin order_calc_profit get_history_orders get_native copy_rates copy_ticks get_trading_enabled get_cancel_on_disconnect logout subscribe unsubscribe get_subscriptions ping hello get_server_info get_ws_ticket".split(" "));
/** Methods that the gateway recognises by their `client_order_id`. */
export const KEYED = new Set("close_position close_by place_order modify_order cancel_order cancel_all_orders close_all_positions".split(" "));
