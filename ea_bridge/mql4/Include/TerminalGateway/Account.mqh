//+------------------------------------------------------------------+
//| Account.mqh - the account and its terminal, of MetaTrader 4       |
//|                                                                   |
//| What it does not know is left out.                                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_ACCOUNT_MQH
#define TERMINAL_GATEWAY_ACCOUNT_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\Hello.mqh>

class CAccount
  {
private:
   void              Sum(CByteBuffer &out,const string name,
                         const ENUM_ACCOUNT_INFO_DOUBLE property) const
     {
      out.MemberDouble(name,AccountInfoDouble(property));
     }
   void              State(CByteBuffer &out,const string name,
                           const ENUM_TERMINAL_INFO_INTEGER property) const
     {
      out.MemberBool(name,TerminalInfoInteger(property)!=0);
     }

public:
   long              Login(void) const  { return(AccountInfoInteger(ACCOUNT_LOGIN)); }
   string            Server(void) const { return(AccountInfoString(ACCOUNT_SERVER)); }
   bool              IsHedging(void) const { return(true); }
   //--- what this platform can do beyond the least
   string            Capabilities(void) const { return("results,sure_absent,trail,sessions,lease"); }
   void              Describe(SHello &hello) const
     {
      long trade_mode=AccountInfoInteger(ACCOUNT_TRADE_MODE);
      hello.platform="mt4";
      hello.build=TerminalInfoInteger(TERMINAL_BUILD);
      hello.login=Login();
      hello.server=Server();
      hello.company=AccountInfoString(ACCOUNT_COMPANY);
      hello.currency=AccountInfoString(ACCOUNT_CURRENCY);
      hello.mode="hedging";
      hello.trade=trade_mode==WIRE_TRADE_MODE_DEMO ? "demo"
                  : trade_mode==WIRE_TRADE_MODE_CONTEST ? "contest" : "real";
      hello.caps=Capabilities();
     }
   //--- a model.Account
   void              Write(CByteBuffer &out) const
     {
      out.PutByte('{');
      out.MemberLong("login",Login());
      out.MemberLong("trade_mode",AccountInfoInteger(ACCOUNT_TRADE_MODE));
      out.MemberLong("leverage",AccountInfoInteger(ACCOUNT_LEVERAGE));
      out.MemberLong("limit_orders",AccountInfoInteger(ACCOUNT_LIMIT_ORDERS));
      out.MemberLong("margin_so_mode",AccountInfoInteger(ACCOUNT_MARGIN_SO_MODE));
      out.MemberBool("trade_allowed",AccountInfoInteger(ACCOUNT_TRADE_ALLOWED)!=0);
      out.MemberBool("trade_expert",AccountInfoInteger(ACCOUNT_TRADE_EXPERT)!=0);
      Sum(out,"balance",ACCOUNT_BALANCE);
      Sum(out,"credit",ACCOUNT_CREDIT);
      Sum(out,"profit",ACCOUNT_PROFIT);
      Sum(out,"equity",ACCOUNT_EQUITY);
      Sum(out,"margin",ACCOUNT_MARGIN);
      Sum(out,"margin_free",ACCOUNT_MARGIN_FREE);
      Sum(out,"margin_level",ACCOUNT_MARGIN_LEVEL);
      Sum(out,"margin_so_call",ACCOUNT_MARGIN_SO_CALL);
      Sum(out,"margin_so_so",ACCOUNT_MARGIN_SO_SO);
      out.MemberText("name",AccountInfoString(ACCOUNT_NAME));
      out.MemberText("server",Server());
      out.MemberText("currency",AccountInfoString(ACCOUNT_CURRENCY));
      out.MemberText("company",AccountInfoString(ACCOUNT_COMPANY));
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
      State(out,"email_enabled",TERMINAL_EMAIL_ENABLED);
      State(out,"ftp_enabled",TERMINAL_FTP_ENABLED);
      out.MemberLong("build",TerminalInfoInteger(TERMINAL_BUILD));
      out.MemberLong("maxbars",TerminalInfoInteger(TERMINAL_MAXBARS));
      out.MemberLong("codepage",TerminalInfoInteger(TERMINAL_CODEPAGE));
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
      out.PutByte('}');
     }
  };
#endif
//+------------------------------------------------------------------+
