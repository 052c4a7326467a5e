//+------------------------------------------------------------------+
//| History.mqh - past orders and closed trades of MetaTrader 4       |
//|                                                                   |
//| The terminal shows programs what its tab "Account History" shows: |
//| set that to "All History".                                        |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_HISTORY_MQH
#define TERMINAL_GATEWAY_HISTORY_MQH

#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Span.mqh>

class CHistory
  {
private:
   COrders           m_orders;

   //--- of the selected order, which is over
   void              Read(SOrder &out) const
     {
      m_orders.Read(out);
      if(m_orders.IsWaiting())
        {
         out.state=StringFind(out.comment,"expiration")>=0 ? WIRE_ORDER_STATE_EXPIRED
                   : WIRE_ORDER_STATE_CANCELED;
         return;
        }
      //--- a closed trade: opened at price_open and time_setup, closed at price_current
      out.state=WIRE_ORDER_STATE_FILLED;
      out.volume_current=0.0;
      out.position_id=out.ticket;
      out.has_money=true;
      out.profit=OrderProfit();
      out.swap=OrderSwap();
      out.commission=OrderCommission();
     }

public:
   //--- MetaTrader 5 writes each execution down; MetaTrader 4 knows closed trades only
   bool              HasDeals(void) const { return(false); }
   bool              Select(const SSpan &span) const { return(true); }
   bool              SelectFrom(const long from_s) const { return(true); }
   int               Orders(void) const { return(OrdersHistoryTotal()); }
   int               Deals(void) const  { return(0); }
   long              OrderTicketAt(const int index) const
     {
      return(OrderSelect(index,SELECT_BY_POS,MODE_HISTORY) ? (long)OrderTicket() : 0);
     }
   long              DealTicketAt(const int index) const { return(0); }
   //--- ends a span with its oldest orders, where no more are asked for
   void              CutOrders(SSpan &span) const
     {
      long times[];
      int  total=span.IsCounted() ? OrdersHistoryTotal() : 0;
      int  found=0;
      ArrayResize(times,total);
      for(int i=0; i<total; i++)
         if(OrderSelect(i,SELECT_BY_POS,MODE_HISTORY) && OrderType()<=OP_SELLSTOP
            && span.Holds((long)OrderCloseTime()))
            times[found++]=(long)OrderCloseTime();
      span.CutTo(times,found);
     }
   //--- the order at an index; false where it is not asked for, or is a payment
   bool              OrderAt(const int index,const SSpan &span,SOrder &out) const
     {
      if(!OrderSelect(index,SELECT_BY_POS,MODE_HISTORY) || OrderType()>OP_SELLSTOP
         || !span.Holds((long)OrderCloseTime()))
         return(false);
      Read(out);
      return((span.ticket==0 || out.ticket==span.ticket)
             && (span.position==0 || out.position_id==span.position));
     }
   bool              DealAt(const int index,const SSpan &span,SDeal &out) const { return(false); }
   //--- how a waiting order ended; one that was filled lives on as a trade with the same ticket
   bool              FindOrder(const long ticket,SOrder &out) const
     {
      if(ticket<=0 || !OrderSelect((int)ticket,SELECT_BY_TICKET))
         return(false);
      if(OrderCloseTime()!=0)
        {
         Read(out);
         return(true);
        }
      if(m_orders.IsWaiting())
         return(false);
      m_orders.Read(out);
      out.state=WIRE_ORDER_STATE_FILLED;
      out.volume_current=0.0;
      out.position_id=out.ticket;
      return(true);
     }
  };
#endif
//+------------------------------------------------------------------+
