//+------------------------------------------------------------------+
//| Trails.mqh - stops that follow the market, with or without a      |
//| daemon                                                            |
//|                                                                   |
//| A stop lies on the symbol's grid, never farther from the market   |
//| than the one there is, never nearer than the broker's stops       |
//| level. They are kept in a file, a trail a line.                   |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRAILS_MQH
#define TERMINAL_GATEWAY_TRAILS_MQH

#include <TerminalGateway\Account.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Notes.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Trade.mqh>

//--- after a refusal: a broker that is asked on every tick soon refuses everything
#define TRAILS_RETRY_MS 1000
//--- of a step of the grid: prices are no exact doubles
#define TRAILS_SLACK    1.0e-6
//--- a terminal that has just found its broker may not have all positions yet
#define TRAILS_SETTLE_MS 5000
//--- positions are looked for so often without a hint
#define TRAILS_FOLLOW_MS 1000

struct STrail
  {
   long              ticket;
   long              distance;
   long              step;
   long              activation;
   long              break_even;
   long              break_even_offset;
   long              moves;
   int               retcode;
   double            sl;
   bool              is_long;
   string            symbol;
   //--- the account, since another may have a position with the same ticket
   long              login;
   string            server;
   //--- of this run only
   bool              is_found;
   ulong             retry_ms;
   double            seen_bid;
   double            seen_ask;

   bool              IsOff(void) const { return(distance==0 && break_even==0); }
   void              Read(const CFlatJson &message)
     {
      ticket=message.GetLong("ticket",0);
      distance=message.GetLong("distance",0);
      step=message.GetLong("step",0);
      activation=message.GetLong("activation",0);
      break_even=message.GetLong("break_even",0);
      break_even_offset=message.GetLong("break_even_offset",0);
      moves=message.GetLong("moves",0);
      retcode=(int)message.GetLong("retcode",0);
      sl=message.GetDouble("sl",0.0);
      is_long=message.GetBool("is_long",false);
      symbol=message.GetText("symbol","");
      login=message.GetLong("login",0);
      server=message.GetText("server","");
      is_found=false;
      retry_ms=0;
      seen_bid=0.0;
      seen_ask=0.0;
     }
   //--- a model.Trail, without its end
   void              WriteOpen(CByteBuffer &out) const
     {
      out.Comma();
      out.PutByte('{');
      out.MemberLong("ticket",ticket);
      out.MemberText("symbol",symbol);
      out.MemberLong("distance",distance);
      out.MemberLong("step",step);
      out.MemberLong("activation",activation);
      out.MemberLong("break_even",break_even);
      out.MemberLong("break_even_offset",break_even_offset);
      out.MemberDouble("sl",sl);
      out.MemberLong("moves",moves);
      out.MemberLong("retcode",retcode);
     }
   void              Write(CByteBuffer &out) const
     {
      WriteOpen(out);
      out.PutByte('}');
     }
  };

