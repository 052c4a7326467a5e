//+------------------------------------------------------------------+
//| TradeEvents.mqh - what has changed of orders, deals and positions |
//|                                                                   |
//| OnTradeTransaction loses the oldest of more than 1024 and comes   |
//| late while the EA is busy: it is a hint to look, never the truth. |
//| The truth is the account, compared with what was seen last.       |
//| Told in MetaTrader's order: order, deal, position, order gone.    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRADE_EVENTS_MQH
#define TERMINAL_GATEWAY_TRADE_EVENTS_MQH

#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\EventLog.mqh>
#include <TerminalGateway\History.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Tickets.mqh>

//--- records that come into the history later than their stamp are found so far back
#define EVENTS_LAG_S    300
//--- without a hint
#define EVENTS_LOOK_MS  1000

class CTradeEvents
  {
private:
   COrders           m_book;
   CPositions        m_held;
   CHistory          m_history;
   //--- as they were seen last
   SOrder            m_orders[];
   SPosition         m_positions[];
   //--- tickets of the newest past orders and deals, which were told or there from the beginning
   CTickets          m_past_orders;
   CTickets          m_past_deals;
   //--- the history is looked through from EVENTS_LAG_S before that time on
   long              m_newest_s;
   //--- the newest stamp of a record that was seen
   long              m_seen_s;
   ulong             m_connected_ms;
   bool              m_is_connected;
   //--- of the present look
   SOrder            m_now[];
   SOrder            m_ended[];
   SDeal             m_fresh[];
   bool              m_is_begun;
   bool              m_is_due;
   ulong             m_looked_ms;

   long              Stamp(const long time_msc) const
     {
      return(time_msc>0 ? time_msc : (long)TimeCurrent()*1000);
     }
   int               OrderIndex(const SOrder &orders[],const long ticket) const
     {
      for(int i=0; i<ArraySize(orders); i++)
         if(orders[i].ticket==ticket)
            return(i);
      return(-1);
     }
   int               PositionIndex(const SPosition &positions[],const long ticket) const
     {
      for(int i=0; i<ArraySize(positions); i++)
         if(positions[i].ticket==ticket)
            return(i);
      return(-1);
     }
   void              Begin(CEventLog &log,const string op,const string noun,
                           const long time_msc) const
     {
      log.Begin("trade");
      log.event.MemberText("op",op);
      log.event.MemberLong("time_msc",Stamp(time_msc));
      log.event.Key(noun);
     }
   void              TellOrder(CEventLog &log,const string op,const SOrder &order,
                               const long time_msc) const
     {
      Begin(log,op,"order",time_msc);
      order.Write(log.event);
      log.End();
     }
   void              TellPosition(CEventLog &log,const string op,const SPosition &position,
                                  const long time_msc) const
     {
      Begin(log,op,"position",time_msc);
      position.Write(log.event);
      log.End();
     }
   void              ReadBook(void)
     {
      SOrder order;
      int    count=0;
      ArrayResize(m_now,0);
      for(int i=0; i<m_book.Total(); i++)
         if(m_book.At(i,order))
           {
            ArrayResize(m_now,count+1,64);
            m_now[count]=order;
            count++;
           }
     }
   //--- what the history has that it did not have before, into m_ended and m_fresh
   void              ReadHistory(const bool is_told)
     {
      ArrayResize(m_ended,0);
      ArrayResize(m_fresh,0);
      if(!m_history.HasDeals() || !m_history.SelectFrom(m_newest_s-EVENTS_LAG_S))
         return;
      long  tickets[];
      SSpan every;
      every.Everything();
      int total=m_history.Orders();
      ArrayResize(tickets,total);
      for(int i=0; i<total; i++)
        {
         tickets[i]=m_history.OrderTicketAt(i);
         if(!is_told || tickets[i]==0 || m_past_orders.Has(tickets[i]))
            continue;
         int count=ArraySize(m_ended);
         ArrayResize(m_ended,count+1,64);
         if(m_history.OrderAt(i,every,m_ended[count]))
            m_seen_s=MathMax(m_seen_s,m_ended[count].time_done);
         else
            ArrayResize(m_ended,count);
        }
      m_past_orders.Load(tickets);
      ReadDeals(every,is_told);
     }
   void              ReadDeals(const SSpan &every,const bool is_told)
     {
      long tickets[];
      int  total=m_history.Deals();
      ArrayResize(tickets,total);
      for(int i=0; i<total; i++)
        {
         tickets[i]=m_history.DealTicketAt(i);
         if(!is_told || tickets[i]==0 || m_past_deals.Has(tickets[i]))
            continue;
         int count=ArraySize(m_fresh);
         ArrayResize(m_fresh,count+1,64);
         if(m_history.DealAt(i,every,m_fresh[count]))
            m_seen_s=MathMax(m_seen_s,m_fresh[count].time);
         else
            ArrayResize(m_fresh,count);
        }
      m_past_deals.Load(tickets);
     }
   //--- lets go of the past, so that a look does not cost more from hour to hour. By the broker's
   //--- own stamps: were this computer's clock put on, what comes now would lie before the window.
   void              Advance(void)
     {
      bool is_connected=(TerminalInfoInteger(TERMINAL_CONNECTED)!=0);
      if(is_connected && !m_is_connected)
         m_connected_ms=NowMs();
      m_is_connected=is_connected;
      //--- what happened while the broker could not be reached comes in late, with old stamps
      if(!is_connected || NowMs()-m_connected_ms<EVENTS_LAG_S*1000)
         return;
      long now_s=(long)TimeCurrent();
      m_newest_s=MathMax(m_newest_s,MathMin(MathMax(m_seen_s,now_s-EVENTS_LAG_S),now_s));
     }
   void              TellArrivals(CEventLog &log) const
     {
      for(int i=0; i<ArraySize(m_now); i++)
        {
         int before=OrderIndex(m_orders,m_now[i].ticket);
         if(before<0)
            TellOrder(log,"add",m_now[i],m_now[i].time_setup_msc);
         else if(!m_now[i].IsSame(m_orders[before]))
            TellOrder(log,"change",m_now[i],0);
        }
      //--- orders that came and went between two looks: each was in the book for a moment
      for(int i=0; i<ArraySize(m_ended); i++)
        {
         if(OrderIndex(m_orders,m_ended[i].ticket)>=0 || OrderIndex(m_now,m_ended[i].ticket)>=0)
            continue;
         SOrder placed=m_ended[i];
         placed.state=WIRE_ORDER_STATE_PLACED;
         placed.volume_current=placed.volume_initial;
         placed.time_done=0;
         placed.time_done_msc=0;
         TellOrder(log,"add",placed,placed.time_setup_msc);
        }
     }
   void              TellDeals(CEventLog &log) const
     {
      for(int i=0; i<ArraySize(m_fresh); i++)
        {
         Begin(log,"add","deal",m_fresh[i].time_msc);
         m_fresh[i].Write(log.event);
         log.End();
        }
     }
   void              TellDepartures(CEventLog &log) const
     {
      SOrder gone;
      for(int i=0; i<ArraySize(m_orders); i++)
        {
         if(OrderIndex(m_now,m_orders[i].ticket)>=0
            || OrderIndex(m_ended,m_orders[i].ticket)>=0)
            continue;
         //--- not in the history yet: as it was seen last
         if(!m_history.FindOrder(m_orders[i].ticket,gone))
            gone=m_orders[i];
         TellOrder(log,"remove",gone,gone.time_done_msc);
        }
      for(int i=0; i<ArraySize(m_ended); i++)
         if(OrderIndex(m_now,m_ended[i].ticket)<0)
            TellOrder(log,"remove",m_ended[i],m_ended[i].time_done_msc);
     }
   void              LookAtPositions(CEventLog &log,const bool is_told)
     {
      SPosition now[];
      SPosition position;
      int       count=0;
      for(int i=0; i<m_held.Total(); i++)
         if(m_held.At(i,position))
           {
            ArrayResize(now,count+1,64);
            now[count]=position;
            count++;
           }
      for(int i=0; i<count && is_told; i++)
        {
         int before=PositionIndex(m_positions,now[i].ticket);
         if(before<0)
            TellPosition(log,"add",now[i],now[i].time_msc);
         else if(!now[i].IsSame(m_positions[before]))
            TellPosition(log,"change",now[i],now[i].time_update_msc);
        }
      for(int i=0; i<ArraySize(m_positions) && is_told; i++)
         if(PositionIndex(now,m_positions[i].ticket)<0)
            TellPosition(log,"remove",m_positions[i],0);
      ArrayResize(m_positions,count);
      for(int i=0; i<count; i++)
         m_positions[i]=now[i];
     }
   void              Look(CEventLog &log,const bool is_told)
     {
      m_is_due=false;
      m_looked_ms=NowMs();
      ReadBook();
      ReadHistory(is_told);
      if(is_told)
        {
         TellArrivals(log);
         TellDeals(log);
        }
      LookAtPositions(log,is_told);
      if(is_told)
         TellDepartures(log);
      int count=ArraySize(m_now);
      ArrayResize(m_orders,count);
      for(int i=0; i<count; i++)
         m_orders[i]=m_now[i];
      Advance();
     }

public:
                     CTradeEvents(void)
     {
      m_newest_s=0;
      m_seen_s=0;
      m_connected_ms=0;
      m_is_connected=false;
      m_is_begun=false;
      m_is_due=false;
      m_looked_ms=0;
     }
   //--- something may have changed
   void              Hint(void) { m_is_due=true; }
   //--- begin anew: what is there now is no news
   void              Forget(void) { m_is_begun=false; }
   //--- tells what has changed, where there was a hint, and once a second anyway
   void              Update(CEventLog &log)
     {
      if(!m_is_begun)
        {
         //--- before it has found its broker the terminal knows neither account nor time
         if(TerminalInfoInteger(TERMINAL_CONNECTED)==0 || TimeCurrent()<=0)
            return;
         m_newest_s=(long)TimeCurrent();
         m_seen_s=0;
         Look(log,false);
         m_is_begun=true;
        }
      else if(m_is_due || NowMs()-m_looked_ms>=EVENTS_LOOK_MS)
         Look(log,true);
     }
  };
#endif
//+------------------------------------------------------------------+
