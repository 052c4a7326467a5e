//+------------------------------------------------------------------+
//| Link.mqh - finds the daemon, proves itself, keeps the link alive  |
//|                                                                   |
//| Both sides show that they know the token, the daemon first, and   |
//| the token never crosses the wire. Before welcome nothing else is  |
//| said or heard. After every end the link is built anew.            |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_LINK_MQH
#define TERMINAL_GATEWAY_LINK_MQH

#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Hello.mqh>
#include <TerminalGateway\LinkListener.mqh>
#include <TerminalGateway\Notice.mqh>
#include <TerminalGateway\Patience.mqh>
#include <TerminalGateway\Pin.mqh>
#include <TerminalGateway\Token.mqh>
#include <TerminalGateway\Transport.mqh>

#define LINK_RETRY_FIRST_MS    250
#define LINK_RETRY_LAST_MS     15000
//--- the longest that a daemon may ask for
#define LINK_RETRY_DENIED_MS   86400000
#define LINK_MAX_WORD          32
#define LINK_GREETING_MS       20000
#define LINK_HEARTBEAT_MS      1000
#define LINK_DEAD_MS           15000
#define LINK_MAX_UNREADABLE    10
#define LINK_MAX_LINES         64
#define LINK_CODE_LENGTH       8

enum ENUM_LINK_STATE
  {
   LINK_DOWN,
   LINK_GREETED,
   LINK_PROVED,
   LINK_PENDING,
   LINK_READY
  };

