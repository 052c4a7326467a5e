//+------------------------------------------------------------------+
//| Trade.mqh - what reaches MetaTrader 5's market                    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRADE_MQH
#define TERMINAL_GATEWAY_TRADE_MQH

#include <TerminalGateway\Account.mqh>
#include <TerminalGateway\History.mqh>
#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Switches.mqh>

//--- of sums of lots, which are no exact doubles
#define TRADE_LOT_SLACK 1.0e-8
//--- ERR_TRADE_DISABLED: a switch was turned between our look and the terminal's
#define TRADE_ERR_DISABLED 4752
//--- ERR_TRADE_SEND_FAILED comes with whatever is not a success
#define TRADE_ERR_SEND_FAILED 4756

class CTrade
  {
private:
   CAccount          m_account;
   CHistory          m_history;
   COrders           m_orders;
   CPositions        m_positions;
   CSwitches         m_switches;

   void              Fill(const SRequest &request,MqlTradeRequest &out) const
     {
      out.action=(ENUM_TRADE_REQUEST_ACTIONS)request.action;
      out.magic=(ulong)request.magic;
      out.order=(ulong)request.order;
      out.symbol=request.symbol;
      out.volume=request.volume;
      out.price=request.price;
      out.stoplimit=request.stoplimit;
      out.sl=request.sl;
      out.tp=request.tp;
      out.deviation=(ulong)request.deviation;
      out.type=(ENUM_ORDER_TYPE)request.type;
      out.type_filling=(ENUM_ORDER_TYPE_FILLING)request.type_filling;
      out.type_time=(ENUM_ORDER_TYPE_TIME)request.type_time;
      out.expiration=(datetime)request.expiration;
      out.comment=request.comment;
      out.position=(ulong)request.position;
      out.position_by=(ulong)request.position_by;
     }
   //--- why a deal that names a position would not close it on a netting account, where the server
   //--- takes it for what it is and may have closed the position a moment before; 0: it would.
   //--- Deals that are on their way count as done.
   int               ClosesNothing(const SRequest &request) const
     {
      SPosition position;
      SOrder    order;
      if(request.action!=WIRE_ACTION_DEAL || request.position==0 || m_account.IsHedging())
         return(0);
      if(!m_positions.Find(request.position,position) || position.symbol!=request.symbol)
         return(WIRE_RETCODE_POSITION_CLOSED);
      if(request.type==position.type)
         return(WIRE_RETCODE_INVALID);
      double volume=request.volume;
      for(int i=0; i<m_orders.Total(); i++)
         if(m_orders.At(i,order) && order.symbol==request.symbol && order.type==request.type)
            volume+=order.volume_current;
      return(volume>position.volume+TRADE_LOT_SLACK ? WIRE_RETCODE_INVALID_CLOSE_VOLUME : 0);
     }
   //--- the position that a trade has opened or changed; 0 where that is not known
   long              PositionOf(const SRequest &request,const long deal,const long order) const
     {
      SPosition position;
      if(request.action==WIRE_ACTION_SLTP || request.action==WIRE_ACTION_CLOSE_BY)
         return(request.position);
      if(request.action!=WIRE_ACTION_DEAL || (deal==0 && order==0))
         return(0);
      if(request.position!=0)
         return(request.position);
      long identifier=m_history.PositionOfDeal(deal);
      if(identifier!=0)
        {
         long ticket=m_positions.TicketOf(identifier);
         return(ticket!=0 ? ticket : identifier);
        }
      //--- the history of deals lags behind at some brokers
      if(m_account.IsHedging())
         return(m_positions.Find(order,position) ? order : 0);
      return(m_positions.TicketIn(request.symbol));
     }
   void              Take(const SRequest &request,const MqlTradeResult &result,SResult &out) const
     {
      out.retcode=(int)result.retcode;
      out.deal=(long)result.deal;
      out.order=(long)result.order;
      out.volume=result.volume;
      out.price=result.price;
      out.bid=result.bid;
      out.ask=result.ask;
      out.comment=result.comment;
      out.request_id=(long)result.request_id;
      out.retcode_external=result.retcode_external;
      out.position=out.IsSuccess() ? PositionOf(request,out.deal,out.order) : 0;
     }

   //--- what it means that OrderSend tells no retcode: an error which does not say that the trade
   //--- was kept back leaves it open, and so does none
   int               Silent(const bool is_sent,const int error,SResult &out) const
     {
      if(!is_sent && error==TRADE_ERR_DISABLED)
        {
         out.Refuse(WIRE_RETCODE_CLIENT_DISABLES_AT,"the EA may not trade");
         return(0);
        }
      if(is_sent || error==0 || error==TRADE_ERR_SEND_FAILED)
         return(WIRE_ERR_INTERNAL_ERROR);
      return(error);
     }

public:
   //--- OrderSend, unless the terminal would refuse it anyway, or it would open a position where
   //--- it was to close one. Refusals are results too. Returns 0, or MQL's error where the
   //--- terminal itself failed and said nothing of the trade.
   int               Send(const SRequest &request,SResult &out)
     {
      MqlTradeRequest question={};
      MqlTradeResult  result={};
      out.Clear();
      string why="";
      int refused=m_switches.Refusal(why);
      if(refused==0)
         refused=ClosesNothing(request);
      if(refused!=0)
        {
         out.Refuse(refused,why);
         return(0);
        }
      Fill(request,question);
      ResetLastError();
      bool is_sent=OrderSend(question,result);
      int  error=GetLastError();
      if(result.retcode==0)
         return(Silent(is_sent,error,out));
      Take(request,result,out);
      //--- there was a connection when it was sent: whether it got through nobody knows
      if(out.retcode==WIRE_RETCODE_CONNECTION)
         out.retcode=WIRE_RETCODE_TIMEOUT;
      return(0);
     }
   //--- OrderCheck; returns whether the terminal could tell
   bool              Check(const SRequest &request,CByteBuffer &out)
     {
      MqlTradeRequest     question={};
      MqlTradeCheckResult result={};
      Fill(request,question);
      ResetLastError();
      bool passes=OrderCheck(question,result);
      if(!passes && result.retcode==0)
         return(false);
      out.PutByte('{');
      out.MemberLong("retcode",passes ? 0 : (long)result.retcode);
      out.MemberDouble("balance",result.balance);
      out.MemberDouble("equity",result.equity);
      out.MemberDouble("profit",result.profit);
      out.MemberDouble("margin",result.margin);
      out.MemberDouble("margin_free",result.margin_free);
      out.MemberDouble("margin_level",result.margin_level);
      out.MemberText("comment",result.comment);
      out.PutByte('}');
      return(true);
     }
   bool              Margin(const int type,const string symbol,const double volume,
                            const double price,double &out) const
     {
      return(OrderCalcMargin((ENUM_ORDER_TYPE)type,symbol,volume,price,out));
     }
   bool              Profit(const int type,const string symbol,const double volume,
                            const double price_open,const double price_close,double &out) const
     {
      return(OrderCalcProfit((ENUM_ORDER_TYPE)type,symbol,volume,price_open,price_close,out));
     }
  };
#endif
//+------------------------------------------------------------------+
