//+------------------------------------------------------------------+
//| TerminalGateway.mq5 - links this terminal with mt-gateway         |
//+------------------------------------------------------------------+
#property copyright   "The mt-gateway authors (MIT licence)"
#property version     "1.00"
#property description "Links this terminal with mt-gateway on this machine: no DLL."
#property description "Put 127.0.0.1 on the list under Tools > Options > Expert Advisors >"
#property description "Allow WebRequest, and copy auth_token from the console."

#include <TerminalGateway\Gateway.mqh>

input string auth_token        = "";          // auth_token: from the console, one for each terminal
input string verification_code = "";          // verification_code: of the mail, for a new machine
input string daemon_host       = "127.0.0.1"; // daemon_host: where mt-gateway runs
input int    daemon_port       = 7401;        // daemon_port: as in its configuration
input bool   spare_cpu         = false;       // spare_cpu: answer in 10 to 16 ms instead of one

CGateway gateway;

int OnInit(void)
  {
   return(gateway.Begin(daemon_host,daemon_port,auth_token,verification_code,spare_cpu));
  }
void OnDeinit(const int reason)
  {
   gateway.End(reason);
  }
void OnTimer(void)
  {
   gateway.OnTimer();
  }
void OnChartEvent(const int id,const long &lparam,const double &dparam,const string &sparam)
  {
   gateway.OnChartEvent(id,lparam);
  }
void OnTrade(void)
  {
   gateway.OnHint();
  }
void OnTradeTransaction(const MqlTradeTransaction &trans,const MqlTradeRequest &request,
                        const MqlTradeResult &result)
  {
   gateway.OnHint();
  }
void OnBookEvent(const string &symbol)
  {
   gateway.OnBook(symbol);
  }
//+------------------------------------------------------------------+
