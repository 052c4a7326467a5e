//+------------------------------------------------------------------+
//| TickPump.mqh - ticks from MetaTrader 5's history, none lost, none |
//| twice                                                             |
//|                                                                   |
//| OnTick is skipped while the EA is busy, so ticks are pulled: from |
//| a cursor, which survives stalls and cut links alike.              |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TICK_PUMP_MQH
#define TERMINAL_GATEWAY_TICK_PUMP_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Transport.mqh>
#include <TerminalGateway\Watches.mqh>

#define PUMP_PER_SYMBOL  512
#define PUMP_PER_CYCLE   2048
//--- two equal ticks of one millisecond look like one: so look closer now and then
#define PUMP_LOOK_MS     250
//--- the first touch of a symbol can block for 45 s: do not ask for it again at once
#define PUMP_RETRY_MS    1000
//--- after a pull that took so long other things have their turn
#define PUMP_SLOW_MS     500

class CTickPump
  {
private:
   MqlTick           m_ticks[];
   int               m_first;
   int               m_rows;
   bool              m_is_connected;

   void              WriteRow(CByteBuffer &out,const int sym,const int digits,const MqlTick &tick)
     {
      if(m_rows==0)
         out.PutText("{\"t\":\"ticks\",\"d\":[");
      m_rows++;
      out.Comma();
      out.PutByte('[');
      out.PutLong(sym);
      out.PutByte(',');
      out.PutLong(tick.time_msc);
      out.PutByte(',');
      out.PutByte('"');
      out.PutFixed(tick.bid,digits);
      out.PutByte('"');
      out.PutByte(',');
      out.PutByte('"');
      out.PutFixed(tick.ask,digits);
      out.PutByte('"');
      out.PutByte(',');
      out.PutFixed(tick.last,digits);
      out.PutByte(',');
      out.PutLong((long)tick.volume);
      out.PutByte(',');
      out.PutLong((long)tick.flags);
      out.PutByte(']');
     }
   //--- whether there may be something to pull
   bool              IsDue(CWatches &watches,const int i,const MqlTick &now)
     {
      if(now.time_msc<=0 || NowMs()<watches.all[i].retry_ms)
         return(false);
      if(watches.all[i].is_waiting)
         watches.all[i].last_msc=now.time_msc;
      watches.all[i].is_waiting=false;
      bool is_same=(now.time_msc==watches.all[i].seen_msc && now.bid==watches.all[i].seen_bid
                    && now.ask==watches.all[i].seen_ask && now.last==watches.all[i].seen_last
                    && now.volume==watches.all[i].seen_volume);
      //--- without a broker nothing comes, and a look may have to wait for him
      if(is_same && watches.all[i].is_level
         && (!m_is_connected || NowMs()-watches.all[i].looked_ms<PUMP_LOOK_MS))
         return(false);
      return(now.time_msc>=watches.all[i].last_msc);
     }
   void              EndFrame(CByteBuffer &out)
     {
      if(m_rows>0)
         out.PutText("]}\n");
      m_rows=0;
     }
   //--- what was lost with the broker has to be loaded before the next ticks are told
   void              LookAtBroker(CWatches &watches)
     {
      if(watches.Total()==0)
         return;
      bool is_connected=(TerminalInfoInteger(TERMINAL_CONNECTED)!=0);
      for(int i=0; i<watches.Total() && is_connected && !m_is_connected; i++)
         watches.all[i].is_warm=false;
      m_is_connected=is_connected;
     }
   //--- the history is not all there: what it lacks may lie before what it gave, and would be lost.
   //--- So nothing is told, and the terminal has as long for itself as it held us up.
   void              Wait(CWatches &watches,const int i,const ulong took_ms,const int error)
     {
      watches.all[i].is_warm=false;
      watches.all[i].retry_ms=NowMs()+(ulong)MathMax((long)took_ms,(long)PUMP_RETRY_MS);
      if(took_ms>=PUMP_SLOW_MS)
         Print("ticks of ",watches.all[i].symbol," wait for the terminal's history (error ",error,")");
     }
   //--- returns how many ticks were told
   int               PullOne(CWatches &watches,const int i,CTransport &transport)
     {
      MqlTick now;
      if(!SymbolInfoTick(watches.all[i].symbol,now) || !IsDue(watches,i,now))
         return(0);
      if(!watches.all[i].is_warm)
        {
         EndFrame(transport.output);
         transport.TellBusy();
        }
      int   limit=PUMP_PER_SYMBOL+watches.all[i].same_msc;
      ulong began_ms=NowMs();
      ResetLastError();
      int got=CopyTicks(watches.all[i].symbol,m_ticks,(uint)COPY_TICKS_ALL,
                        (ulong)watches.all[i].last_msc,(uint)limit);
      int error=GetLastError();
      watches.all[i].looked_ms=NowMs();
      if(got<0 || error!=0)
        {
         Wait(watches,i,watches.all[i].looked_ms-began_ms,error);
         return(0);
        }
      watches.all[i].is_warm=true;
      int told=Tell(watches,i,got,transport.output);
      //--- the history may lag behind the newest tick
      bool is_level=(got<limit && watches.all[i].last_msc>=now.time_msc);
      Remember(watches,i,now,is_level);
      return(told);
     }
   void              Remember(CWatches &watches,const int i,const MqlTick &now,const bool is_level)
     {
      watches.all[i].seen_msc=now.time_msc;
      watches.all[i].seen_bid=now.bid;
      watches.all[i].seen_ask=now.ask;
      watches.all[i].seen_last=now.last;
      watches.all[i].seen_volume=now.volume;
      watches.all[i].is_level=is_level;
     }
   int               Tell(CWatches &watches,const int i,const int got,CByteBuffer &out)
     {
      int told=0;
      int skip=watches.all[i].same_msc;
      for(int j=0; j<got; j++)
        {
         long time_msc=m_ticks[j].time_msc;
         if(time_msc<watches.all[i].last_msc)
            continue;
         if(time_msc==watches.all[i].last_msc && skip>0)
           {
            skip--;
            continue;
           }
         if(time_msc>watches.all[i].last_msc)
           {
            watches.all[i].last_msc=time_msc;
            watches.all[i].same_msc=0;
            skip=0;
           }
         watches.all[i].same_msc++;
         WriteRow(out,i,watches.all[i].digits,m_ticks[j]);
         told++;
        }
      return(told);
     }

public:
                     CTickPump(void) { m_first=0; m_rows=0; m_is_connected=false; }
   //--- puts the cursor of a watch behind the newest tick
   void              Begin(CWatches &watches,const int i,CTransport &transport)
     {
      MqlTick now;
      watches.SetCursor(i,0,0);
      if(!SymbolInfoTick(watches.all[i].symbol,now) || now.time_msc<=0)
         return;
      transport.TellBusy();
      int got=CopyTicks(watches.all[i].symbol,m_ticks,(uint)COPY_TICKS_ALL,(ulong)now.time_msc,
                        (uint)PUMP_PER_SYMBOL);
      int same=0;
      for(int j=0; j<got; j++)
         if(m_ticks[j].time_msc==now.time_msc)
            same++;
      //--- not in the history yet: it is the one that we have just seen
      watches.SetCursor(i,now.time_msc,MathMax(same,1));
     }
   //--- pulls what is new of all watched symbols, the first one in turn; returns how many ticks
   int               Pull(CWatches &watches,CTransport &transport)
     {
      int total=watches.Total();
      int told=0;
      ulong began_ms=NowMs();
      m_rows=0;
      LookAtBroker(watches);
      for(int k=0; k<total && told<PUMP_PER_CYCLE && NowMs()-began_ms<PUMP_SLOW_MS; k++)
        {
         int i=(m_first+k)%total;
         if(watches.all[i].ticks)
            told+=PullOne(watches,i,transport);
        }
      EndFrame(transport.output);
      m_first=total>0 ? (m_first+1)%total : 0;
      return(told);
     }
  };
#endif
//+------------------------------------------------------------------+
