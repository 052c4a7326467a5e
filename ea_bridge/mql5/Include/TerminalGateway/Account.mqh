//+------------------------------------------------------------------+
//| Account.mqh - the account and its terminal, of MetaTrader 5       |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_ACCOUNT_MQH
#define TERMINAL_GATEWAY_ACCOUNT_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\Hello.mqh>

class CAccount
  {
private:
   void              Number(CByteBuffer &out,const string name,
                            const ENUM_ACCOUNT_INFO_INTEGER property) const
     {
      out.MemberLong(name,AccountInfoInteger(property));
     }
   void              Flag(CByteBuffer &out,const string name,
                          const ENUM_ACCOUNT_INFO_INTEGER property) const
     {
      out.MemberBool(name,AccountInfoInteger(property)!=0);
     }
   void              Sum(CByteBuffer &out,const string name,
                         const ENUM_ACCOUNT_INFO_DOUBLE property) const
     {
      out.MemberDouble(name,AccountInfoDouble(property));
     }
   void              Name(CByteBuffer &out,const string name,
                          const ENUM_ACCOUNT_INFO_STRING property) const
     {
      out.MemberText(name,AccountInfoString(property));
     }
   void              State(CByteBuffer &out,const string name,
                           const ENUM_TERMINAL_INFO_INTEGER property) const
     {
      out.MemberBool(name,TerminalInfoInteger(property)!=0);
     }

public:
   long              Login(void) const  { return(AccountInfoInteger(ACCOUNT_LOGIN)); }
   string            Server(void) const { return(AccountInfoString(ACCOUNT_SERVER)); }
   bool              IsHedging(void) const
     {
      return(AccountInfoInteger(ACCOUNT_MARGIN_MODE)==(long)ACCOUNT_MARGIN_MODE_RETAIL_HEDGING);
     }
   //--- what this platform can do beyond the least
   string            Capabilities(void) const
     {
      return("ticks,book,deals,check,results,sure_absent,trail,sessions,lease");
     }
   void              Describe(SHello &hello) const
     {
      long margin_mode=AccountInfoInteger(ACCOUNT_MARGIN_MODE);
      long trade_mode=AccountInfoInteger(ACCOUNT_TRADE_MODE);
      hello.platform="mt5";
      hello.build=TerminalInfoInteger(TERMINAL_BUILD);
      hello.login=Login();
      hello.server=Server();
      hello.company=AccountInfoString(ACCOUNT_COMPANY);
      hello.currency=AccountInfoString(ACCOUNT_CURRENCY);
      hello.mode=IsHedging() ? "hedging"
                 : margin_mode==(long)ACCOUNT_MARGIN_MODE_EXCHANGE ? "exchange" : "netting";
      hello.trade=trade_mode==WIRE_TRADE_MODE_DEMO ? "demo"
                  : trade_mode==WIRE_TRADE_MODE_CONTEST ? "contest" : "real";
      hello.caps=Capabilities();
     }
   //--- a model.Account
   void              Write(CByteBuffer &out) const
     {
      out.PutByte('{');
      Number(out,"login",ACCOUNT_LOGIN);
      Number(out,"trade_mode",ACCOUNT_TRADE_MODE);
      Number(out,"leverage",ACCOUNT_LEVERAGE);
      Number(out,"limit_orders",ACCOUNT_LIMIT_ORDERS);
      Number(out,"margin_so_mode",ACCOUNT_MARGIN_SO_MODE);
      Flag(out,"trade_allowed",ACCOUNT_TRADE_ALLOWED);
      Flag(out,"trade_expert",ACCOUNT_TRADE_EXPERT);
      Number(out,"margin_mode",ACCOUNT_MARGIN_MODE);
      Number(out,"currency_digits",ACCOUNT_CURRENCY_DIGITS);
      Flag(out,"fifo_close",ACCOUNT_FIFO_CLOSE);
      Sum(out,"balance",ACCOUNT_BALANCE);
      Sum(out,"credit",ACCOUNT_CREDIT);
      Sum(out,"profit",ACCOUNT_PROFIT);
      Sum(out,"equity",ACCOUNT_EQUITY);
      Sum(out,"margin",ACCOUNT_MARGIN);
      Sum(out,"margin_free",ACCOUNT_MARGIN_FREE);
      Sum(out,"margin_level",ACCOUNT_MARGIN_LEVEL);
      Sum(out,"margin_so_call",ACCOUNT_MARGIN_SO_CALL);
      Sum(out,"margin_so_so",ACCOUNT_MARGIN_SO_SO);
      Sum(out,"margin_initial",ACCOUNT_MARGIN_INITIAL);
      Sum(out,"margin_maintenance",ACCOUNT_MARGIN_MAINTENANCE);
      Sum(out,"assets",ACCOUNT_ASSETS);
      Sum(out,"liabilities",ACCOUNT_LIABILITIES);
      Sum(out,"commission_blocked",ACCOUNT_COMMISSION_BLOCKED);
      Name(out,"name",ACCOUNT_NAME);
      Name(out,"server",ACCOUNT_SERVER);
      Name(out,"currency",ACCOUNT_CURRENCY);
      Name(out,"company",ACCOUNT_COMPANY);
      out.PutByte('}');
     }
   //--- a model.Terminal
   void              WriteTerminal(CByteBuffer &out) const
     {
      out.PutByte('{');
      State(out,"community_account",TERMINAL_COMMUNITY_ACCOUNT);
      State(out,"community_connection",TERMINAL_COMMUNITY_CONNECTION);
      State(out,"connected",TERMINAL_CONNECTED);
      State(out,"dlls_allowed",TERMINAL_DLLS_ALLOWED);
      State(out,"trade_allowed",TERMINAL_TRADE_ALLOWED);
      //--- whether programs beside the terminal may trade is told to none inside it
      State(out,"email_enabled",TERMINAL_EMAIL_ENABLED);
      State(out,"ftp_enabled",TERMINAL_FTP_ENABLED);
      State(out,"notifications_enabled",TERMINAL_NOTIFICATIONS_ENABLED);
      State(out,"mqid",TERMINAL_MQID);
      out.MemberLong("build",TerminalInfoInteger(TERMINAL_BUILD));
      out.MemberLong("maxbars",TerminalInfoInteger(TERMINAL_MAXBARS));
      out.MemberLong("codepage",TerminalInfoInteger(TERMINAL_CODEPAGE));
      out.MemberLong("ping_last",TerminalInfoInteger(TERMINAL_PING_LAST));
      out.MemberDouble("community_balance",TerminalInfoDouble(TERMINAL_COMMUNITY_BALANCE));
      out.MemberDouble("retransmission",TerminalInfoDouble(TERMINAL_RETRANSMISSION));
      out.MemberText("company",TerminalInfoString(TERMINAL_COMPANY));
      out.MemberText("name",TerminalInfoString(TERMINAL_NAME));
      out.MemberText("language",TerminalInfoString(TERMINAL_LANGUAGE));
      out.MemberText("path",TerminalInfoString(TERMINAL_PATH));
      out.MemberText("data_path",TerminalInfoString(TERMINAL_DATA_PATH));
      out.MemberText("commondata_path",TerminalInfoString(TERMINAL_COMMONDATA_PATH));
      out.PutByte('}');
     }
   //--- a model.Clock
   void              WriteClock(CByteBuffer &out) const
     {
      out.PutByte('{');
      out.MemberLong("tcur",(long)TimeCurrent());
      out.MemberLong("tgmt",(long)TimeGMT());
      out.MemberLong("tlocal",(long)TimeLocal());
      out.MemberLong("tsrv",(long)TimeTradeServer());
      out.PutByte('}');
     }
  };
#endif
//+------------------------------------------------------------------+
