//+------------------------------------------------------------------+
//| Rates.mqh - bars                                                  |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_RATES_MQH
#define TERMINAL_GATEWAY_RATES_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>

//--- the first question about a symbol only makes the terminal load its history
#define RATES_TRIES   10
#define RATES_WAIT_MS 20

class CRates
  {
private:
   MqlRates          m_rates[];

public:
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
      int got=-1;
      for(int i=0; i<RATES_TRIES && got<0; i++)
        {
         if(i>0)
            Sleep(RATES_WAIT_MS);
         got=CopyRates(symbol,timeframe,start,count,m_rates);
        }
      return(got);
     }
   int               Until(const string symbol,const ENUM_TIMEFRAMES timeframe,const long to_s,
                           const int count)
     {
      int got=-1;
      for(int i=0; i<RATES_TRIES && got<0; i++)
        {
         if(i>0)
            Sleep(RATES_WAIT_MS);
         got=CopyRates(symbol,timeframe,(datetime)to_s,count,m_rates);
        }
      return(got);
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
      int got=IsBeforeAll(symbol,timeframe,to_s) ? 0 : -1;
      for(int i=0; i<RATES_TRIES && got<0; i++)
        {
         if(i>0)
            Sleep(RATES_WAIT_MS);
         got=CopyRates(symbol,timeframe,(datetime)from_s,(datetime)to_s,m_rates);
        }
      return(got);
     }
   //--- without the patience: what is there right now
   int               Now(const string symbol,const ENUM_TIMEFRAMES timeframe,const int count)
     {
      return(CopyRates(symbol,timeframe,0,count,m_rates));
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
   void              Free(void) { ArrayFree(m_rates); }
  };
#endif
//+------------------------------------------------------------------+
