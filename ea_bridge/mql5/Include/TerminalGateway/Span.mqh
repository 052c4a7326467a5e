//+------------------------------------------------------------------+
//| Span.mqh - which records of the past are asked for                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SPAN_MQH
#define TERMINAL_GATEWAY_SPAN_MQH

#include <TerminalGateway\FlatJson.mqh>

//--- a ticket or a position of 0 is not asked for
struct SSpan
  {
   bool              has_from;
   bool              has_to;
   long              from_s;
   long              to_s;
   long              ticket;
   long              position;

   void              Everything(void)
     {
      has_from=false;
      has_to=false;
      from_s=0;
      to_s=0;
      ticket=0;
      position=0;
     }
   void              Read(const CFlatJson &message)
     {
      has_from=message.IsNumber("from_s");
      has_to=message.IsNumber("to_s");
      from_s=message.GetLong("from_s",0);
      to_s=message.GetLong("to_s",0);
      ticket=message.GetLong("ticket",0);
      position=message.GetLong("position",0);
     }
   bool              Holds(const long time_s) const
     {
      return((!has_from || time_s>=from_s) && (!has_to || time_s<=to_s));
     }
  };
#endif
//+------------------------------------------------------------------+
