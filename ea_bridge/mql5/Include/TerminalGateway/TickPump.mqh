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
#include <TerminalGateway\Watches.mqh>

#define PUMP_PER_SYMBOL  512
#define PUMP_PER_CYCLE   2048
//--- two equal ticks of one millisecond look like one: so look closer now and then
#define PUMP_LOOK_MS     250
//--- the first touch of a symbol can block for 45 s: do not ask for it again at once
#define PUMP_RETRY_MS    1000

class CTickPump
  {
private:
   MqlTick           m_ticks[];
   int               m_first;
   int               m_rows;

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
      if(is_same && watches.all[i].is_level && NowMs()-watches.all[i].looked_ms<PUMP_LOOK_MS)
         return(false);
      return(now.time_msc>=watches.all[i].last_msc);
     }
   //--- returns how many ticks were told
   int               PullOne(CWatches &watches,const int i,CByteBuffer &out)
     {
      MqlTick now;
      if(!SymbolInfoTick(watches.all[i].symbol,now) || !IsDue(watches,i,now))
         return(0);
      int limit=PUMP_PER_SYMBOL+watches.all[i].same_msc;
      int got=CopyTicks(watches.all[i].symbol,m_ticks,(uint)COPY_TICKS_ALL,
                        (ulong)watches.all[i].last_msc,(uint)limit);
      watches.all[i].looked_ms=NowMs();
      if(got<0)
        {
         watches.all[i].retry_ms=NowMs()+PUMP_RETRY_MS;
         return(0);
        }
      int told=Tell(watches,i,got,out);
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
                     CTickPump(void) { m_first=0; m_rows=0; }
   //--- puts the cursor of a watch behind the newest tick
   void              Begin(CWatches &watches,const int i)
     {
      MqlTick now;
      watches.SetCursor(i,0,0);
      if(!SymbolInfoTick(watches.all[i].symbol,now) || now.time_msc<=0)
         return;
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
   int               Pull(CWatches &watches,CByteBuffer &out)
     {
      int total=watches.Total();
      int told=0;
      m_rows=0;
      for(int k=0; k<total && told<PUMP_PER_CYCLE; k++)
        {
         int i=(m_first+k)%total;
         if(watches.all[i].ticks)
            told+=PullOne(watches,i,out);
        }
      if(m_rows>0)
         out.PutText("]}\n");
      m_first=total>0 ? (m_first+1)%total : 0;
      return(told);
     }
  };
#endif
//+------------------------------------------------------------------+
