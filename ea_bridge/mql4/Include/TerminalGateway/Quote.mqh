//+------------------------------------------------------------------+
//| Quote.mqh - the newest prices of a symbol, of MetaTrader 4, whose |
//| stamps are of seconds                                             |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_QUOTE_MQH
#define TERMINAL_GATEWAY_QUOTE_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>

#define QUOTE_FLAGS (WIRE_TICK_FLAG_BID|WIRE_TICK_FLAG_ASK)

class CQuote
  {
public:
   //--- a model.Tick; one of zeros where there is none yet
   void              Write(CByteBuffer &out,const string symbol,const int digits) const
     {
      MqlTick tick;
      ZeroMemory(tick);
      if(!SymbolInfoTick(symbol,tick))
         ZeroMemory(tick);
      out.PutByte('[');
      out.PutLong((long)tick.time*1000);
      out.PutByte(',');
      out.PutFixed(tick.bid,digits);
      out.PutByte(',');
      out.PutFixed(tick.ask,digits);
      out.PutText(",0,0,");
      out.PutLong(QUOTE_FLAGS);
      out.PutByte(']');
     }
  };
#endif
//+------------------------------------------------------------------+
