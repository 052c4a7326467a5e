//+------------------------------------------------------------------+
//| TickPump.mqh - ticks of MetaTrader 4, which has no history of     |
//| them: the newest quote of each symbol is looked at in each cycle  |
//|                                                                   |
//| A quote that was followed by another within a cycle is not seen.  |
//| Stamps are of seconds, so several ticks have the same.            |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TICK_PUMP_MQH
#define TERMINAL_GATEWAY_TICK_PUMP_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Quote.mqh>
#include <TerminalGateway\Transport.mqh>
#include <TerminalGateway\Watches.mqh>

class CTickPump
  {
private:
   int               m_rows;

   void              WriteRow(CByteBuffer &out,const int sym,const int digits,const long time_msc,
                              const MqlTick &tick)
     {
      if(m_rows==0)
         out.PutText("{\"t\":\"ticks\",\"d\":[");
      m_rows++;
      out.Comma();
      out.PutByte('[');
      out.PutLong(sym);
      out.PutByte(',');
      out.PutLong(time_msc);
      out.PutText(",\"");
      out.PutFixed(tick.bid,digits);
      out.PutText("\",\"");
      out.PutFixed(tick.ask,digits);
      out.PutText("\",0,0,");
      out.PutLong(QUOTE_FLAGS);
      out.PutByte(']');
     }
   void              Remember(CWatches &watches,const int i,const MqlTick &tick) const
     {
      watches.all[i].seen_msc=(long)tick.time*1000;
      watches.all[i].seen_bid=tick.bid;
      watches.all[i].seen_ask=tick.ask;
      watches.all[i].is_level=true;
     }
   void              Look(CWatches &watches,const int i,CByteBuffer &out)
     {
      MqlTick tick;
      if(!SymbolInfoTick(watches.all[i].symbol,tick) || tick.time<=0)
         return;
      long time_msc=(long)tick.time*1000;
      bool is_first=!watches.all[i].is_level;
      if(!is_first && time_msc==watches.all[i].seen_msc && tick.bid==watches.all[i].seen_bid
         && tick.ask==watches.all[i].seen_ask)
         return;
      Remember(watches,i,tick);
      //--- the daemon has it already, or one that is newer
      if(time_msc<watches.all[i].last_msc || (is_first && time_msc==watches.all[i].last_msc
                                              && watches.all[i].same_msc>0))
         return;
      if(time_msc>watches.all[i].last_msc)
        {
         watches.all[i].last_msc=time_msc;
         watches.all[i].same_msc=0;
        }
      watches.all[i].same_msc++;
      watches.all[i].is_waiting=false;
      WriteRow(out,i,watches.all[i].digits,time_msc,tick);
     }

public:
                     CTickPump(void) { m_rows=0; }
   //--- begins behind the newest quote
   void              Begin(CWatches &watches,const int i,CTransport &transport)
     {
      MqlTick tick;
      watches.SetCursor(i,0,0);
      if(!SymbolInfoTick(watches.all[i].symbol,tick) || tick.time<=0)
         return;
      watches.SetCursor(i,(long)tick.time*1000,1);
      Remember(watches,i,tick);
     }
   void              Pull(CWatches &watches,CTransport &transport)
     {
      m_rows=0;
      for(int i=0; i<watches.Total(); i++)
         if(watches.all[i].ticks)
            Look(watches,i,transport.output);
      if(m_rows>0)
         transport.output.PutText("]}\n");
     }
  };
#endif
//+------------------------------------------------------------------+
