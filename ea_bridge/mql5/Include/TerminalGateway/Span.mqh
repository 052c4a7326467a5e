//+------------------------------------------------------------------+
//| Span.mqh - which records of the past are asked for                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SPAN_MQH
#define TERMINAL_GATEWAY_SPAN_MQH

#include <TerminalGateway\FlatJson.mqh>

//--- a ticket or a position of 0 is not asked for; count is that of the oldest, 0 for all
struct SSpan
  {
   bool              has_from;
   bool              has_to;
   long              from_s;
   long              to_s;
   long              ticket;
   long              position;
   long              count;

   void              Everything(void)
     {
      has_from=false;
      has_to=false;
      from_s=0;
      to_s=0;
      ticket=0;
      position=0;
      count=0;
     }
   void              Read(const CFlatJson &message)
     {
      has_from=message.IsNumber("from_s");
      has_to=message.IsNumber("to_s");
      from_s=message.GetLong("from_s",0);
      to_s=message.GetLong("to_s",0);
      ticket=message.GetLong("ticket",0);
      position=message.GetLong("position",0);
      count=message.GetLong("count",0);
     }
   //--- what is asked for by a number is told whole
   bool              IsCounted(void) const { return(count>0 && ticket==0 && position==0); }
   //--- ends it with the second of the last record that is asked for; times are those of all
   void              CutTo(long &times[],const int total)
     {
      if(total<=count)
         return;
      ArrayResize(times,total);
      ArraySort(times);
      has_to=true;
      to_s=times[(int)count-1];
     }
   bool              Holds(const long time_s) const
     {
      return((!has_from || time_s>=from_s) && (!has_to || time_s<=to_s));
     }
  };
#endif
//+------------------------------------------------------------------+
