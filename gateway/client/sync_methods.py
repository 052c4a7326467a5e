"""The typed methods, without ``async``. Written by ``mt-gateway stubs``: do not edit."""

from __future__ import annotations

from gateway.client.loop_thread import LoopThread, synced
from gateway.client.methods import Methods


class SyncMethods(LoopThread):
    """All of them."""

    get_account_info = synced(Methods.get_account_info)
    get_account_balance = synced(Methods.get_account_balance)
    get_terminal_info = synced(Methods.get_terminal_info)
    get_server_time = synced(Methods.get_server_time)
    get_ea_status = synced(Methods.get_ea_status)
    get_symbols = synced(Methods.get_symbols)
    get_symbol_info = synced(Methods.get_symbol_info)
    get_sessions = synced(Methods.get_sessions)
    symbol_select = synced(Methods.symbol_select)
    get_ohlc = synced(Methods.get_ohlc)
    get_history_prices = synced(Methods.get_history_prices)
    get_history_ticks = synced(Methods.get_history_ticks)
    get_market_book = synced(Methods.get_market_book)
    get_positions = synced(Methods.get_positions)
    close_position = synced(Methods.close_position)
    close_by = synced(Methods.close_by)
    get_orders = synced(Methods.get_orders)
    get_order_info = synced(Methods.get_order_info)
    place_order = synced(Methods.place_order)
    modify_order = synced(Methods.modify_order)
    cancel_order = synced(Methods.cancel_order)
    order_check = synced(Methods.order_check)
    get_order = synced(Methods.get_order)
    settle_order = synced(Methods.settle_order)
    set_trailing_stop = synced(Methods.set_trailing_stop)
    remove_trailing_stop = synced(Methods.remove_trailing_stop)
    get_trailing_stops = synced(Methods.get_trailing_stops)
    link_oco = synced(Methods.link_oco)
    unlink_oco = synced(Methods.unlink_oco)
    get_oco_links = synced(Methods.get_oco_links)
    order_calc_margin = synced(Methods.order_calc_margin)
    order_calc_profit = synced(Methods.order_calc_profit)
    get_history_orders = synced(Methods.get_history_orders)
    get_native = synced(Methods.get_native)
    copy_rates = synced(Methods.copy_rates)
    copy_ticks = synced(Methods.copy_ticks)
    get_trading_enabled = synced(Methods.get_trading_enabled)
    set_trading_enabled = synced(Methods.set_trading_enabled)
    cancel_all_orders = synced(Methods.cancel_all_orders)
    close_all_positions = synced(Methods.close_all_positions)
    cancel_all_after = synced(Methods.cancel_all_after)
    get_subscriptions = synced(Methods.get_subscriptions)
    ping = synced(Methods.ping)
    get_server_info = synced(Methods.get_server_info)
    get_ws_ticket = synced(Methods.get_ws_ticket)