class CTrails
  {
private:
   CNotes            m_notes;
   CAccount          m_account;
   CPositions        m_positions;
   CTrade            m_trade;
   STrail            m_running[];
   ulong             m_connected_ms;
   bool              m_is_connected;
   ulong             m_followed_ms;
   bool              m_is_due;

   void              Save(void)
     {
      CByteBuffer content;
      for(int i=0; i<ArraySize(m_running); i++)
        {
         m_running[i].WriteOpen(content);
         content.MemberBool("is_long",m_running[i].is_long);
         content.MemberLong("login",m_running[i].login);
         content.MemberText("server",m_running[i].server);
         content.PutText("}\n");
        }
      if(!m_notes.Replace(content))
         Print("the file ",m_notes.Name()," is not written");
     }
   int               Find(const long ticket) const
     {
      for(int i=0; i<ArraySize(m_running); i++)
         if(m_running[i].ticket==ticket)
            return(i);
      return(-1);
     }
   void              Remove(const int at)
     {
      for(int i=at; i<ArraySize(m_running)-1; i++)
         m_running[i]=m_running[i+1];
      ArrayResize(m_running,ArraySize(m_running)-1);
     }
   //--- what is left of a MetaTrader 4 trade after a partial close has a new ticket, and says in
   //--- its comment where it comes from
#ifdef __MQL4__
   bool              FindTrade(const long ticket,SPosition &out) const
     {
      string from="from #"+IntegerToString(ticket);
      if(m_positions.Find(ticket,out))
         return(true);
      for(int i=0; i<m_positions.Total(); i++)
         if(m_positions.At(i,out) && out.comment==from)
            return(true);
      return(false);
     }
#else
   bool              FindTrade(const long ticket,SPosition &out) const
     {
      return(m_positions.Find(ticket,out));
     }
#endif
   //--- the position of a trail; false where it has gone, has turned round, or is of an account that
   //--- the terminal is not logged in to
   bool              PositionOf(const int at,SPosition &out) const
     {
      return(m_running[at].login==m_account.Login() && m_running[at].server==m_account.Server()
             && FindTrade(m_running[at].ticket,out) && out.IsLong()==m_running[at].is_long);
     }
   //--- the nearest price of the grid that is not closer to the market
   double            OnGrid(const double price,const double size,const bool is_long) const
     {
      double steps=price/size;
      return((is_long ? MathFloor(steps+TRAILS_SLACK) : MathCeil(steps-TRAILS_SLACK))*size);
     }
   //--- the stop loss that a position should have by now; 0 where its own will do
   double            BetterStop(const STrail &trail,const SPosition &position,const double bid,
                                const double ask) const
     {
      double point=SymbolInfoDouble(position.symbol,SYMBOL_POINT);
      double size=SymbolInfoDouble(position.symbol,SYMBOL_TRADE_TICK_SIZE);
      if(size<=0.0)
         size=point;
      if(point<=0.0)
         return(0.0);
      bool   is_long=position.IsLong();
      double towards=is_long ? 1.0 : -1.0;
      double closing=is_long ? bid : ask;
      double slack=size*TRAILS_SLACK;
      double profit=towards*(closing-position.price_open);
      double room=MathMax((double)SymbolInfoInteger(position.symbol,SYMBOL_TRADE_STOPS_LEVEL)*point,
                          size);
      double best=0.0;
      if(trail.distance>0 && profit>=(double)trail.activation*point-slack)
        {
         double stop=OnGrid(closing-towards*(double)trail.distance*point,size,is_long);
         double least=MathMax((double)trail.step*point,size);
         if((position.sl==0.0 || towards*(stop-position.sl)>=least-slack)
            && towards*(closing-stop)>=room-slack)
            best=stop;
        }
      if(trail.break_even>0 && profit>=(double)trail.break_even*point-slack)
        {
         double stop=OnGrid(position.price_open+towards*(double)trail.break_even_offset*point,size,
                            is_long);
         if((position.sl==0.0 || towards*(stop-position.sl)>slack)
            && towards*(closing-stop)>=room-slack
            && (best==0.0 || towards*(stop-best)>0.0))
            best=stop;
        }
      return(best);
     }
   void              Move(const int at,const SPosition &position,const double stop)
     {
      SRequest request;
      SResult  result;
      request.Clear();
      request.action=WIRE_ACTION_SLTP;
      request.position=position.ticket;
      request.magic=position.magic;
      request.symbol=position.symbol;
      request.sl=NormalizeDouble(stop,(int)SymbolInfoInteger(position.symbol,SYMBOL_DIGITS));
      request.tp=position.tp;
      request.type=position.type;
      request.comment=position.comment;
      int error=m_trade.Send(request,result);
      if(error==0 && result.IsSuccess())
        {
         m_running[at].sl=request.sl;
         m_running[at].moves++;
         m_running[at].retcode=0;
        }
      else
        {
         m_running[at].retcode=error==0 ? result.retcode : WIRE_RETCODE_ERROR;
         m_running[at].retry_ms=NowMs()+TRAILS_RETRY_MS;
        }
      Save();
     }
   //--- whether the market is another than at the last look. Asked a thousand times a second: so
   //--- this comes before anything is read of the position.
   bool              IsDue(const int at,const MqlTick &tick) const
     {
      return(m_running[at].is_found && tick.bid>0.0 && tick.ask>0.0
             && (tick.bid!=m_running[at].seen_bid || tick.ask!=m_running[at].seen_ask)
             && NowMs()>=m_running[at].retry_ms);
     }
   //--- whether a stop was moved, or tried to be
   bool              Run(const int at,const SPosition &position,const MqlTick &tick)
     {
      m_running[at].seen_bid=tick.bid;
      m_running[at].seen_ask=tick.ask;
      double stop=BetterStop(m_running[at],position,tick.bid,tick.ask);
      if(stop<=0.0)
         return(false);
      Move(at,position,stop);
      return(true);
     }

   //--- whether a position that is not there has gone; looks for the broker, too
   bool              IsSettled(void)
     {
      //--- without an account the terminal's list of positions says nothing
      bool is_connected=(AccountInfoInteger(ACCOUNT_LOGIN)!=0
                         && TerminalInfoInteger(TERMINAL_CONNECTED)!=0);
      if(is_connected && !m_is_connected)
         m_connected_ms=NowMs();
      m_is_connected=is_connected;
      return(is_connected && NowMs()-m_connected_ms>=TRAILS_SETTLE_MS);
     }

public:
                     CTrails(void)
     {
      m_connected_ms=0;
      m_is_connected=false;
      m_followed_ms=0;
      m_is_due=true;
     }
   //--- a position may have come, changed or gone
   void              Hint(void) { m_is_due=true; }
   //--- false where its file cannot be read now: what is in memory goes on until it can
   bool              Setup(const string terminal)
     {
      CByteBuffer content;
      CFlatJson   line;
      int         start=0;
      m_is_due=true;
      m_notes.Setup(terminal+"-trails.jsonl");
      if(!m_notes.Read(content))
         return(false);
      ArrayResize(m_running,0);
      while(start<content.Length())
        {
         int end=content.Find('\n',start);
         if(end<0 || !line.Parse(content,start,end))
           {
            Print("the file ",m_notes.Name()," is damaged: trails are missing");
            return(true);
           }
         int count=ArraySize(m_running);
         ArrayResize(m_running,count+1);
         m_running[count].Read(line);
         start=end+1;
        }
      return(true);
     }
   string            File(void) const { return(m_notes.Name()); }
   //--- begins, changes or ends a trail and writes it; false where there is no such position
   bool              Set(const CFlatJson &message,CByteBuffer &out)
     {
      SPosition position;
      STrail    trail;
      trail.Read(message);
      if(!m_positions.Find(trail.ticket,position))
         return(false);
      trail.symbol=position.symbol;
      trail.is_long=position.IsLong();
      trail.login=m_account.Login();
      trail.server=m_account.Server();
      trail.sl=0.0;
      trail.moves=0;
      trail.retcode=0;
      int at=Find(trail.ticket);
      if(trail.IsOff() && at>=0)
         Remove(at);
      else if(!trail.IsOff())
        {
         if(at<0)
           {
            at=ArraySize(m_running);
            ArrayResize(m_running,at+1);
           }
         m_running[at]=trail;
         m_running[at].is_found=true;
        }
      Save();
      trail.Write(out);
      return(true);
     }
   //--- a list of model.Trail
   void              Write(CByteBuffer &out,const string symbol,const long ticket)
     {
      SPosition position;
      Follow();
      out.PutByte('[');
      for(int i=0; i<ArraySize(m_running); i++)
         if((symbol=="" || m_running[i].symbol==symbol)
            && (ticket==0 || m_running[i].ticket==ticket) && PositionOf(i,position))
            m_running[i].Write(out);
      out.PutByte(']');
     }
   //--- forgets trails whose position has gone; after each trade, too
   void              Follow(void)
     {
      SPosition position;
      bool      is_settled=IsSettled();
      bool      is_changed=false;
      m_is_due=false;
      m_followed_ms=NowMs();
      for(int i=ArraySize(m_running)-1; i>=0; i--)
        {
         m_running[i].is_found=PositionOf(i,position);
         if(!m_running[i].is_found)
           {
            if(!is_settled)
               continue;
            Remove(i);
            is_changed=true;
           }
         else if(position.ticket!=m_running[i].ticket)
           {
            m_running[i].ticket=position.ticket;
            is_changed=true;
           }
        }
      if(is_changed)
         Save();
     }
   //--- moves the stops that the market leaves behind; returns whether any was
   bool              Update(void)
     {
      bool      is_moved=false;
      bool      is_quoted=false;
      string    symbol="";
      SPosition position;
      MqlTick   tick;
      if(ArraySize(m_running)==0)
         return(false);
      IsSettled();
      if(m_is_due || NowMs()-m_followed_ms>=TRAILS_FOLLOW_MS)
         Follow();
      if(!m_is_connected)
         return(false);
      for(int i=0; i<ArraySize(m_running); i++)
        {
         if(m_running[i].symbol!=symbol)
           {
            symbol=m_running[i].symbol;
            is_quoted=SymbolInfoTick(symbol,tick);
           }
         if(!is_quoted || !IsDue(i,tick))
            continue;
         m_running[i].is_found=PositionOf(i,position);
         if(m_running[i].is_found && Run(i,position,tick))
            is_moved=true;
        }
      return(is_moved);
     }
  };
#endif
//+------------------------------------------------------------------+
