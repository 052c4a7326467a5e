//+------------------------------------------------------------------+
//| Gateway.mqh - the EA: its parts, and the loop that runs them      |
//|                                                                   |
//| A timer is no finer than 10 to 16 ms. So a slice of 12 ms is run, |
//| which waits in the socket, and then posts an event to its own     |
//| chart, whose handler runs the next slice: an answer takes less    |
//| than a millisecond, and other events get their turn in between.   |
//| The timer is what is left where such an event gets lost. With     |
//| nothing to do there is the timer alone.                           |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_GATEWAY_MQH
#define TERMINAL_GATEWAY_GATEWAY_MQH

#include <TerminalGateway\Chance.mqh>
#include <TerminalGateway\Desk.mqh>
#include <TerminalGateway\EventLog.mqh>
#include <TerminalGateway\Executor.mqh>
#include <TerminalGateway\Files.mqh>
#include <TerminalGateway\Link.mqh>
#include <TerminalGateway\Summary.mqh>
#include <TerminalGateway\Switches.mqh>
#include <TerminalGateway\TradeEvents.mqh>

#define GATEWAY_TIMER_MS   10
#define GATEWAY_SLICE_US   12000
//--- the most reads in which what waited in the socket is looked through for a heartbeat
#define GATEWAY_CATCH_UP   16
//--- without a watch, and so long without a command: quiet
#define GATEWAY_QUIET_MS   5000
//--- the event of a slice that does not come by then is lost
#define GATEWAY_KICK_MS    100
//--- so many lost in a row: the timer alone runs the slices
#define GATEWAY_MISSES     3
#define GATEWAY_TIMER_TRIES 10
//--- an event of the kind that is being handled may be thrown away: so there are two, in turn
#define GATEWAY_KICK_ONE   7401
#define GATEWAY_KICK_TWO   7402

