//+------------------------------------------------------------------+
//| Patience.mqh - how long to stay away from a daemon that does not  |
//| want us                                                           |
//|                                                                   |
//| What is in the way needs a person, who may take days: so the EA   |
//| asks ever more rarely, but often enough that the link is back     |
//| soon after he has done it. A new start of the EA dials at once.   |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_PATIENCE_MQH
#define TERMINAL_GATEWAY_PATIENCE_MQH

#include <TerminalGateway\Clock.mqh>

#define PATIENCE_REFUSED_FIRST_MS  5000
#define PATIENCE_REFUSED_LAST_MS   60000
//--- the newest link wins: were we to come back at once, two terminals with the same token would
//--- throw each other out for ever
#define PATIENCE_REPLACED_FIRST_MS 300000
#define PATIENCE_REPLACED_LAST_MS  3600000
//--- two that still throw each other out do so more often: each waits for an hour at the most
#define PATIENCE_FORGET_MS         10800000

class CPatience
  {
private:
   int               m_refused_ms;
   int               m_replaced_ms;
   ulong             m_away_ms;

public:
                     CPatience(void) { Forget(); }
   void              Forget(void)
     {
      m_refused_ms=0;
      m_replaced_ms=PATIENCE_REPLACED_FIRST_MS;
      m_away_ms=0;
     }
   //--- the daemon has let us in
   void              Linked(void) { m_refused_ms=0; }
   //--- it does not, and may have said how long to wait
   int               Refused(const long asked_ms)
     {
      long wait_ms=asked_ms>0 ? asked_ms : PATIENCE_REFUSED_FIRST_MS;
      wait_ms=MathMax(wait_ms,(long)m_refused_ms);
      m_refused_ms=MathMin(MathMax(m_refused_ms,PATIENCE_REFUSED_FIRST_MS)*2,
                           PATIENCE_REFUSED_LAST_MS);
      return((int)wait_ms);
     }
   //--- another terminal has come with our token; one that came long ago is forgotten
   int               Replaced(void)
     {
      if(NowMs()-m_away_ms>PATIENCE_FORGET_MS)
         m_replaced_ms=PATIENCE_REPLACED_FIRST_MS;
      m_away_ms=NowMs();
      int wait_ms=m_replaced_ms;
      m_replaced_ms=MathMin(m_replaced_ms*2,PATIENCE_REPLACED_LAST_MS);
      return(wait_ms);
     }
   //--- for a person
   string            Words(const int wait_ms) const
     {
      if(wait_ms<120000)
         return(IntegerToString((wait_ms+500)/1000)+" seconds");
      if(wait_ms<7200000)
         return(IntegerToString((wait_ms+30000)/60000)+" minutes");
      return(IntegerToString(wait_ms/3600000)+" hours");
     }
  };
#endif
//+------------------------------------------------------------------+
