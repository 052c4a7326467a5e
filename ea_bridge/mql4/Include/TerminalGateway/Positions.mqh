//+------------------------------------------------------------------+
//| Positions.mqh - the open trades of MetaTrader 4                   |
//|                                                                   |
//| Trades and waiting orders are one list there. Its stamps are of   |
//| seconds.                                                          |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_POSITIONS_MQH
#define TERMINAL_GATEWAY_POSITIONS_MQH

#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Tag.mqh>

class CPositions
  {
private:
   CTag              m_tag;

   //--- of the selected order
   void              Read(SPosition &out) const
     {
      out.ticket=(long)OrderTicket();
      out.time=(long)OrderOpenTime();
      out.time_msc=out.time*1000;
      out.time_update=out.time;
      out.time_update_msc=out.time_msc;
      out.magic=(long)OrderMagicNumber();
      out.identifier=out.ticket;
      out.type=OrderType();
      out.reason=m_tag.ReasonOf(out.magic,OrderComment());
      out.volume=OrderLots();
      out.price_open=OrderOpenPrice();
      out.sl=OrderStopLoss();
      out.tp=OrderTakeProfit();
      out.price_current=OrderClosePrice();
      out.swap=OrderSwap();
      out.profit=OrderProfit();
      out.symbol=OrderSymbol();
      out.comment=OrderComment();
      out.external_id="";
     }

public:
   int               Total(void) const { return(OrdersTotal()); }
   //--- false where that is a waiting order, or has just gone
   bool              At(const int index,SPosition &out) const
     {
      if(!OrderSelect(index,SELECT_BY_POS,MODE_TRADES) || OrderType()>OP_SELL)
         return(false);
      Read(out);
      return(true);
     }
   bool              Find(const long ticket,SPosition &out) const
     {
      //--- cut off to 32 bits it would be another's
      if(ticket<=0 || (long)(int)ticket!=ticket || !OrderSelect((int)ticket,SELECT_BY_TICKET)
         || OrderType()>OP_SELL || OrderCloseTime()!=0)
         return(false);
      Read(out);
      return(true);
     }
   //--- what is left of a trade that was closed in part, and says so in its comment; 0 for none
   long              Remainder(const long ticket) const
     {
      string from="from #"+IntegerToString(ticket);
      for(int i=OrdersTotal()-1; i>=0; i--)
         if(OrderSelect(i,SELECT_BY_POS,MODE_TRADES) && OrderType()<=OP_SELL
            && OrderComment()==from)
            return((long)OrderTicket());
      return(0);
     }
  };
#endif
//+------------------------------------------------------------------+
