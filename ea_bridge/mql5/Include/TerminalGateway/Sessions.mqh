//+------------------------------------------------------------------+
//| Sessions.mqh - when a symbol trades                               |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SESSIONS_MQH
#define TERMINAL_GATEWAY_SESSIONS_MQH

#include <TerminalGateway\ByteBuffer.mqh>

#define SESSIONS_A_DAY  32
#define SECONDS_A_DAY   86400

class CSessions
  {
public:
   //--- a list of model.TradeSession
   void              Write(CByteBuffer &out,const string symbol) const
     {
      out.PutByte('[');
      for(int day=0; day<7; day++)
         for(int i=0; i<SESSIONS_A_DAY; i++)
           {
            datetime from=0;
            datetime to=0;
            if(!SymbolInfoSessionTrade(symbol,(ENUM_DAY_OF_WEEK)day,(uint)i,from,to))
               break;
            WriteOne(out,day,(long)from,(long)to);
           }
      out.PutByte(']');
     }

private:
   //--- only the time of the day counts, but the end of one may be told as 24:00
   void              WriteOne(CByteBuffer &out,const int day,const long from,const long to) const
     {
      long from_s=from%SECONDS_A_DAY;
      long to_s=to%SECONDS_A_DAY;
      if(to_s==0 && to>0)
         to_s=SECONDS_A_DAY;
      out.Comma();
      out.PutByte('{');
      out.MemberLong("day",day);
      out.MemberLong("from_s",from_s);
      out.MemberLong("to_s",to_s);
      out.PutByte('}');
     }
  };
#endif
//+------------------------------------------------------------------+
