//+------------------------------------------------------------------+
//| Hello.mqh - what a terminal says of itself at the beginning       |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_HELLO_MQH
#define TERMINAL_GATEWAY_HELLO_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>

#define HELLO_EA_VERSION  "1.0.0"
//--- the daemon takes no longer texts from a stranger
#define HELLO_MAX_TEXT    128

struct SHello
  {
   string            boot;
   string            platform;
   string            server;
   string            company;
   string            currency;
   string            mode;
   string            trade;
   string            caps;
   string            fp;
   long              build;
   long              login;

   void              Write(CByteBuffer &out,const string tid,const string cnonce,
                           const long q) const
     {
      out.PutText("{\"t\":\"hello\"");
      out.MemberText("proto",WIRE_PROTO);
      out.MemberText("tid",tid);
      out.MemberText("cnonce",cnonce);
      out.MemberText("boot",boot);
      out.MemberText("platform",platform);
      out.MemberLong("login",login);
      out.MemberText("server",StringSubstr(server,0,HELLO_MAX_TEXT));
      out.MemberText("ea",HELLO_EA_VERSION);
      out.MemberLong("build",build);
      out.MemberText("company",StringSubstr(company,0,HELLO_MAX_TEXT));
      out.MemberText("currency",StringSubstr(currency,0,HELLO_MAX_TEXT));
      out.MemberText("mode",mode);
      out.MemberText("trade",trade);
      out.MemberText("caps",caps);
      out.MemberLong("q",q);
      out.MemberText("fp",fp);
      out.PutText("}\n");
     }
  };
#endif
//+------------------------------------------------------------------+