class CGateway : public CLinkListener
  {
private:
   CLink             m_link;
   CDesk             m_desk;
   CExecutor         m_executor;
   CStreams          m_streams;
   CResults          m_results;
   CLease            m_lease;
   CTrails           m_trails;
   CEventLog         m_log;
   CTradeEvents      m_events;
   CSummary          m_summary;
   CAccount          m_account;
   CSwitches         m_switches;
   CHmac             m_hmac;
   CChance           m_chance;
   CFiles            m_files;
   string            m_boot;
   string            m_tid;
   long              m_login;
   string            m_server;
   int               m_switched;
   ulong             m_asked_ms;
   ulong             m_kicked_ms;
   long              m_kick;
   long              m_chained;
   int               m_missed;
   bool              m_is_kicked;
   bool              m_is_sparing;
   bool              m_is_begun;

   //--- a terminal refuses a timer now and then, above all while it starts
   bool              StartTimer(void) const
     {
      for(int i=0; i<GATEWAY_TIMER_TRIES; i++)
        {
         if(EventSetMillisecondTimer(GATEWAY_TIMER_MS))
            return(true);
         Sleep(GATEWAY_TIMER_MS);
        }
      Alert("Terminal Gateway: the terminal has no timer for this EA: drag it onto a chart again");
      return(false);
     }
   string            Fingerprint(const SHello &hello)
     {
      uchar said[],hash[];
      m_hmac.Bytes(hello.platform+"\n"+TerminalInfoString(TERMINAL_DATA_PATH)+"\n"+hello.company
                   +"\n"+IntegerToString(hello.login)+"\n"+hello.server+"\n"+m_files.Install(),said);
      return(m_hmac.Sha256(said,hash) ? m_hmac.ToHex(hash) : "");
     }
   //--- A change of the chart's period or symbol, of an input or of the account ends the EA and
   //--- begins it again with all its memory. While that is about the same account and token, the
   //--- daemon goes on where it was; otherwise what was counted and armed is about another.
   //--- Returns whether it is another.
   bool              LookAtLogin(void)
     {
      long   login=m_account.Login();
      string server=m_account.Server();
      if(login==m_login && server==m_server && m_tid==m_link.Terminal() && m_boot!="")
         return(false);
      m_login=login;
      m_server=server;
      m_tid=m_link.Terminal();
      m_boot=m_chance.Name(8);
      m_log.Forget();
      m_events.Forget();
      m_lease.Forget();
      m_switched=-1;
      return(true);
     }
   //--- tells of a switch that was turned
   void              LookAtSwitches(void)
     {
      bool   is_connected=m_switches.IsConnected();
      bool   is_autotrading=m_switches.IsAutotrading();
      bool   is_allowed=m_switches.IsAccountOn();
      int    now=(is_connected ? 1 : 0)+(is_autotrading ? 2 : 0)+(is_allowed ? 4 : 0);
      if(now==m_switched)
         return;
      string why=m_switches.Describe();
      if(why!="")
         Print("trading is off: ",why);
      bool is_first=(m_switched<0);
      m_switched=now;
      if(is_first)
         return;
      m_log.Begin("state");
      m_log.event.MemberBool("broker",is_connected);
      m_log.event.MemberBool("autotrading",is_autotrading);
      m_log.event.MemberBool("trade_allowed",is_allowed);
      m_log.End();
     }
   //--- what the EA does whether a daemon is linked or not
   void              Tend(void)
     {
      if(LookAtLogin())
         m_link.Leave("account_changed");
      //--- a trade can hold the EA up for longer than the lease: heartbeats that came meanwhile
      //--- have not been read yet, and the daemon was not silent
      for(int i=0; i<GATEWAY_CATCH_UP && m_link.IsReady() && m_lease.IsDue(); i++)
         m_link.Step(0);
      if(m_lease.Enforce() || m_trails.Update())
         m_events.Hint();
      LookAtSwitches();
      m_events.Update(m_log);
     }
   //--- one pass: read and answer, look at the account, tell, write
   void              Cycle(const int wait_ms)
     {
      m_link.Step(wait_ms);
      Tend();
      if(m_link.IsReady())
        {
         m_log.Tell(m_link.transport.output);
         m_summary.Tell(m_link.transport.output);
         m_streams.Pull(m_link.transport);
        }
      m_link.Flush();
     }
   bool              IsQuiet(void) const
     {
      return(m_is_sparing || !m_link.IsReady()
             || (!m_streams.IsActive() && NowMs()-m_asked_ms>GATEWAY_QUIET_MS));
     }
   void              Slice(void)
     {
      ulong began=GetMicrosecondCount();
      do
         Cycle(1);
      while(!IsStopped() && m_link.IsUp() && GetMicrosecondCount()-began<GATEWAY_SLICE_US);
     }
   void              Kick(const ushort kind)
     {
      m_kick++;
      m_is_kicked=EventChartCustom(0,kind,m_kick,0.0,"");
      m_kicked_ms=NowMs();
     }

public:
                     CGateway(void)
     {
      m_boot="";
      m_tid="";
      m_server="";
      m_login=0;
      m_switched=-1;
      m_asked_ms=0;
      m_kicked_ms=0;
      m_kick=0;
      m_chained=0;
      m_missed=0;
      m_is_kicked=false;
      m_is_sparing=false;
      m_is_begun=false;
     }
   //--- returns what OnInit shall return
   int               Begin(const string host,const int port,const string token,
                           const string code,const bool is_sparing)
     {
      m_is_sparing=is_sparing;
      m_chance.Seed();
      if(!m_link.Setup(host,port,token,code))
        {
         Alert("Terminal Gateway: auth_token is no token: copy it from the console, mgt_ and all,"
               +" and drag this EA onto the chart again");
         return(INIT_PARAMETERS_INCORRECT);
        }
      if(port<=0 || port>65535 || host=="")
        {
         Alert("Terminal Gateway: no such address: ",host,":",port,
               ": mend it, and drag this EA onto the chart again");
         return(INIT_PARAMETERS_INCORRECT);
        }
      if(!m_files.Begin(m_link,m_trails,m_results))
         return(INIT_FAILED);
      LookAtLogin();
      m_link.SetListener(GetPointer(this));
      if(!StartTimer())
         return(INIT_FAILED);
      m_is_begun=true;
      return(INIT_SUCCEEDED);
     }
   void              End(const int reason)
     {
      EventKillTimer();
      if(!m_is_begun)
         return;
      m_link.Leave(reason==REASON_ACCOUNT ? "account_changed" : "shutdown");
      m_streams.Silence();
      m_files.End(m_results);
      Comment("");
     }
   void              OnTimer(void)
     {
      if(!m_files.IsOpen(m_link,m_trails,m_results))
        {
         Tend();
         return;
        }
      if(IsQuiet())
        {
         Cycle(0);
         return;
        }
      //--- the chain of slices runs by itself, unless this terminal throws its events away
      bool is_awaited=(m_is_kicked && NowMs()-m_kicked_ms<GATEWAY_KICK_MS);
      if(is_awaited && m_missed<GATEWAY_MISSES)
         return;
      if(m_is_kicked && m_missed<GATEWAY_MISSES)
         m_missed++;
      Slice();
      if(!is_awaited)
         Kick(GATEWAY_KICK_ONE);
     }
   void              OnChartEvent(const int id,const long number)
     {
      int kind=id-CHARTEVENT_CUSTOM;
      if(kind!=GATEWAY_KICK_ONE && kind!=GATEWAY_KICK_TWO)
         return;
      //--- the timer's own events come in any terminal: only one that was posted here, however
      //--- late, shows that a chain can run
      if(number==m_chained)
         m_missed=0;
      //--- one that was late, and given up, must not begin a second chain
      if(number!=m_kick)
         return;
      m_is_kicked=false;
      if(IsQuiet())
         return;
      Slice();
      Kick((ushort)(kind==GATEWAY_KICK_ONE ? GATEWAY_KICK_TWO : GATEWAY_KICK_ONE));
      m_chained=m_kick;
     }
   void              OnHint(void)
     {
      m_events.Hint();
      m_trails.Hint();
     }
#ifndef __MQL4__
   void              OnBook(const string symbol) { m_streams.OnBook(symbol); }
#endif

   //--- what the link tells
   virtual void      Describe(SHello &hello)
     {
      LookAtLogin();
      m_account.Describe(hello);
      hello.boot=m_boot;
      hello.fp=Fingerprint(hello);
     }
   virtual long      LastEvent(void) { return(m_log.Last()); }
   virtual void      OnReady(const long ack,const long window)
     {
      m_streams.Silence();
      m_summary.Forget();
      m_log.Resume(ack,window);
      m_asked_ms=NowMs();
     }
   virtual void      OnDown(void) { m_streams.Silence(); }
   virtual void      OnHeartbeat(const long ack,const long lease_ms)
     {
      m_log.Acknowledge(ack);
      m_lease.Renew(lease_ms);
     }
   virtual void      WriteHeartbeat(CByteBuffer &out)
     {
      out.MemberLong("q",m_log.Last());
      out.MemberBool("broker",m_switches.IsConnected());
      out.MemberBool("autotrading",m_switches.IsAutotrading());
      out.MemberLong("backlog",m_link.transport.Unsent());
      out.MemberLong("tcur",(long)TimeCurrent());
      out.MemberLong("tgmt",(long)TimeGMT());
     }
   virtual bool      OnCommand(CFlatJson &message,const ulong waited_ms)
     {
      ENUM_COMMAND command=CommandOf(message.GetText("op",""));
      long         id=message.GetLong("id",0);
      m_asked_ms=NowMs();
      //--- what was asked is about the account that hello has named
      if(LookAtLogin())
        {
         m_link.Leave("account_changed");
         return(true);
        }
      if(!IsTrade(command))
        {
         m_results.Asked(id);
         return(m_desk.Answer(command,message,id,waited_ms,m_lease,m_trails,m_streams,m_results,
                              m_link.transport));
        }
      m_executor.Execute(message,id,waited_ms,m_results,m_lease,m_link.transport);
      m_trails.Follow();
      //--- nobody should wait for the next cycle to hear what his trade has done
      m_events.Hint();
      m_events.Update(m_log);
      m_log.Tell(m_link.transport.output);
      return(false);
     }
  };
#endif
//+------------------------------------------------------------------+
