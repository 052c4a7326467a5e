//+------------------------------------------------------------------+
//| Symbols.mqh - what MetaTrader 5 knows of its symbols              |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SYMBOLS_MQH
#define TERMINAL_GATEWAY_SYMBOLS_MQH

#include <TerminalGateway\ByteBuffer.mqh>

class CSymbols
  {
private:
   void              Number(CByteBuffer &out,const string key,const string symbol,
                            const ENUM_SYMBOL_INFO_INTEGER property) const
     {
      out.MemberLong(key,SymbolInfoInteger(symbol,property));
     }
   void              Flag(CByteBuffer &out,const string key,const string symbol,
                          const ENUM_SYMBOL_INFO_INTEGER property) const
     {
      out.MemberBool(key,SymbolInfoInteger(symbol,property)!=0);
     }
   void              Real(CByteBuffer &out,const string key,const string symbol,
                          const ENUM_SYMBOL_INFO_DOUBLE property) const
     {
      out.MemberDouble(key,SymbolInfoDouble(symbol,property));
     }
   void              Words(CByteBuffer &out,const string key,const string symbol,
                           const ENUM_SYMBOL_INFO_STRING property) const
     {
      out.MemberText(key,SymbolInfoString(symbol,property));
     }
   void              WriteState(CByteBuffer &out,const string symbol) const
     {
      Flag(out,"custom",symbol,SYMBOL_CUSTOM);
      Number(out,"chart_mode",symbol,SYMBOL_CHART_MODE);
      Flag(out,"select",symbol,SYMBOL_SELECT);
      Flag(out,"visible",symbol,SYMBOL_VISIBLE);
      Number(out,"session_deals",symbol,SYMBOL_SESSION_DEALS);
      Number(out,"session_buy_orders",symbol,SYMBOL_SESSION_BUY_ORDERS);
      Number(out,"session_sell_orders",symbol,SYMBOL_SESSION_SELL_ORDERS);
      Number(out,"volume",symbol,SYMBOL_VOLUME);
      Number(out,"volumehigh",symbol,SYMBOL_VOLUMEHIGH);
      Number(out,"volumelow",symbol,SYMBOL_VOLUMELOW);
      Number(out,"time",symbol,SYMBOL_TIME);
      Number(out,"digits",symbol,SYMBOL_DIGITS);
      Number(out,"spread",symbol,SYMBOL_SPREAD);
      Flag(out,"spread_float",symbol,SYMBOL_SPREAD_FLOAT);
      Number(out,"ticks_bookdepth",symbol,SYMBOL_TICKS_BOOKDEPTH);
     }
   void              WriteRules(CByteBuffer &out,const string symbol) const
     {
      Number(out,"trade_calc_mode",symbol,SYMBOL_TRADE_CALC_MODE);
      Number(out,"trade_mode",symbol,SYMBOL_TRADE_MODE);
      Number(out,"start_time",symbol,SYMBOL_START_TIME);
      Number(out,"expiration_time",symbol,SYMBOL_EXPIRATION_TIME);
      Number(out,"trade_stops_level",symbol,SYMBOL_TRADE_STOPS_LEVEL);
      Number(out,"trade_freeze_level",symbol,SYMBOL_TRADE_FREEZE_LEVEL);
      Number(out,"trade_exemode",symbol,SYMBOL_TRADE_EXEMODE);
      Number(out,"swap_mode",symbol,SYMBOL_SWAP_MODE);
      Number(out,"swap_rollover3days",symbol,SYMBOL_SWAP_ROLLOVER3DAYS);
      Flag(out,"margin_hedged_use_leg",symbol,SYMBOL_MARGIN_HEDGED_USE_LEG);
      Number(out,"expiration_mode",symbol,SYMBOL_EXPIRATION_MODE);
      Number(out,"filling_mode",symbol,SYMBOL_FILLING_MODE);
      Number(out,"order_mode",symbol,SYMBOL_ORDER_MODE);
      Number(out,"order_gtc_mode",symbol,SYMBOL_ORDER_GTC_MODE);
      Number(out,"option_mode",symbol,SYMBOL_OPTION_MODE);
      Number(out,"option_right",symbol,SYMBOL_OPTION_RIGHT);
     }
   void              WritePrices(CByteBuffer &out,const string symbol) const
     {
      Real(out,"bid",symbol,SYMBOL_BID);
      Real(out,"bidhigh",symbol,SYMBOL_BIDHIGH);
      Real(out,"bidlow",symbol,SYMBOL_BIDLOW);
      Real(out,"ask",symbol,SYMBOL_ASK);
      Real(out,"askhigh",symbol,SYMBOL_ASKHIGH);
      Real(out,"asklow",symbol,SYMBOL_ASKLOW);
      Real(out,"last",symbol,SYMBOL_LAST);
      Real(out,"lasthigh",symbol,SYMBOL_LASTHIGH);
      Real(out,"lastlow",symbol,SYMBOL_LASTLOW);
      Real(out,"volume_real",symbol,SYMBOL_VOLUME_REAL);
      Real(out,"volumehigh_real",symbol,SYMBOL_VOLUMEHIGH_REAL);
      Real(out,"volumelow_real",symbol,SYMBOL_VOLUMELOW_REAL);
      Real(out,"price_change",symbol,SYMBOL_PRICE_CHANGE);
      Real(out,"price_volatility",symbol,SYMBOL_PRICE_VOLATILITY);
      Real(out,"price_theoretical",symbol,SYMBOL_PRICE_THEORETICAL);
      Real(out,"price_greeks_delta",symbol,SYMBOL_PRICE_DELTA);
      Real(out,"price_greeks_theta",symbol,SYMBOL_PRICE_THETA);
      Real(out,"price_greeks_gamma",symbol,SYMBOL_PRICE_GAMMA);
      Real(out,"price_greeks_vega",symbol,SYMBOL_PRICE_VEGA);
      Real(out,"price_greeks_rho",symbol,SYMBOL_PRICE_RHO);
      Real(out,"price_greeks_omega",symbol,SYMBOL_PRICE_OMEGA);
      Real(out,"price_sensitivity",symbol,SYMBOL_PRICE_SENSITIVITY);
     }
   void              WriteContract(CByteBuffer &out,const string symbol) const
     {
      Real(out,"option_strike",symbol,SYMBOL_OPTION_STRIKE);
      Real(out,"point",symbol,SYMBOL_POINT);
      Real(out,"trade_tick_value",symbol,SYMBOL_TRADE_TICK_VALUE);
      Real(out,"trade_tick_value_profit",symbol,SYMBOL_TRADE_TICK_VALUE_PROFIT);
      Real(out,"trade_tick_value_loss",symbol,SYMBOL_TRADE_TICK_VALUE_LOSS);
      Real(out,"trade_tick_size",symbol,SYMBOL_TRADE_TICK_SIZE);
      Real(out,"trade_contract_size",symbol,SYMBOL_TRADE_CONTRACT_SIZE);
      Real(out,"trade_accrued_interest",symbol,SYMBOL_TRADE_ACCRUED_INTEREST);
      Real(out,"trade_face_value",symbol,SYMBOL_TRADE_FACE_VALUE);
      Real(out,"trade_liquidity_rate",symbol,SYMBOL_TRADE_LIQUIDITY_RATE);
      Real(out,"volume_min",symbol,SYMBOL_VOLUME_MIN);
      Real(out,"volume_max",symbol,SYMBOL_VOLUME_MAX);
      Real(out,"volume_step",symbol,SYMBOL_VOLUME_STEP);
      Real(out,"volume_limit",symbol,SYMBOL_VOLUME_LIMIT);
      Real(out,"swap_long",symbol,SYMBOL_SWAP_LONG);
      Real(out,"swap_short",symbol,SYMBOL_SWAP_SHORT);
      Real(out,"margin_initial",symbol,SYMBOL_MARGIN_INITIAL);
      Real(out,"margin_maintenance",symbol,SYMBOL_MARGIN_MAINTENANCE);
      Real(out,"margin_hedged",symbol,SYMBOL_MARGIN_HEDGED);
     }
   void              WriteSession(CByteBuffer &out,const string symbol) const
     {
      Real(out,"session_volume",symbol,SYMBOL_SESSION_VOLUME);
      Real(out,"session_turnover",symbol,SYMBOL_SESSION_TURNOVER);
      Real(out,"session_interest",symbol,SYMBOL_SESSION_INTEREST);
      Real(out,"session_buy_orders_volume",symbol,SYMBOL_SESSION_BUY_ORDERS_VOLUME);
      Real(out,"session_sell_orders_volume",symbol,SYMBOL_SESSION_SELL_ORDERS_VOLUME);
      Real(out,"session_open",symbol,SYMBOL_SESSION_OPEN);
      Real(out,"session_close",symbol,SYMBOL_SESSION_CLOSE);
      Real(out,"session_aw",symbol,SYMBOL_SESSION_AW);
      Real(out,"session_price_settlement",symbol,SYMBOL_SESSION_PRICE_SETTLEMENT);
      Real(out,"session_price_limit_min",symbol,SYMBOL_SESSION_PRICE_LIMIT_MIN);
      Real(out,"session_price_limit_max",symbol,SYMBOL_SESSION_PRICE_LIMIT_MAX);
     }
   void              WriteWords(CByteBuffer &out,const string symbol) const
     {
      Words(out,"basis",symbol,SYMBOL_BASIS);
      Words(out,"category",symbol,SYMBOL_CATEGORY);
      Words(out,"currency_base",symbol,SYMBOL_CURRENCY_BASE);
      Words(out,"currency_profit",symbol,SYMBOL_CURRENCY_PROFIT);
      Words(out,"currency_margin",symbol,SYMBOL_CURRENCY_MARGIN);
      Words(out,"bank",symbol,SYMBOL_BANK);
      Words(out,"description",symbol,SYMBOL_DESCRIPTION);
      Words(out,"exchange",symbol,SYMBOL_EXCHANGE);
      Words(out,"formula",symbol,SYMBOL_FORMULA);
      Words(out,"isin",symbol,SYMBOL_ISIN);
      out.MemberText("name",symbol);
      Words(out,"page",symbol,SYMBOL_PAGE);
      Words(out,"path",symbol,SYMBOL_PATH);
     }

public:
   //--- its properties can be read
   bool              IsReadable(const string symbol) const
     {
      long digits=0;
      return(symbol!="" && SymbolInfoInteger(symbol,SYMBOL_DIGITS,digits));
     }
   //--- the broker has it; some terminals tell nothing of what is not in Market Watch
   bool              IsKnown(const string symbol) const
     {
      bool is_custom=false;
      return(IsReadable(symbol) || (symbol!="" && SymbolExist(symbol,is_custom)));
     }
   //--- it is in Market Watch
   bool              IsSelected(const string symbol) const
     {
      return(SymbolInfoInteger(symbol,SYMBOL_SELECT)!=0);
     }
   int               DigitsOf(const string symbol) const
     {
      return((int)SymbolInfoInteger(symbol,SYMBOL_DIGITS));
     }
   //--- the broker tells how deep its market is
   bool              HasDepth(const string symbol) const
     {
      return(SymbolInfoInteger(symbol,SYMBOL_TICKS_BOOKDEPTH)>0);
     }
   int               Filling(const string symbol) const
     {
      return((int)SymbolInfoInteger(symbol,SYMBOL_FILLING_MODE));
     }
   //--- a model.SymbolInfo
   void              Write(CByteBuffer &out,const string symbol) const
     {
      out.PutByte('{');
      WriteState(out,symbol);
      WriteRules(out,symbol);
      WritePrices(out,symbol);
      WriteContract(out,symbol);
      WriteSession(out,symbol);
      WriteWords(out,symbol);
      out.PutByte('}');
     }
   //--- a model.SymbolName
   void              WriteName(CByteBuffer &out,const string symbol) const
     {
      out.Comma();
      out.PutByte('{');
      out.MemberText("name",symbol);
      Words(out,"path",symbol,SYMBOL_PATH);
      Flag(out,"select",symbol,SYMBOL_SELECT);
      out.PutByte('}');
     }
  };
#endif
//+------------------------------------------------------------------+
