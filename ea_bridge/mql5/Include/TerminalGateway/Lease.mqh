//+------------------------------------------------------------------+
//| Lease.mqh - what the EA does by itself when the daemon falls      |
//| silent                                                            |
//|                                                                   |
//| Each heartbeat of the daemon renews it; nothing else does, and a  |
//| lost link does not end it. Once it has run out it is off until it |
//| is set again.                                                     |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_LEASE_MQH
#define TERMINAL_GATEWAY_LEASE_MQH

#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Symbols.mqh>
#include <TerminalGateway\Tag.mqh>
#include <TerminalGateway\Trade.mqh>

//--- tickets of its own that the EA remembers, since brokers rewrite comments
#define LEASE_MAX_SENT   4096
//--- points: who is here to get out is not choosy
#define LEASE_DEVIATION  100
#define LEASE_CANCEL     "cancel_orders"
#define LEASE_CLOSE      "cancel_and_close"

class CLease
  {
private:
   CTag              m_tag;
   CTrade            m_trade;
   COrders           m_orders;
   CPositions        m_positions;
   CSymbols          m_symbols;
   int               m_lease_ms;
   string            m_action;
   bool              m_own;
   ulong             m_due_ms;
   long              m_fired_msc;
   long              m_cancelled[];
   long              m_closed[];
   long              m_failed[];
   //--- a ring
   long              m_sent[LEASE_MAX_SENT];
   int               m_next;

   void              Push(long &tickets[],const long ticket) const
     {
      int count=ArraySize(tickets);
      ArrayResize(tickets,count+1,16);
      tickets[count]=ticket;
     }
   bool              IsMeant(const long ticket,const string comment) const
     {
      if(!m_own || m_tag.Begins(comment) || HasSent(ticket))
         return(true);
      //--- what a person has left of a position of MetaTrader 4 says whose it was
      return(StringFind(comment,"from #")==0 && HasSent(StringToInteger(StringSubstr(comment,6))));
     }
   void              Send(const SRequest &request,const long ticket,long &done[])
     {
      SResult result;
      int     error=m_trade.Send(request,result);
      if(error==0 && result.IsSuccess())
        {
         Push(done,ticket);
         return;
        }
      Push(m_failed,ticket);
      Print("the lease could not end ",ticket,": error ",error,", retcode ",result.retcode," ",
            result.comment);
     }
   void              Remove(const SOrder &order)
     {
      SRequest request;
      request.Clear();
      request.action=WIRE_ACTION_REMOVE;
      request.order=order.ticket;
      request.magic=order.magic;
      request.symbol=order.symbol;
      request.type=order.type;
      request.comment=order.comment;
      Send(request,order.ticket,m_cancelled);
     }
   int               Filling(const string symbol) const
     {
      int mask=m_symbols.Filling(symbol);
      if((mask&WIRE_FILLING_FLAG_FOK)!=0)
         return(WIRE_FILLING_FOK);
      return((mask&WIRE_FILLING_FLAG_IOC)!=0 ? WIRE_FILLING_IOC : WIRE_FILLING_RETURN);
     }
   void              Exit(const SPosition &position)
     {
      SRequest request;
      request.Clear();
      request.action=WIRE_ACTION_DEAL;
      request.position=position.ticket;
      request.magic=position.magic;
      request.symbol=position.symbol;
      request.volume=position.volume;
      request.price=SymbolInfoDouble(position.symbol,position.IsLong() ? SYMBOL_BID : SYMBOL_ASK);
      request.deviation=LEASE_DEVIATION;
      request.type=position.IsLong() ? WIRE_ORDER_TYPE_SELL : WIRE_ORDER_TYPE_BUY;
      request.type_filling=Filling(position.symbol);
      request.comment="lease";
      Send(request,position.ticket,m_closed);
     }
   //--- read all first: each trade changes the terminal's list
   void              CancelAll(void)
     {
      SOrder found[];
      SOrder order;
      int    count=0;
      for(int i=0; i<m_orders.Total(); i++)
         if(m_orders.At(i,order) && order.type>=WIRE_ORDER_TYPE_BUY_LIMIT
            && IsMeant(order.ticket,order.comment))
           {
            ArrayResize(found,count+1,16);
            found[count]=order;
            count++;
           }
      for(int i=0; i<count; i++)
         Remove(found[i]);
     }
   void              CloseAll(void)
     {
      SPosition found[];
      SPosition position;
      int       count=0;
      for(int i=0; i<m_positions.Total(); i++)
         if(m_positions.At(i,position) && IsMeant(position.ticket,position.comment))
           {
            ArrayResize(found,count+1,16);
            found[count]=position;
            count++;
           }
      for(int i=0; i<count; i++)
         Exit(found[i]);
     }
   void              WriteTickets(CByteBuffer &out,const string name,const long &tickets[]) const
     {
      out.Key(name);
      out.PutByte('[');
      for(int i=0; i<ArraySize(tickets); i++)
        {
         out.Comma();
         out.PutLong(tickets[i]);
        }
      out.PutByte(']');
     }

public:
                     CLease(void)
     {
      m_lease_ms=0;
      m_action=LEASE_CANCEL;
      m_own=false;
      m_due_ms=0;
      m_fired_msc=0;
      m_next=0;
      ArrayInitialize(m_sent,0);
     }
   //--- false where the terms are none
   bool              Set(const CFlatJson &message)
     {
      long   lease_ms=message.GetLong("lease_ms",-1);
      string action=message.GetText("action",LEASE_CANCEL);
      if(lease_ms<0 || lease_ms>WIRE_MAX_LEASE_MS
         || (action!=LEASE_CANCEL && action!=LEASE_CLOSE))
         return(false);
      m_lease_ms=(int)lease_ms;
      m_action=action;
      m_own=message.GetBool("own",false);
      Renew(lease_ms);
      return(true);
     }
   //--- for another account; the daemon sets its lease again
   void              Forget(void) { m_lease_ms=0; }
   //--- a heartbeat of the daemon has come; 0 renews nothing
   void              Renew(const long lease_ms)
     {
      if(lease_ms>0)
         m_due_ms=NowMs()+(ulong)lease_ms;
     }
   //--- a model.Lease; what it has done is told once
   void              Write(CByteBuffer &out)
     {
      out.PutByte('{');
      out.MemberLong("lease_ms",m_lease_ms);
      out.MemberText("action",m_action);
      out.MemberBool("own",m_own);
      out.MemberLong("fired_msc",m_fired_msc);
      WriteTickets(out,"cancelled",m_cancelled);
      WriteTickets(out,"closed",m_closed);
      WriteTickets(out,"failed",m_failed);
      out.PutByte('}');
      m_fired_msc=0;
      ArrayResize(m_cancelled,0);
      ArrayResize(m_closed,0);
      ArrayResize(m_failed,0);
     }
   bool              HasSent(const long ticket) const
     {
      if(ticket==0)
         return(false);
      for(int i=0; i<LEASE_MAX_SENT; i++)
         if(m_sent[i]==ticket)
            return(true);
      return(false);
     }
   //--- remember what was sent from here
   void              Note(const long ticket)
     {
      if(ticket==0 || HasSent(ticket))
         return;
      m_sent[m_next]=ticket;
      m_next=(m_next+1)%LEASE_MAX_SENT;
     }
   //--- whether the lease has run out, and the policy can be carried out: without a broker it
   //--- cannot, and waits for him
   bool              IsDue(void) const
     {
      return(m_lease_ms!=0 && NowMs()>=m_due_ms && TerminalInfoInteger(TERMINAL_CONNECTED)!=0);
     }
   //--- carries the policy out if that is due; returns whether it was
   bool              Enforce(void)
     {
      if(!IsDue())
         return(false);
      Print("the daemon was silent for ",m_lease_ms," ms: ",m_action);
      m_lease_ms=0;
      ArrayResize(m_failed,0);
      CancelAll();
      if(m_action==LEASE_CLOSE)
         CloseAll();
      m_fired_msc=(long)TimeTradeClock()*1000;
      return(true);
     }
  };
#endif
//+------------------------------------------------------------------+
