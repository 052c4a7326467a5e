//+------------------------------------------------------------------+
//| Positions.mqh - the open positions of MetaTrader 5                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_POSITIONS_MQH
#define TERMINAL_GATEWAY_POSITIONS_MQH

#include <TerminalGateway\Model.mqh>

class CPositions
  {
private:
   void              Read(const ulong ticket,SPosition &out) const
     {
      out.ticket=(long)ticket;
      out.time=PositionGetInteger(POSITION_TIME);
      out.time_msc=PositionGetInteger(POSITION_TIME_MSC);
      out.time_update=PositionGetInteger(POSITION_TIME_UPDATE);
      out.time_update_msc=PositionGetInteger(POSITION_TIME_UPDATE_MSC);
      out.magic=PositionGetInteger(POSITION_MAGIC);
      out.identifier=PositionGetInteger(POSITION_IDENTIFIER);
      out.type=(int)PositionGetInteger(POSITION_TYPE);
      out.reason=(int)PositionGetInteger(POSITION_REASON);
      out.volume=PositionGetDouble(POSITION_VOLUME);
      out.price_open=PositionGetDouble(POSITION_PRICE_OPEN);
      out.sl=PositionGetDouble(POSITION_SL);
      out.tp=PositionGetDouble(POSITION_TP);
      out.price_current=PositionGetDouble(POSITION_PRICE_CURRENT);
      out.swap=PositionGetDouble(POSITION_SWAP);
      out.profit=PositionGetDouble(POSITION_PROFIT);
      out.symbol=PositionGetString(POSITION_SYMBOL);
      out.comment=PositionGetString(POSITION_COMMENT);
      out.external_id=PositionGetString(POSITION_EXTERNAL_ID);
     }

public:
   int               Total(void) const { return(PositionsTotal()); }
   //--- false where it has just gone
   bool              At(const int index,SPosition &out) const
     {
      ulong ticket=PositionGetTicket(index);
      if(ticket==0)
         return(false);
      Read(ticket,out);
      return(true);
     }
   bool              Find(const long ticket,SPosition &out) const
     {
      if(ticket<=0 || !PositionSelectByTicket((ulong)ticket))
         return(false);
      Read((ulong)ticket,out);
      return(true);
     }
   //--- the ticket of the open position with an identifier; 0 where there is none
   long              TicketOf(const long identifier) const
     {
      for(int i=0; i<PositionsTotal(); i++)
        {
         ulong ticket=PositionGetTicket(i);
         if(ticket!=0 && PositionGetInteger(POSITION_IDENTIFIER)==identifier)
            return((long)ticket);
        }
      return(0);
     }
   //--- the ticket of the position of a symbol on a netting account; 0 where there is none
   long              TicketIn(const string symbol) const
     {
      return(PositionSelect(symbol) ? PositionGetInteger(POSITION_TICKET) : 0);
     }
  };
#endif
//+------------------------------------------------------------------+
