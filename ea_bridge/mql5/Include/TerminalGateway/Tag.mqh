//+------------------------------------------------------------------+
//| Tag.mqh - how the gateway marks what came through it: its         |
//| comments begin with g and nine characters of base32               |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TAG_MQH
#define TERMINAL_GATEWAY_TAG_MQH

#include <TerminalGateway\Constants.mqh>

#define TAG_LENGTH 10

class CTag
  {
public:
   bool              Begins(const string comment) const
     {
      int length=StringLen(comment);
      if(length<TAG_LENGTH || StringGetCharacter(comment,0)!='g'
         || (length>TAG_LENGTH && StringGetCharacter(comment,TAG_LENGTH)!=' '))
         return(false);
      for(int i=1; i<TAG_LENGTH; i++)
        {
         ushort c=StringGetCharacter(comment,i);
         if(!((c>='A' && c<='Z') || (c>='2' && c<='7')))
            return(false);
        }
      return(true);
     }
   //--- who has sent an order is told nowhere in MetaTrader 4: experts mark what is theirs
   int               ReasonOf(const long magic,const string comment) const
     {
      return(magic!=0 || Begins(comment) ? WIRE_ORDER_REASON_EXPERT : WIRE_ORDER_REASON_CLIENT);
     }
  };
#endif
//+------------------------------------------------------------------+
