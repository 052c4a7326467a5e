//+------------------------------------------------------------------+
//| Orders.mqh - the waiting orders of MetaTrader 4                   |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_ORDERS_MQH
#define TERMINAL_GATEWAY_ORDERS_MQH

#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Tag.mqh>

class COrders
  {
private:
   CTag              m_tag;

public:
   //--- of the selected order, whatever it is
   void              Read(SOrder &out) const
     {
      out.ticket=(long)OrderTicket();
      out.time_setup=(long)OrderOpenTime();
      out.time_setup_msc=out.time_setup*1000;
      out.time_done=(long)OrderCloseTime();
      out.time_done_msc=out.time_done*1000;
      out.time_expiration=(long)OrderExpiration();
      out.magic=(long)OrderMagicNumber();
      out.position_id=0;
      out.position_by_id=0;
      out.type=OrderType();
      out.type_time=out.time_expiration>0 ? WIRE_ORDER_TIME_SPECIFIED : WIRE_ORDER_TIME_GTC;
      out.type_filling=WIRE_FILLING_FOK;
      out.state=WIRE_ORDER_STATE_PLACED;
      out.reason=m_tag.ReasonOf(out.magic,OrderComment());
      out.volume_initial=OrderLots();
      out.volume_current=out.volume_initial;
      out.price_open=OrderOpenPrice();
      out.sl=OrderStopLoss();
      out.tp=OrderTakeProfit();
      out.price_current=OrderClosePrice();
      out.price_stoplimit=0.0;
      out.has_money=false;
      out.profit=0.0;
      out.swap=0.0;
      out.commission=0.0;
      out.symbol=OrderSymbol();
      out.comment=OrderComment();
      out.external_id="";
     }
   bool              IsWaiting(void) const
     {
      return(OrderType()>=OP_BUYLIMIT && OrderType()<=OP_SELLSTOP);
     }
   int               Total(void) const { return(OrdersTotal()); }
   //--- false where that is an open trade, or has just gone
   bool              At(const int index,SOrder &out) const
     {
      if(!OrderSelect(index,SELECT_BY_POS,MODE_TRADES) || !IsWaiting())
         return(false);
      Read(out);
      return(true);
     }
   bool              Find(const long ticket,SOrder &out) const
     {
      //--- cut off to 32 bits it would be another's
      if(ticket<=0 || (long)(int)ticket!=ticket || !OrderSelect((int)ticket,SELECT_BY_TICKET)
         || !IsWaiting() || OrderCloseTime()!=0)
         return(false);
      Read(out);
      return(true);
     }
  };
#endif
//+------------------------------------------------------------------+
