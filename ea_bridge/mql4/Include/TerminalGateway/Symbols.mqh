//+------------------------------------------------------------------+
//| Symbols.mqh - what MetaTrader 4 knows of its symbols              |
//|                                                                   |
//| Its reference calls many properties "not supported": those are    |
//| left out.                                                         |
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
   //--- in MetaTrader 5's numbers
   int               SwapMode(const string symbol) const
     {
      switch((int)MarketInfo(symbol,MODE_SWAPTYPE))
        {
         case 0:
            return(1); // points
         case 1:
            return(2); // the symbol's base currency
         case 2:
            return(5); // interest
         case 3:
            return(3); // the margin currency
        }
      return(0);
     }
   void              WriteState(CByteBuffer &out,const string symbol) const
     {
      Flag(out,"select",symbol,SYMBOL_SELECT);
      Flag(out,"visible",symbol,SYMBOL_VISIBLE);
      Number(out,"time",symbol,SYMBOL_TIME);
      Number(out,"digits",symbol,SYMBOL_DIGITS);
      Number(out,"spread",symbol,SYMBOL_SPREAD);
      Flag(out,"spread_float",symbol,SYMBOL_SPREAD_FLOAT);
      Number(out,"trade_mode",symbol,SYMBOL_TRADE_MODE);
      Number(out,"start_time",symbol,SYMBOL_START_TIME);
      Number(out,"expiration_time",symbol,SYMBOL_EXPIRATION_TIME);
      Number(out,"trade_stops_level",symbol,SYMBOL_TRADE_STOPS_LEVEL);
      Number(out,"trade_freeze_level",symbol,SYMBOL_TRADE_FREEZE_LEVEL);
      Number(out,"trade_exemode",symbol,SYMBOL_TRADE_EXEMODE);
      out.MemberLong("swap_mode",SwapMode(symbol));
      Number(out,"swap_rollover3days",symbol,SYMBOL_SWAP_ROLLOVER3DAYS);
     }
   void              WriteContract(CByteBuffer &out,const string symbol) const
     {
      Real(out,"bid",symbol,SYMBOL_BID);
      out.MemberDouble("bidhigh",MarketInfo(symbol,MODE_HIGH));
      out.MemberDouble("bidlow",MarketInfo(symbol,MODE_LOW));
      Real(out,"ask",symbol,SYMBOL_ASK);
      Real(out,"point",symbol,SYMBOL_POINT);
      Real(out,"trade_tick_value",symbol,SYMBOL_TRADE_TICK_VALUE);
      Real(out,"trade_tick_size",symbol,SYMBOL_TRADE_TICK_SIZE);
      Real(out,"trade_contract_size",symbol,SYMBOL_TRADE_CONTRACT_SIZE);
      Real(out,"volume_min",symbol,SYMBOL_VOLUME_MIN);
      Real(out,"volume_max",symbol,SYMBOL_VOLUME_MAX);
      Real(out,"volume_step",symbol,SYMBOL_VOLUME_STEP);
      Real(out,"swap_long",symbol,SYMBOL_SWAP_LONG);
      Real(out,"swap_short",symbol,SYMBOL_SWAP_SHORT);
      Real(out,"margin_initial",symbol,SYMBOL_MARGIN_INITIAL);
      Real(out,"margin_maintenance",symbol,SYMBOL_MARGIN_MAINTENANCE);
      out.MemberDouble("margin_hedged",MarketInfo(symbol,MODE_MARGINHEDGED));
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
      if(IsReadable(symbol))
         return(true);
      for(int i=SymbolsTotal(false)-1; i>=0; i--)
         if(symbol!="" && SymbolName(i,false)==symbol)
            return(true);
      return(false);
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
   //--- MetaTrader 4 has no order books and no filling modes
   bool              HasDepth(const string symbol) const { return(false); }
   int               Filling(const string symbol) const  { return(0); }
   //--- a model.SymbolInfo
   void              Write(CByteBuffer &out,const string symbol) const
     {
      out.PutByte('{');
      WriteState(out,symbol);
      WriteContract(out,symbol);
      Words(out,"currency_base",symbol,SYMBOL_CURRENCY_BASE);
      Words(out,"currency_profit",symbol,SYMBOL_CURRENCY_PROFIT);
      Words(out,"currency_margin",symbol,SYMBOL_CURRENCY_MARGIN);
      Words(out,"description",symbol,SYMBOL_DESCRIPTION);
      out.MemberText("name",symbol);
      Words(out,"path",symbol,SYMBOL_PATH);
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
