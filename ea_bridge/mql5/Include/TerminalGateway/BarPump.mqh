//+------------------------------------------------------------------+
//| BarPump.mqh - bars that form, and those that have just closed     |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_BAR_PUMP_MQH
#define TERMINAL_GATEWAY_BAR_PUMP_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Rates.mqh>
#include <TerminalGateway\Transport.mqh>
#include <TerminalGateway\Watches.mqh>

//--- a bar that forms is told no more often than this
#define BARS_LOOK_MS   100
//--- after a stall: the closed bars that are told are the newest so many
#define BARS_CATCH_UP  512
#define BARS_BUSY_MS   1000

struct SFollowed
  {
   int               sym;
   long              code;
   ENUM_TIMEFRAMES   timeframe;
   long              forming;
   string            face;
  };

class CBarPump
  {
private:
   CRates            m_rates;
   SFollowed         m_followed[];
   ulong             m_looked_ms;
   ulong             m_busy_ms;

   void              Tell(CByteBuffer &out,const int at,const int index,const int digits,
                          const bool is_closed)
     {
      out.PutText("{\"t\":\"bar\"");
      out.MemberLong("sym",m_followed[at].sym);
      out.MemberLong("timeframe",m_followed[at].code);
      out.Key("d");
      m_rates.Write(out,index,digits);
      if(is_closed)
         out.MemberBool("closed",true);
      out.PutText("}\n");
     }
   void              Look(CWatches &watches,const int at,CTransport &transport)
     {
      string symbol=watches.all[m_followed[at].sym].symbol;
      int    digits=watches.all[m_followed[at].sym].digits;
#ifndef __MQL4__
      if(m_rates.IsLoading(symbol,m_followed[at].timeframe))
         TellBusy(transport);
#endif
      int    total=m_rates.Now(symbol,m_followed[at].timeframe,2);
      if(total<=0)
         return;
      if(m_followed[at].forming!=0 && m_rates.TimeAt(0)>m_followed[at].forming)
        {
         bool is_loading=m_rates.IsLoading(symbol,m_followed[at].timeframe);
         total=m_rates.Now(symbol,m_followed[at].timeframe,BARS_CATCH_UP);
         //--- the bar that formed is not there yet: its end is told when it is
         if(total>0 && m_rates.TimeAt(0)>m_followed[at].forming
            && (is_loading || m_rates.IsLoading(symbol,m_followed[at].timeframe)))
            return;
        }
      if(total<=0 || m_rates.Face(total-1)==m_followed[at].face)
         return;
      for(int i=0; i<total-1; i++)
         if(m_followed[at].forming!=0 && m_rates.TimeAt(i)>=m_followed[at].forming)
            Tell(transport.output,at,i,digits,true);
      Tell(transport.output,at,total-1,digits,false);
      m_followed[at].forming=m_rates.TimeAt(total-1);
      m_followed[at].face=m_rates.Face(total-1);
     }
   //--- while a period is loaded for long, a word a second is enough
   void              TellBusy(CTransport &transport)
     {
      if(NowMs()-m_busy_ms<BARS_BUSY_MS)
         return;
      m_busy_ms=NowMs();
      transport.TellBusy();
     }
   int               Find(const int sym,const long code) const
     {
      for(int i=0; i<ArraySize(m_followed); i++)
         if(m_followed[i].sym==sym && m_followed[i].code==code)
            return(i);
      return(-1);
     }
   bool              IsListed(const string &codes[],const long code) const
     {
      for(int i=0; i<ArraySize(codes); i++)
         if(codes[i]!="" && StringToInteger(codes[i])==code)
            return(true);
      return(false);
     }

public:
                     CBarPump(void) { m_looked_ms=0; m_busy_ms=0; }
   bool              IsActive(void) const { return(ArraySize(m_followed)>0); }
   //--- whether a list like "1,16385" has only periods of this platform
   bool              IsValid(const string list) const
     {
      string codes[];
      if(list=="")
         return(true);
      int count=StringSplit(list,',',codes);
      for(int i=0; i<count; i++)
         if(codes[i]!="" && m_rates.Timeframe(StringToInteger(codes[i]))==PERIOD_CURRENT)
            return(false);
      return(true);
     }
   //--- follows these periods of a symbol from now on and no others; those that go on go on
   void              Follow(const int sym,const string list)
     {
      string codes[];
      int    kept=0;
      ArrayResize(codes,0);
      if(list!="")
         StringSplit(list,',',codes);
      for(int i=0; i<ArraySize(m_followed); i++)
         if(m_followed[i].sym!=sym || IsListed(codes,m_followed[i].code))
           {
            m_followed[kept]=m_followed[i];
            kept++;
           }
      ArrayResize(m_followed,kept);
      for(int i=0; i<ArraySize(codes); i++)
        {
         long code=StringToInteger(codes[i]);
         if(codes[i]=="" || Find(sym,code)>=0)
            continue;
         ArrayResize(m_followed,kept+1);
         m_followed[kept].sym=sym;
         m_followed[kept].code=code;
         m_followed[kept].timeframe=m_rates.Timeframe(code);
         m_followed[kept].forming=0;
         m_followed[kept].face="";
         kept++;
        }
     }
   void              StopAll(void) { ArrayResize(m_followed,0); }
   void              Pull(CWatches &watches,CTransport &transport)
     {
      if(ArraySize(m_followed)==0 || NowMs()-m_looked_ms<BARS_LOOK_MS)
         return;
      m_looked_ms=NowMs();
      for(int i=0; i<ArraySize(m_followed); i++)
         Look(watches,i,transport);
     }
  };
#endif
//+------------------------------------------------------------------+
