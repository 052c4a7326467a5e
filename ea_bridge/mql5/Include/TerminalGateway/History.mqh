//+------------------------------------------------------------------+
//| History.mqh - past orders and deals of MetaTrader 5               |
//|                                                                   |
//| The terminal has one selection of its history, which every other  |
//| selection replaces: select, read, be done.                        |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_HISTORY_MQH
#define TERMINAL_GATEWAY_HISTORY_MQH

#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Span.mqh>

//--- behind everything a broker can have: its clock may be ahead of the newest quote
#define HISTORY_END_S 4102358400

class CHistory
  {
private:
   void              ReadOrder(const ulong ticket,SOrder &out) const
     {
      out.ticket=(long)ticket;
      out.time_setup=HistoryOrderGetInteger(ticket,ORDER_TIME_SETUP);
      out.time_setup_msc=HistoryOrderGetInteger(ticket,ORDER_TIME_SETUP_MSC);
      out.time_done=HistoryOrderGetInteger(ticket,ORDER_TIME_DONE);
      out.time_done_msc=HistoryOrderGetInteger(ticket,ORDER_TIME_DONE_MSC);
      out.time_expiration=HistoryOrderGetInteger(ticket,ORDER_TIME_EXPIRATION);
      out.magic=HistoryOrderGetInteger(ticket,ORDER_MAGIC);
      out.position_id=HistoryOrderGetInteger(ticket,ORDER_POSITION_ID);
      out.position_by_id=HistoryOrderGetInteger(ticket,ORDER_POSITION_BY_ID);
      out.type=(int)HistoryOrderGetInteger(ticket,ORDER_TYPE);
      out.type_time=(int)HistoryOrderGetInteger(ticket,ORDER_TYPE_TIME);
      out.type_filling=(int)HistoryOrderGetInteger(ticket,ORDER_TYPE_FILLING);
      out.state=(int)HistoryOrderGetInteger(ticket,ORDER_STATE);
      out.reason=(int)HistoryOrderGetInteger(ticket,ORDER_REASON);
      out.volume_initial=HistoryOrderGetDouble(ticket,ORDER_VOLUME_INITIAL);
      out.volume_current=HistoryOrderGetDouble(ticket,ORDER_VOLUME_CURRENT);
      out.price_open=HistoryOrderGetDouble(ticket,ORDER_PRICE_OPEN);
      out.sl=HistoryOrderGetDouble(ticket,ORDER_SL);
      out.tp=HistoryOrderGetDouble(ticket,ORDER_TP);
      out.price_current=HistoryOrderGetDouble(ticket,ORDER_PRICE_CURRENT);
      out.price_stoplimit=HistoryOrderGetDouble(ticket,ORDER_PRICE_STOPLIMIT);
      out.has_money=false;
      out.profit=0.0;
      out.swap=0.0;
      out.commission=0.0;
      out.symbol=HistoryOrderGetString(ticket,ORDER_SYMBOL);
      out.comment=HistoryOrderGetString(ticket,ORDER_COMMENT);
      out.external_id=HistoryOrderGetString(ticket,ORDER_EXTERNAL_ID);
     }
   void              ReadDeal(const ulong ticket,SDeal &out) const
     {
      out.ticket=(long)ticket;
      out.order=HistoryDealGetInteger(ticket,DEAL_ORDER);
      out.time=HistoryDealGetInteger(ticket,DEAL_TIME);
      out.time_msc=HistoryDealGetInteger(ticket,DEAL_TIME_MSC);
      out.magic=HistoryDealGetInteger(ticket,DEAL_MAGIC);
      out.position_id=HistoryDealGetInteger(ticket,DEAL_POSITION_ID);
      out.type=(int)HistoryDealGetInteger(ticket,DEAL_TYPE);
      out.entry=(int)HistoryDealGetInteger(ticket,DEAL_ENTRY);
      out.reason=(int)HistoryDealGetInteger(ticket,DEAL_REASON);
      out.volume=HistoryDealGetDouble(ticket,DEAL_VOLUME);
      out.price=HistoryDealGetDouble(ticket,DEAL_PRICE);
      out.commission=HistoryDealGetDouble(ticket,DEAL_COMMISSION);
      out.swap=HistoryDealGetDouble(ticket,DEAL_SWAP);
      out.profit=HistoryDealGetDouble(ticket,DEAL_PROFIT);
      out.fee=HistoryDealGetDouble(ticket,DEAL_FEE);
      out.symbol=HistoryDealGetString(ticket,DEAL_SYMBOL);
      out.comment=HistoryDealGetString(ticket,DEAL_COMMENT);
      out.external_id=HistoryDealGetString(ticket,DEAL_EXTERNAL_ID);
     }

public:
   //--- MetaTrader 5 writes each execution down; MetaTrader 4 knows closed trades only
   bool              HasDeals(void) const { return(true); }
   //--- selects at least what is asked for; the records are checked one by one
   bool              Select(const SSpan &span) const
     {
      if(span.position!=0)
         return(HistorySelectByPosition((ulong)span.position));
      if(span.ticket!=0)
        {
         long position=0;
         if(HistoryOrderSelect((ulong)span.ticket))
            position=HistoryOrderGetInteger((ulong)span.ticket,ORDER_POSITION_ID);
         if(position!=0)
            return(HistorySelectByPosition((ulong)position));
         return(HistorySelect(0,(datetime)HISTORY_END_S));
        }
      datetime from=(datetime)(span.has_from ? MathMax(span.from_s,(long)0) : 0);
      datetime to=(datetime)(span.has_to ? span.to_s : (long)HISTORY_END_S);
      return(HistorySelect(from,to));
     }
   //--- everything from a time on
   bool              SelectFrom(const long from_s) const
     {
      return(HistorySelect((datetime)MathMax(from_s,(long)0),(datetime)HISTORY_END_S));
     }
   int               Orders(void) const { return(HistoryOrdersTotal()); }
   int               Deals(void) const  { return(HistoryDealsTotal()); }
   long              OrderTicketAt(const int index) const { return((long)HistoryOrderGetTicket(index)); }
   long              DealTicketAt(const int index) const  { return((long)HistoryDealGetTicket(index)); }

   //--- ends a span with its oldest orders, or deals, where no more are asked for
   void              CutOrders(SSpan &span) const
     {
      long times[];
      int  total=span.IsCounted() ? HistoryOrdersTotal() : 0;
      int  found=0;
      ArrayResize(times,total);
      for(int i=0; i<total; i++)
        {
         ulong ticket=HistoryOrderGetTicket(i);
         long  time_s=ticket==0 ? 0 : HistoryOrderGetInteger(ticket,ORDER_TIME_DONE);
         if(ticket!=0 && span.Holds(time_s))
            times[found++]=time_s;
        }
      span.CutTo(times,found);
     }
   void              CutDeals(SSpan &span) const
     {
      long times[];
      int  total=span.IsCounted() ? HistoryDealsTotal() : 0;
      int  found=0;
      ArrayResize(times,total);
      for(int i=0; i<total; i++)
        {
         ulong ticket=HistoryDealGetTicket(i);
         long  time_s=ticket==0 ? 0 : HistoryDealGetInteger(ticket,DEAL_TIME);
         if(ticket!=0 && span.Holds(time_s))
            times[found++]=time_s;
        }
      span.CutTo(times,found);
     }
   //--- the order at an index of the selection; false where it is not asked for
   bool              OrderAt(const int index,const SSpan &span,SOrder &out) const
     {
      ulong ticket=HistoryOrderGetTicket(index);
      if(ticket==0 || !span.Holds(HistoryOrderGetInteger(ticket,ORDER_TIME_DONE)))
         return(false);
      ReadOrder(ticket,out);
      return((span.ticket==0 || out.ticket==span.ticket)
             && (span.position==0 || out.position_id==span.position
                 || out.position_by_id==span.position));
     }
   //--- the same of deals; span.ticket is that of the order
   bool              DealAt(const int index,const SSpan &span,SDeal &out) const
     {
      ulong ticket=HistoryDealGetTicket(index);
      if(ticket==0 || !span.Holds(HistoryDealGetInteger(ticket,DEAL_TIME)))
         return(false);
      ReadDeal(ticket,out);
      return((span.ticket==0 || out.order==span.ticket)
             && (span.position==0 || out.position_id==span.position));
     }
   bool              FindOrder(const long ticket,SOrder &out) const
     {
      if(ticket<=0 || !HistoryOrderSelect((ulong)ticket))
         return(false);
      ReadOrder((ulong)ticket,out);
      return(true);
     }
   //--- the identifier of the position that a deal is about; 0 where it is not in the history yet
   long              PositionOfDeal(const long deal) const
     {
      if(deal<=0 || !HistoryDealSelect((ulong)deal))
         return(0);
      return(HistoryDealGetInteger((ulong)deal,DEAL_POSITION_ID));
     }
  };
#endif
//+------------------------------------------------------------------+
