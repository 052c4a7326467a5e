//+------------------------------------------------------------------+
//| Orders.mqh - the orders of MetaTrader 5 that wait or are on their |
//| way                                                               |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_ORDERS_MQH
#define TERMINAL_GATEWAY_ORDERS_MQH

#include <TerminalGateway\Model.mqh>

class COrders
  {
private:
   void              Read(const ulong ticket,SOrder &out) const
     {
      out.ticket=(long)ticket;
      out.time_setup=OrderGetInteger(ORDER_TIME_SETUP);
      out.time_setup_msc=OrderGetInteger(ORDER_TIME_SETUP_MSC);
      out.time_done=OrderGetInteger(ORDER_TIME_DONE);
      out.time_done_msc=OrderGetInteger(ORDER_TIME_DONE_MSC);
      out.time_expiration=OrderGetInteger(ORDER_TIME_EXPIRATION);
      out.magic=OrderGetInteger(ORDER_MAGIC);
      out.position_id=OrderGetInteger(ORDER_POSITION_ID);
      out.position_by_id=OrderGetInteger(ORDER_POSITION_BY_ID);
      out.type=(int)OrderGetInteger(ORDER_TYPE);
      out.type_time=(int)OrderGetInteger(ORDER_TYPE_TIME);
      out.type_filling=(int)OrderGetInteger(ORDER_TYPE_FILLING);
      out.state=(int)OrderGetInteger(ORDER_STATE);
      out.reason=(int)OrderGetInteger(ORDER_REASON);
      out.volume_initial=OrderGetDouble(ORDER_VOLUME_INITIAL);
      out.volume_current=OrderGetDouble(ORDER_VOLUME_CURRENT);
      out.price_open=OrderGetDouble(ORDER_PRICE_OPEN);
      out.sl=OrderGetDouble(ORDER_SL);
      out.tp=OrderGetDouble(ORDER_TP);
      out.price_current=OrderGetDouble(ORDER_PRICE_CURRENT);
      out.price_stoplimit=OrderGetDouble(ORDER_PRICE_STOPLIMIT);
      out.has_money=false;
      out.profit=0.0;
      out.swap=0.0;
      out.commission=0.0;
      out.symbol=OrderGetString(ORDER_SYMBOL);
      out.comment=OrderGetString(ORDER_COMMENT);
      out.external_id=OrderGetString(ORDER_EXTERNAL_ID);
     }

public:
   int               Total(void) const { return(OrdersTotal()); }
   //--- false where it has just gone
   bool              At(const int index,SOrder &out) const
     {
      ulong ticket=OrderGetTicket(index);
      if(ticket==0)
         return(false);
      Read(ticket,out);
      return(true);
     }
   bool              Find(const long ticket,SOrder &out) const
     {
      if(ticket<=0 || !OrderSelect((ulong)ticket))
         return(false);
      Read((ulong)ticket,out);
      return(true);
     }
  };
#endif
//+------------------------------------------------------------------+
