//+------------------------------------------------------------------+
//| TerminalGateway.mq4 - links this terminal with mt-gateway         |
//+------------------------------------------------------------------+
#property copyright   "The mt-gateway authors (MIT licence)"
#property version     "1.00"
#property description "Links this terminal with mt-gateway on this machine."
#property description "Allow DLL imports: MetaTrader 4 has no sockets of its own, so ws2_32.dll"
#property description "of Windows is used. Copy auth_token from the console."
#property strict

#include <TerminalGateway\Gateway.mqh>

input string auth_token        = "";          // auth_token: from the console, one for each terminal
input string verification_code = "";          // verification_code: of the mail, for a new machine
input string daemon_host       = "127.0.0.1"; // daemon_host: where mt-gateway runs
input int    daemon_port       = 7401;        // daemon_port: as in its configuration
input bool   spare_cpu         = false;       // spare_cpu: answer in 10 to 16 ms instead of one

CGateway gateway;

int OnInit(void)
  {
   if(MQLInfoInteger(MQL_DLLS_ALLOWED)==0)
     {
      Alert("Terminal Gateway: allow DLL imports (Tools > Options > Expert Advisors), and drag this"
            +" EA onto the chart again, with DLL imports allowed under Common");
      return(INIT_FAILED);
     }
   return(gateway.Begin(daemon_host,daemon_port,auth_token,verification_code,spare_cpu));
  }
void OnDeinit(const int reason)
  {
   gateway.End(reason);
  }
void OnTick(void)
  {
   //--- a tick can fill a waiting order, and MetaTrader 4 tells of no trades
   gateway.OnHint();
  }
void OnTimer(void)
  {
   gateway.OnTimer();
  }
void OnChartEvent(const int id,const long &lparam,const double &dparam,const string &sparam)
  {
   gateway.OnChartEvent(id,lparam);
  }
//+------------------------------------------------------------------+
