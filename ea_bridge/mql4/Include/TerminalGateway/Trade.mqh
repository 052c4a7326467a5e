//+------------------------------------------------------------------+
//| Trade.mqh - what reaches MetaTrader 4's market                    |
//|                                                                   |
//| A request in MetaTrader 5's words is carried out by OrderSend,    |
//| OrderModify, OrderClose, OrderCloseBy or OrderDelete, all of      |
//| which block until the broker has answered.                        |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRADE_MQH
#define TERMINAL_GATEWAY_TRADE_MQH

#include <TerminalGateway\Model.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Switches.mqh>
#include <TerminalGateway\TradeErrors.mqh>

#define TRADE_DAY_S     86400
//--- lots are no exact doubles
#define TRADE_LOT_SLACK 1.0e-8
//--- no function tells those of the account's currency
#define TRADE_MONEY_DIGITS 2
//--- where there is no pair of two currencies they are converted by this one
#define TRADE_VEHICLE   "USD"

class CTrade
  {
private:
   COrders           m_orders;
   CPositions        m_positions;
   CSwitches         m_switches;
   CTradeErrors      m_errors;

   //--- MetaTrader 4 knows moments only
   datetime          Expiration(const SRequest &request) const
     {
      if(request.type_time==WIRE_ORDER_TIME_DAY)
         return((datetime)(((long)TimeCurrent()/TRADE_DAY_S+1)*TRADE_DAY_S));
      if(request.type_time==WIRE_ORDER_TIME_SPECIFIED)
         return((datetime)request.expiration);
      if(request.type_time==WIRE_ORDER_TIME_SPECIFIED_DAY)
         return((datetime)((request.expiration/TRADE_DAY_S+1)*TRADE_DAY_S));
      return((datetime)0);
     }
   double            Price(const SRequest &request) const
     {
      if(request.price>0.0)
         return(request.price);
      return(MarketInfo(request.symbol,request.type==WIRE_ORDER_TYPE_BUY ? MODE_ASK : MODE_BID));
     }
   bool              Open(const SRequest &request,SResult &out) const
     {
      bool is_deal=(request.action==WIRE_ACTION_DEAL);
      int  ticket=OrderSend(request.symbol,request.type,request.volume,
                            is_deal ? Price(request) : request.price,(int)request.deviation,
                            request.sl,request.tp,request.comment,(int)request.magic,
                            is_deal ? (datetime)0 : Expiration(request));
      if(ticket<0)
         return(false);
      out.order=(long)ticket;
      out.volume=request.volume;
      if(!is_deal)
         return(true);
      out.position=(long)ticket;
      if(OrderSelect(ticket,SELECT_BY_TICKET))
        {
         out.price=OrderOpenPrice();
         out.volume=OrderLots();
        }
      return(true);
     }
   bool              Close(const SRequest &request,SResult &out) const
     {
      SPosition position;
      bool      is_found=m_positions.Find(request.position,position);
      if(!OrderClose((int)request.position,request.volume,Price(request),(int)request.deviation))
         return(false);
      out.order=request.position;
      out.volume=request.volume;
      out.position=request.position;
      if(OrderSelect((int)request.position,SELECT_BY_TICKET))
         out.price=OrderClosePrice();
      //--- what is left has a new ticket
      if(is_found && position.volume>request.volume+TRADE_LOT_SLACK)
        {
         long left=m_positions.Remainder(request.position);
         out.position=left!=0 ? left : request.position;
        }
      return(true);
     }
   bool              ChangeStops(const SRequest &request,SResult &out) const
     {
      SPosition position;
      if(!m_positions.Find(request.position,position))
         return(false);
      if(!OrderModify((int)request.position,position.price_open,request.sl,request.tp,
                      (datetime)0))
         return(false);
      out.position=request.position;
      return(true);
     }
   bool              CloseBy(const SRequest &request,SResult &out) const
     {
      SPosition first;
      SPosition second;
      bool      is_found=m_positions.Find(request.position,first)
                         && m_positions.Find(request.position_by,second);
      if(!OrderCloseBy((int)request.position,(int)request.position_by))
         return(false);
      out.order=request.position;
      out.position=request.position;
      if(!is_found)
         return(true);
      out.volume=MathMin(first.volume,second.volume);
      out.price=second.price_open;
      long left=m_positions.Remainder(first.volume>second.volume ? first.ticket : second.ticket);
      if(left!=0)
         out.position=left;
      return(true);
     }
   bool              CarryOut(const SRequest &request,SResult &out) const
     {
      switch(request.action)
        {
         case WIRE_ACTION_DEAL:
            return(request.position!=0 ? Close(request,out) : Open(request,out));
         case WIRE_ACTION_PENDING:
            return(Open(request,out));
         case WIRE_ACTION_SLTP:
            return(ChangeStops(request,out));
         case WIRE_ACTION_MODIFY:
            out.order=request.order;
            return(OrderModify((int)request.order,request.price,request.sl,request.tp,
                               Expiration(request)));
         case WIRE_ACTION_REMOVE:
            out.order=request.order;
            return(OrderDelete((int)request.order));
         case WIRE_ACTION_CLOSE_BY:
            return(CloseBy(request,out));
        }
      return(false);
     }
   //--- why the terminal's functions would not do what the request says; 0: they would
   int               Refusal(const SRequest &request,string &why) const
     {
      SPosition position;
      SOrder    order;
      int       refused=m_switches.Refusal(why);
      if(refused!=0)
         return(refused);
      //--- these numbers have 32 bits there: cut off they would name another trade
      if((long)(int)request.magic!=request.magic
         || (long)(int)request.position_by!=request.position_by)
         return(WIRE_RETCODE_INVALID);
      bool is_deal=(request.action==WIRE_ACTION_DEAL);
      if(is_deal && request.type>WIRE_ORDER_TYPE_SELL)
         return(WIRE_RETCODE_INVALID_ORDER);
      if(request.action==WIRE_ACTION_PENDING && (request.type<WIRE_ORDER_TYPE_BUY_LIMIT
         || request.type>WIRE_ORDER_TYPE_SELL_STOP))
         return(WIRE_RETCODE_INVALID_ORDER);
      if((is_deal && request.position!=0) || request.action==WIRE_ACTION_SLTP
         || request.action==WIRE_ACTION_CLOSE_BY)
        {
         if(!m_positions.Find(request.position,position))
            return(WIRE_RETCODE_POSITION_CLOSED);
         //--- OrderClose closes whatever the direction says: look at that here
         if(is_deal && request.type==position.type)
            return(WIRE_RETCODE_INVALID);
         if(is_deal && request.volume>position.volume+TRADE_LOT_SLACK)
            return(WIRE_RETCODE_INVALID_CLOSE_VOLUME);
        }
      if((request.action==WIRE_ACTION_MODIFY || request.action==WIRE_ACTION_REMOVE)
         && !m_orders.Find(request.order,order))
         return(WIRE_RETCODE_INVALID_ORDER);
      if(request.action<WIRE_ACTION_DEAL || request.action>WIRE_ACTION_CLOSE_BY)
         return(WIRE_RETCODE_INVALID);
      return(0);
     }

   //--- of a pair, under the name that it has with the symbol's suffix, or under its own; 0 where
   //--- there is none, and where that is the symbol itself, whose price is known
   double            SpreadOf(const string symbol,const string pair) const
     {
      string own=SymbolInfoString(symbol,SYMBOL_CURRENCY_BASE)
                 +SymbolInfoString(symbol,SYMBOL_CURRENCY_PROFIT);
      string name=symbol;
      if(pair==own)
         return(0.0);
      StringReplace(name,own,pair);
      for(int i=0; i<2; i++)
        {
         double ask=name==symbol ? 0.0 : MarketInfo(name,MODE_ASK);
         if(ask>0.0)
            return(MarketInfo(name,MODE_BID)/ask);
         name=pair;
        }
      return(0.0);
     }
   //--- what a sale converts a currency at, as a part of what a purchase does: the one takes the
   //--- bid and the other the ask, whichever way round the pair is quoted
   double            SaleRate(const string symbol,const string from,const string to) const
     {
      if(from==to)
         return(1.0);
      double spread=SpreadOf(symbol,from+to);
      if(spread>0.0)
         return(spread);
      spread=SpreadOf(symbol,to+from);
      if(spread>0.0)
         return(1.0/spread);
      if(from==TRADE_VEHICLE || to==TRADE_VEHICLE)
         return(1.0);
      return(SaleRate(symbol,from,TRADE_VEHICLE)*SaleRate(symbol,TRADE_VEHICLE,to));
     }

public:
   //--- carries a request out. Refusals are results too. Returns 0, or MQL's error where the
   //--- terminal itself failed and said nothing of the trade.
   int               Send(const SRequest &request,SResult &out)
     {
      string why="";
      out.Clear();
      int refused=Refusal(request,why);
      if(refused!=0)
        {
         out.Refuse(refused,why);
         return(0);
        }
      ResetLastError();
      if(CarryOut(request,out))
         out.retcode=WIRE_RETCODE_DONE;
      else
        {
         int error=GetLastError();
         if(error==TRADE_ERROR_UNKNOWN_SYMBOL)
            return(WIRE_ERR_UNKNOWN_SYMBOL);
         out.Refuse(m_errors.Retcode(error,request.action),"error "+IntegerToString(error));
         out.retcode_external=error;
        }
      out.bid=MarketInfo(request.symbol,MODE_BID);
      out.ask=MarketInfo(request.symbol,MODE_ASK);
      return(0);
     }
   //--- as OrderCalcMargin, from the margin of one lot, which is that of a purchase at the present
   //--- price
   bool              Margin(const int type,const string symbol,const double volume,
                            const double price,double &out) const
     {
      double present=MarketInfo(symbol,type==WIRE_ORDER_TYPE_BUY ? MODE_ASK : MODE_BID);
      double one_lot=MarketInfo(symbol,MODE_MARGINREQUIRED);
      if(volume<=0.0 || price<=0.0 || present<=0.0)
         return(false);
      string account=AccountInfoString(ACCOUNT_CURRENCY);
      bool   is_forex=(MarketInfo(symbol,MODE_MARGINCALCMODE)==0.0);
      //--- where the margin is in another currency than the price, the price does not matter
      bool   is_priced=!is_forex
                       || (SymbolInfoString(symbol,SYMBOL_CURRENCY_MARGIN)!=account
                           && SymbolInfoString(symbol,SYMBOL_CURRENCY_PROFIT)==account);
      double at=is_priced ? price/MarketInfo(symbol,MODE_ASK) : 1.0;
      if(type==WIRE_ORDER_TYPE_SELL)
         at*=SaleRate(symbol,SymbolInfoString(symbol,SYMBOL_CURRENCY_MARGIN),account);
      out=NormalizeDouble(one_lot*volume*at,TRADE_MONEY_DIGITS);
      return(true);
     }
   //--- as OrderCalcProfit, from the value of a tick at the present price
   bool              Profit(const int type,const string symbol,const double volume,
                            const double price_open,const double price_close,double &out) const
     {
      double size=MarketInfo(symbol,MODE_TICKSIZE);
      double value=MarketInfo(symbol,MODE_TICKVALUE);
      if(volume<=0.0 || price_open<=0.0 || price_close<=0.0 || size<=0.0)
         return(false);
      double moved=type==WIRE_ORDER_TYPE_BUY ? price_close-price_open : price_open-price_close;
      out=NormalizeDouble(moved/size*value*volume,TRADE_MONEY_DIGITS);
      return(true);
     }
  };
#endif
//+------------------------------------------------------------------+
