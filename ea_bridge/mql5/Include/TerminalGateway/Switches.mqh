//+------------------------------------------------------------------+
//| Switches.mqh - the link to the broker, and the four switches that |
//| must all be on before an EA can trade                             |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SWITCHES_MQH
#define TERMINAL_GATEWAY_SWITCHES_MQH

#include <TerminalGateway\Constants.mqh>

class CSwitches
  {
public:
   //--- the terminal is connected to its broker
   bool              IsConnected(void) const
     {
      return(TerminalInfoInteger(TERMINAL_CONNECTED)!=0);
     }
   //--- the button AutoTrading (Algo Trading) of the terminal
   bool              IsTerminalOn(void) const
     {
      return(TerminalInfoInteger(TERMINAL_TRADE_ALLOWED)!=0);
     }
   //--- "Allow Algo Trading" in the properties of this EA
   bool              IsExpertOn(void) const { return(MQLInfoInteger(MQL_TRADE_ALLOWED)!=0); }
   //--- the server lets experts trade on this account
   bool              IsServerOn(void) const
     {
      return(AccountInfoInteger(ACCOUNT_TRADE_EXPERT)!=0);
     }
   //--- the account may trade at all: not with an investor's password, not when it is disabled
   bool              IsAccountOn(void) const
     {
      return(AccountInfoInteger(ACCOUNT_TRADE_ALLOWED)!=0);
     }
   //--- what heartbeats call autotrading: both switches of this terminal
   bool              IsAutotrading(void) const { return(IsTerminalOn() && IsExpertOn()); }

   //--- why the terminal would not send a trade; 0: it would
   int               Refusal(string &why) const
     {
      why="";
      if(!IsTerminalOn())
        {
         why="AutoTrading is off: the button of the terminal";
         return(WIRE_RETCODE_CLIENT_DISABLES_AT);
        }
      if(!IsExpertOn())
        {
         why="AutoTrading is off: the EA's properties";
         return(WIRE_RETCODE_CLIENT_DISABLES_AT);
        }
      if(!IsConnected())
        {
         why="no connection to the broker";
         return(WIRE_RETCODE_CONNECTION);
        }
      return(0);
     }
   //--- the same for a person
   string            Describe(void) const
     {
      if(!IsTerminalOn())
         return("AutoTrading is off: press the button of the terminal");
      if(!IsExpertOn())
         return("this EA may not trade: allow it in the EA's properties (F7)");
      if(!IsAccountOn())
         return("this account may not trade: is it logged in with the investor's password?");
      if(!IsServerOn())
         return("the broker does not let experts trade on this account");
      return("");
     }
  };
#endif
//+------------------------------------------------------------------+
