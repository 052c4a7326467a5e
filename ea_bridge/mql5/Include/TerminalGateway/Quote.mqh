//+------------------------------------------------------------------+
//| Quote.mqh - the newest prices of a symbol, of MetaTrader 5        |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_QUOTE_MQH
#define TERMINAL_GATEWAY_QUOTE_MQH

#include <TerminalGateway\ByteBuffer.mqh>

class CQuote
  {
public:
   //--- a model.Tick
   void              WriteTick(CByteBuffer &out,const MqlTick &tick,const int digits) const
     {
      out.Comma();
      out.PutByte('[');
      out.PutLong(tick.time_msc);
      out.PutByte(',');
      out.PutFixed(tick.bid,digits);
      out.PutByte(',');
      out.PutFixed(tick.ask,digits);
      out.PutByte(',');
      out.PutFixed(tick.last,digits);
      out.PutByte(',');
      out.PutLong((long)tick.volume);
      out.PutByte(',');
      out.PutLong((long)tick.flags);
      out.PutByte(',');
      out.PutDouble(tick.volume_real);
      out.PutByte(']');
     }
   //--- the newest one; one of zeros where there is none yet
   void              Write(CByteBuffer &out,const string symbol,const int digits) const
     {
      MqlTick tick;
      ZeroMemory(tick);
      if(!SymbolInfoTick(symbol,tick))
         ZeroMemory(tick);
      WriteTick(out,tick,digits);
     }
  };
#endif
//+------------------------------------------------------------------+
