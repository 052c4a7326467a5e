//+------------------------------------------------------------------+
//| TickHistory.mqh - ticks of MetaTrader 5                           |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TICK_HISTORY_MQH
#define TERMINAL_GATEWAY_TICK_HISTORY_MQH

#include <TerminalGateway\Quote.mqh>

//--- in one answer: what fits into the daemon's limit of 8 MiB
#define TICKS_MAX 100000
//--- MQL's error with ticks that are not all there are: 45 s were not enough to load the rest
#define TICKS_TIMEOUT 4403

class CTickHistory
  {
private:
   CQuote            m_quote;
   MqlTick           m_ticks[];
   int               m_first;
   int               m_end;
   string            m_missing;

public:
                     CTickHistory(void) { m_first=0; m_end=0; m_missing=""; }
   //--- ticks with from_msc <= time_msc, and <= to_msc where that is above 0, at most count of
   //--- them, the oldest; without from_msc (0) the newest. False where the terminal cannot tell.
   //--- The call waits up to 45 s for ticks that the terminal has yet to load.
   bool              Load(const string symbol,const int flags,const long from_msc,
                          const long to_msc,const int count)
     {
      int limit=count>0 ? MathMin(count,TICKS_MAX) : TICKS_MAX;
      int got=0;
      m_first=0;
      m_end=0;
      ResetLastError();
      //--- the newest up to a time: there is no such call, so of the newest that there are
      if(from_msc<=0 && to_msc>0)
         got=CopyTicks(symbol,m_ticks,(uint)flags,0,(uint)TICKS_MAX);
      else
         got=CopyTicks(symbol,m_ticks,(uint)flags,(ulong)MathMax(from_msc,(long)0),(uint)limit);
      int error=GetLastError();
      m_missing="";
      if(got<0)
         return(false);
      if(error!=0)
         m_missing=(error==TICKS_TIMEOUT ? "loading" : "terminal_error");
      m_end=got;
      while(m_end>0 && to_msc>0 && m_ticks[m_end-1].time_msc>to_msc)
         m_end--;
      if(from_msc<=0)
         m_first=MathMax(m_end-limit,0);
      return(true);
     }
   //--- a model.Missing
   string            Missing(void) const { return(m_missing); }
   int               First(void) const { return(m_first); }
   int               End(void) const   { return(m_end); }
   //--- a model.Tick
   void              Write(CByteBuffer &out,const int index,const int digits) const
     {
      m_quote.WriteTick(out,m_ticks[index],digits);
     }
   void              Free(void)
     {
      m_first=0;
      m_end=0;
      ArrayFree(m_ticks);
     }
  };
#endif
//+------------------------------------------------------------------+