class CLink
  {
private:
   CToken            m_token;
   CPin              m_pin;
   CFlatJson         m_message;
   CHmac             m_hmac;
   CLinkListener    *p_listener;
   ENUM_LINK_STATE   m_state;
   uchar             m_cnonce[];
   string            m_device;
   string            m_code;
   bool              m_is_code_sent;
   CNotice           m_notice;
   CPatience         m_patience;
   ulong             m_began_ms;
   ulong             m_beat_ms;
   ulong             m_retry_at_ms;
   int               m_retry_ms;
   int               m_heartbeat_ms;
   int               m_dead_ms;
   int               m_unreadable;

   int               Jitter(const int delay_ms,const int from_percent,const int to_percent) const
     {
      int percent=from_percent+MathRand()%(to_percent-from_percent+1);
      return((int)((long)delay_ms*percent/100));
     }
   //--- ends the link; comes back after the usual time, which grows
   void              Drop(const string reason)
     {
      Stay(reason,Jitter(m_retry_ms,75,125));
      m_retry_ms=MathMin(m_retry_ms*2,LINK_RETRY_LAST_MS);
     }
   //--- ends the link; comes back after so long and no sooner
   void              Stay(const string reason,const int delay_ms)
     {
      bool was_ready=(m_state==LINK_READY);
      if(transport.IsUp())
         transport.Flush();
      transport.Close(reason);
      m_state=LINK_DOWN;
      m_retry_at_ms=NowMs()+(ulong)delay_ms;
      if(was_ready)
        {
         Print("the link to the daemon is lost: ",reason);
         p_listener.OnDown();
        }
     }
   //--- the same where somebody has to do something: he is called once, and finds it on the chart
   //--- as long as it is so
   void              StayAway(const string reason,const string text,const int delay_ms)
     {
      m_notice.Call(text);
      Comment("Terminal Gateway: "+text+". The next try is in "+m_patience.Words(delay_ms));
      Stay(reason,Jitter(delay_ms,100,125));
     }
   void              Say(const string tag,const string name,const string value)
     {
      transport.output.PutText("{\"t\":\""+tag+"\"");
      transport.output.MemberText(name,value);
      transport.output.PutText("}\n");
     }
   void              TurnAway(const string code,const string reason)
     {
      Say("bye","code",code);
      StayAway(reason,reason,m_patience.Refused(0));
     }
   void              Dial(void)
     {
      if(NowMs()<m_retry_at_ms)
         return;
      if(!transport.Open())
        {
         m_notice.Tell(transport.Reason());
         m_retry_at_ms=NowMs()+(ulong)Jitter(m_retry_ms,75,125);
         m_retry_ms=MathMin(m_retry_ms*2,LINK_RETRY_LAST_MS);
         return;
        }
      SHello hello;
      p_listener.Describe(hello);
      if(!m_token.Nonce(hello.boot+hello.fp,m_cnonce))
        {
         Drop("the terminal has no SHA-256");
         return;
        }
      hello.Write(transport.output,m_token.Id(),m_hmac.ToHex(m_cnonce),p_listener.LastEvent());
      m_state=LINK_GREETED;
      m_began_ms=NowMs();
      m_unreadable=0;
      transport.Flush();
     }
   void              Handle(const string tag)
     {
      if(tag=="bye")
         OnBye(m_message.GetText("code",""));
      else if(tag=="denied")
         OnDenied();
      else if(tag=="challenge" && m_state==LINK_GREETED)
         OnChallenge();
      else if(tag=="welcome" && m_state==LINK_PROVED)
         OnWelcome();
      else if(tag=="pending" && (m_state==LINK_PROVED || m_state==LINK_PENDING))
         OnPending();
      else if(tag=="hb" && (m_state==LINK_READY || m_state==LINK_PENDING))
        {
         if(m_state==LINK_READY)
            p_listener.OnHeartbeat(m_message.GetLong("ack",0),m_message.GetLong("lease_ms",0));
         Beat(m_message.GetLong("n",0));
        }
     }
   void              OnChallenge(void)
     {
      uchar snonce[],proof[],answer[];
      m_device=m_message.GetText("device","");
      if(!m_hmac.FromHex(m_message.GetText("snonce",""),snonce)
         || !m_hmac.FromHex(m_message.GetText("proof",""),proof)
         || !m_token.IsServerProof(m_cnonce,snonce,m_device,proof))
        {
         TurnAway("proof","the daemon does not know this token, or another program answers on its"
                  +" port: see that auth_token is the one that the console shows for this terminal");
         return;
        }
      if(!m_pin.Fits(m_device))
        {
         TurnAway("device","the daemon on this port is device "+StringSubstr(m_device,0,HELLO_MAX_TEXT)
                  +", but the one that let this terminal in first is "+m_pin.Device()
                  +": another program answers, or the daemon was moved to another home. If you have"
                  +" moved it, delete the file "+m_pin.File());
         return;
        }
      if(!m_token.ClientProof(m_cnonce,snonce,m_device,answer))
        {
         Drop("the terminal has no SHA-256");
         return;
        }
      Say("auth","proof",m_hmac.ToHex(answer));
      m_state=LINK_PROVED;
     }
   void              OnWelcome(void)
     {
      m_state=LINK_READY;
      m_retry_ms=LINK_RETRY_FIRST_MS;
      m_heartbeat_ms=(int)MathMax(m_message.GetLong("hb_ms",LINK_HEARTBEAT_MS),(long)100);
      m_dead_ms=(int)MathMax(m_message.GetLong("dead_ms",LINK_DEAD_MS),(long)1000);
      m_notice.Forget();
      m_patience.Linked();
      m_pin.Keep(m_device);
      Print("linked with the daemon: session ",m_message.GetText("session",""));
      Comment("");
      p_listener.OnReady(m_message.GetLong("ack",0),m_message.GetLong("window",WIRE_WINDOW));
      Beat(0);
     }
   //--- the page is never opened from here: a person opens it, and sees where it leads
   void              OnPending(void)
     {
      m_state=LINK_PENDING;
      string error=m_message.GetText("error","");
      if(error=="wrong_code")
         m_notice.Call("verification_code was not the code of the mail; tries left: "
                       +IntegerToString(m_message.GetLong("tries_left",0)));
      else if(error!="")
         m_notice.Call("the code cannot be checked now: try again later");
      else
        {
         string text="this machine waits for approval: see your mail, or open "
                     +m_message.GetText("url","")+" and type "+m_message.GetText("user_code","")
                     +" there. The code of the mail can be put into verification_code as well";
         Comment("Terminal Gateway: "+text);
         m_notice.Call(text);
        }
      if(error!="" || m_code=="" || m_is_code_sent)
         return;
      m_is_code_sent=true;
      if(IsCode(m_code))
         Say("verify","code",m_code);
      else
         m_notice.Call("verification_code is not the code of the mail, which has 8 digits");
     }
   bool              IsCode(const string code) const
     {
      for(int i=0; i<StringLen(code); i++)
         if(StringGetCharacter(code,i)<'0' || StringGetCharacter(code,i)>'9')
            return(false);
      return(StringLen(code)==LINK_CODE_LENGTH);
     }
   void              OnDenied(void)
     {
      string code=StringSubstr(m_message.GetText("code",""),0,LINK_MAX_WORD);
      //--- before it has proved itself anybody may be on that port: his words are not shown, and
      //--- he cannot keep us away
      if(m_state!=LINK_PROVED && m_state!=LINK_PENDING)
        {
         m_notice.Tell("who answers on the daemon's port does not let this terminal in: "+code);
         Drop("denied: "+code);
         return;
        }
      string text="the daemon does not let this terminal in: "+m_message.GetText("reason","")
                  +" ("+code+"). "+DenialRemedy(code);
      long   retry_ms=MathMax(m_message.GetLong("retry_ms",LINK_RETRY_LAST_MS),(long)0);
      retry_ms=MathMin(retry_ms,(long)LINK_RETRY_DENIED_MS);
      if(DenialNeedsPerson(code))
        {
         StayAway("denied: "+code,text,m_patience.Refused(retry_ms));
         return;
        }
      m_notice.Tell(text);
      Stay("denied: "+code,Jitter((int)retry_ms,100,125));
     }
   void              OnBye(const string word)
     {
      string code=StringSubstr(word,0,LINK_MAX_WORD);
      Comment("");
      //--- before it has proved itself anybody may be on that port, and cannot keep us away
      if(m_state==LINK_GREETED)
        {
         m_notice.Tell("who answers on the daemon's port says goodbye: "+code);
         Drop("goodbye: "+code);
        }
      else if(code=="approved")
        {
         Print("this machine is approved");
         m_notice.Forget();
         Stay("approved",0);
        }
      else if(code=="replaced")
         StayAway("replaced","another terminal has linked with this token, so this one stays away."
                  +" Each terminal needs a token of its own: make one for one of the two, or remove"
                  +" this EA",m_patience.Replaced());
      else
         Drop("the daemon said goodbye: "+code);
     }
   void              Beat(const long n)
     {
      if(n==0)
         m_beat_ms=NowMs();
      transport.output.PutText("{\"t\":\"hb\"");
      if(n!=0)
         transport.output.MemberLong("n",n);
      //--- of the account nothing is told before we are let in
      if(m_state==LINK_READY)
         p_listener.WriteHeartbeat(transport.output);
      transport.output.PutText("}\n");
     }
   //--- returns whether the rest can wait
   bool              TakeLine(const int length)
     {
      bool is_readable=transport.Parse(m_message,length);
      transport.DropLine(length);
      string tag=is_readable ? m_message.GetText("t","") : "";
      if(tag=="")
        {
         m_unreadable++;
         if(m_unreadable>=LINK_MAX_UNREADABLE)
            Drop("the daemon has sent lines that are no messages");
         return(false);
        }
      m_unreadable=0;
      if(tag=="cmd" && m_state==LINK_READY)
         return(p_listener.OnCommand(m_message,transport.WaitedMs()));
      Handle(tag);
      return(false);
     }
   void              Watch(void)
     {
      ulong now=NowMs();
      if(m_state==LINK_GREETED || m_state==LINK_PROVED)
        {
         if(now-m_began_ms>LINK_GREETING_MS)
            Drop("the daemon did not answer");
        }
      else if(m_state!=LINK_DOWN && transport.SilentMs()>(ulong)m_dead_ms)
         Drop("the daemon is silent");
      else if(m_state!=LINK_DOWN && now-m_beat_ms>=(ulong)m_heartbeat_ms)
         Beat(0);
     }

public:
   CTransport        transport;

                     CLink(void)
     {
      p_listener=NULL;
      m_state=LINK_DOWN;
      m_device="";
      m_code="";
      m_is_code_sent=false;
      m_began_ms=0;
      m_beat_ms=0;
      m_retry_at_ms=0;
      m_retry_ms=LINK_RETRY_FIRST_MS;
      m_heartbeat_ms=LINK_HEARTBEAT_MS;
      m_dead_ms=LINK_DEAD_MS;
      m_unreadable=0;
     }
   //--- false where the token is none
   bool              Setup(const string host,const int port,const string token,const string code)
     {
      if(!m_token.Load(token))
         return(false);
      m_retry_at_ms=0;
      m_retry_ms=LINK_RETRY_FIRST_MS;
      m_is_code_sent=false;
      m_notice.Forget();
      m_patience.Forget();
      m_code=code;
      transport.Setup(host,port);
      return(true);
     }
   bool              ReadPin(void)           { return(m_pin.Setup(m_token.Id())); }
   string            PinFile(void) const     { return(m_pin.File()); }
   void              SetListener(CLinkListener *p_who) { p_listener=p_who; }
   string            Terminal(void) const { return(m_token.Id()); }
   bool              IsUp(void) const     { return(m_state!=LINK_DOWN); }
   bool              IsReady(void) const  { return(m_state==LINK_READY); }

   //--- one pass: dial, or read and answer what has come
   void              Step(const int wait_ms)
     {
      if(m_state==LINK_DOWN)
        {
         Dial();
         return;
        }
      transport.Receive(wait_ms);
      for(int i=0; i<LINK_MAX_LINES && transport.IsUp(); i++)
        {
         int length=transport.Line();
         if(length<0 || TakeLine(length))
            break;
        }
      if(m_state!=LINK_DOWN && transport.IsUp())
         Watch();
      Settle();
     }
   //--- sends what there is to send
   void              Flush(void)
     {
      transport.Flush();
      Settle();
     }
   //--- last words
   void              Leave(const string code)
     {
      if(m_state==LINK_DOWN)
         return;
      Say("bye","code",code);
      Stay(code,0);
     }

private:
   //--- the transport has ended by itself
   void              Settle(void)
     {
      if(m_state!=LINK_DOWN && !transport.IsUp())
         Drop(transport.Reason());
     }
  };
#endif
//+------------------------------------------------------------------+
