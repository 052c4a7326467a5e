//+------------------------------------------------------------------+
//| Claim.mqh - which EA of this terminal works with a token          |
//|                                                                   |
//| Who holds the files of a token may be a virus scanner, or the EA  |
//| of another chart with the same token. An EA that works says so    |
//| once a second, in a global variable of the terminal.              |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_CLAIM_MQH
#define TERMINAL_GATEWAY_CLAIM_MQH

#include <TerminalGateway\Clock.mqh>

#define CLAIM_BEAT_MS  1000
//--- after so long without a sign nobody works
#define CLAIM_OLD_S    5

class CClaim
  {
private:
   string            m_name;
   ulong             m_beat_ms;
   bool              m_is_ours;

public:
                     CClaim(void) { m_name=""; m_beat_ms=0; m_is_ours=false; }
   void              Setup(const string terminal)
     {
      m_name="TerminalGateway."+terminal;
      m_is_ours=false;
     }
   //--- another EA works with the token
   bool              IsTaken(void) const
     {
      if(m_is_ours || !GlobalVariableCheck(m_name))
         return(false);
      return(MathAbs((double)TimeLocal()-GlobalVariableGet(m_name))<=CLAIM_OLD_S);
     }
   void              Keep(void)
     {
      if(m_is_ours && NowMs()-m_beat_ms<CLAIM_BEAT_MS)
         return;
      //--- one that is not kept on the disk, as it would outlive a crash
      if(!GlobalVariableCheck(m_name))
         GlobalVariableTemp(m_name);
      GlobalVariableSet(m_name,(double)TimeLocal());
      m_is_ours=true;
      m_beat_ms=NowMs();
     }
   void              Leave(void)
     {
      if(m_is_ours)
         GlobalVariableDel(m_name);
      m_is_ours=false;
     }
  };
#endif
//+------------------------------------------------------------------+
