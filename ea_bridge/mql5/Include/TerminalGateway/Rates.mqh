//+------------------------------------------------------------------+
//| Rates.mqh - bars                                                  |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_RATES_MQH
#define TERMINAL_GATEWAY_RATES_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>

//--- the first question about a symbol only makes the terminal load its history. No longer, since
//--- orders wait meanwhile: the daemon asks again.
#define RATES_TRIES   10
#define RATES_WAIT_MS 20
//--- MetaTrader 4's error along with bars that are being updated
#define RATES_UPDATING 4066

//--- which bars are asked for
enum ENUM_RATES
  {
   RATES_BACK,
   RATES_UNTIL,
   RATES_BETWEEN
  };

class CRates
  {
private:
   MqlRates          m_rates[];
   string            m_symbol;
   ENUM_TIMEFRAMES   m_timeframe;
   ENUM_RATES        m_form;
   int               m_start;
   int               m_count;
   long              m_from_s;
   long              m_to_s;
   int               m_error;
   string            m_missing;

   //--- the most bars that the terminal keeps of a period; asked for more it gives none at all
   int               MaxBars(void) const
     {
      return((int)MathMin(MathMax(TerminalInfoInteger(TERMINAL_MAXBARS),(long)1),(long)INT_MAX));
     }
   int               Copy(void)
     {
      int most=MaxBars();
      ResetLastError();
      int got=0;
      if(m_form==RATES_BETWEEN)
         got=CopyRates(m_symbol,m_timeframe,(datetime)m_from_s,(datetime)m_to_s,m_rates);
      else if(m_form==RATES_UNTIL)
         got=CopyRates(m_symbol,m_timeframe,(datetime)m_to_s,MathMin(m_count,most),m_rates);
      else if(m_start<most)
         got=CopyRates(m_symbol,m_timeframe,m_start,MathMin(m_count,most-m_start),m_rates);
      else
         ArrayResize(m_rates,0);
      m_error=GetLastError();
      return(got);
     }
   long              Series(const ENUM_SERIES_INFO_INTEGER property) const
     {
      return(SeriesInfoInteger(m_symbol,m_timeframe,property));
     }
   //--- the server's history begins before that of the terminal
   bool              HasOlder(void) const
     {
      long server_s=Series(SERIES_SERVER_FIRSTDATE);
      return(server_s>0 && Series(SERIES_FIRSTDATE)>server_s+PeriodSeconds(m_timeframe));
     }
   //--- of MetaTrader 4 only the answer says so
   bool              IsWaiting(void) const
     {
#ifdef __MQL4__
      return(false);
#else
      return(IsLoading(m_symbol,m_timeframe));
#endif
     }
   //--- why there may be more of what is asked for than these bars, a model.Missing
   string            Lack(const int got) const
     {
      bool is_loading=IsLoading(m_symbol,m_timeframe);
#ifdef __MQL4__
      if(is_loading)
         return("loading");
#endif
      if(m_form!=RATES_BETWEEN && got>=m_count)
         return("");
      bool begins_before=(m_form!=RATES_BETWEEN || m_from_s<Series(SERIES_FIRSTDATE));
      if(is_loading && (got<=0 || (begins_before && HasOlder())
                        || (m_form==RATES_BETWEEN && m_to_s>=Series(SERIES_LASTBAR_DATE))))
         return("loading");
      //--- a terminal that is in step with its server and has room has all there are
      if(begins_before && HasOlder() && Bars(m_symbol,m_timeframe)>=MaxBars())
         return("max_bars");
      return("");
     }
   //--- how many there are; -1 where the terminal has none yet
   int               Load(void)
     {
      int got=-1;
      m_missing="";
      for(int i=0; i<RATES_TRIES; i++)
        {
         if(i>0)
            Sleep(RATES_WAIT_MS);
         bool was_loading=IsWaiting();
         got=Copy();
         //--- what was loaded since is not among them
         m_missing=(was_loading && !IsWaiting() ? "loading" : Lack(got));
         if(m_missing=="max_bars" || (got>=0 && m_missing==""))
            break;
        }
      return(m_missing=="max_bars" ? MathMax(got,0) : got);
     }

public:
                     CRates(void)
     {
      m_symbol="";
      m_timeframe=PERIOD_CURRENT;
      m_form=RATES_BACK;
      m_start=0;
      m_count=0;
      m_from_s=0;
      m_to_s=0;
      m_error=0;
      m_missing="";
     }
   //--- of the bars that were loaded last, a model.Missing
   string            Missing(void) const { return(m_missing); }
   //--- whether the terminal is still fetching bars of a period, and may wait for them. MetaTrader 4
   //--- never waits, and says with its answer that there will be others.
   bool              IsLoading(const string symbol,const ENUM_TIMEFRAMES timeframe) const
     {
#ifdef __MQL4__
      return(m_error==RATES_UPDATING);
#else
      return(SeriesInfoInteger(symbol,timeframe,SERIES_SYNCHRONIZED)==0);
#endif
     }
   //--- a code of the wire; PERIOD_CURRENT where this platform has no such period
   ENUM_TIMEFRAMES   Timeframe(const long code) const
     {
      switch((int)code)
        {
         case WIRE_TIMEFRAME_M1:
            return(PERIOD_M1);
         case WIRE_TIMEFRAME_M5:
            return(PERIOD_M5);
         case WIRE_TIMEFRAME_M15:
            return(PERIOD_M15);
         case WIRE_TIMEFRAME_M30:
            return(PERIOD_M30);
         case WIRE_TIMEFRAME_H1:
            return(PERIOD_H1);
         case WIRE_TIMEFRAME_H4:
            return(PERIOD_H4);
         case WIRE_TIMEFRAME_D1:
            return(PERIOD_D1);
         case WIRE_TIMEFRAME_W1:
            return(PERIOD_W1);
         case WIRE_TIMEFRAME_MN1:
            return(PERIOD_MN1);
#ifndef __MQL4__
         case WIRE_TIMEFRAME_M2:
            return(PERIOD_M2);
         case WIRE_TIMEFRAME_M3:
            return(PERIOD_M3);
         case WIRE_TIMEFRAME_M4:
            return(PERIOD_M4);
         case WIRE_TIMEFRAME_M6:
            return(PERIOD_M6);
         case WIRE_TIMEFRAME_M10:
            return(PERIOD_M10);
         case WIRE_TIMEFRAME_M12:
            return(PERIOD_M12);
         case WIRE_TIMEFRAME_M20:
            return(PERIOD_M20);
         case WIRE_TIMEFRAME_H2:
            return(PERIOD_H2);
         case WIRE_TIMEFRAME_H3:
            return(PERIOD_H3);
         case WIRE_TIMEFRAME_H6:
            return(PERIOD_H6);
         case WIRE_TIMEFRAME_H8:
            return(PERIOD_H8);
         case WIRE_TIMEFRAME_H12:
            return(PERIOD_H12);
#endif
        }
      return(PERIOD_CURRENT);
     }
   //--- bars counted back from the forming one; how many there are now, -1 for none
   int               Back(const string symbol,const ENUM_TIMEFRAMES timeframe,const int start,
                          const int count)
     {
      m_symbol=symbol;
      m_timeframe=timeframe;
      m_form=RATES_BACK;
      m_start=start;
      m_count=count;
      return(Load());
     }
   int               Until(const string symbol,const ENUM_TIMEFRAMES timeframe,const long to_s,
                           const int count)
     {
      m_symbol=symbol;
      m_timeframe=timeframe;
      m_form=RATES_UNTIL;
      m_to_s=to_s;
      m_count=count;
      return(Load());
     }
   //--- nothing is there, and nothing will be: the broker's own history begins later
   bool              IsBeforeAll(const string symbol,const ENUM_TIMEFRAMES timeframe,
                                 const long to_s) const
     {
      long first=SeriesInfoInteger(symbol,timeframe,SERIES_SERVER_FIRSTDATE);
      return(first>0 && to_s<first);
     }
   int               Between(const string symbol,const ENUM_TIMEFRAMES timeframe,const long from_s,
                             const long to_s)
     {
      m_missing="";
      if(IsBeforeAll(symbol,timeframe,to_s))
         return(0);
      m_symbol=symbol;
      m_timeframe=timeframe;
      m_form=RATES_BETWEEN;
      m_from_s=from_s;
      m_to_s=to_s;
      return(Load());
     }
   //--- without the patience: what is there right now
   int               Now(const string symbol,const ENUM_TIMEFRAMES timeframe,const int count)
     {
      ResetLastError();
      int got=CopyRates(symbol,timeframe,0,count,m_rates);
      m_error=GetLastError();
      return(got);
     }
   int               Total(void) const            { return(ArraySize(m_rates)); }
   long              TimeAt(const int index) const  { return((long)m_rates[index].time); }
   //--- two looks at a bar, compared by what a tick changes
   string            Face(const int index) const
     {
      return(IntegerToString((long)m_rates[index].time)+" "
             +IntegerToString(m_rates[index].tick_volume)+" "
             +DoubleToString(m_rates[index].close,8));
     }
   //--- a model.Bar
   void              Write(CByteBuffer &out,const int index,const int digits) const
     {
      out.Comma();
      out.PutByte('[');
      out.PutLong((long)m_rates[index].time);
      out.PutByte(',');
      out.PutFixed(m_rates[index].open,digits);
      out.PutByte(',');
      out.PutFixed(m_rates[index].high,digits);
      out.PutByte(',');
      out.PutFixed(m_rates[index].low,digits);
      out.PutByte(',');
      out.PutFixed(m_rates[index].close,digits);
      out.PutByte(',');
      out.PutLong((long)m_rates[index].tick_volume);
      out.PutByte(',');
      out.PutLong((long)m_rates[index].spread);
      out.PutByte(',');
      out.PutLong((long)m_rates[index].real_volume);
      out.PutByte(']');
     }
   void              Free(void)
     {
      m_missing="";
      ArrayFree(m_rates);
     }
  };
#endif
//+------------------------------------------------------------------+
