//+------------------------------------------------------------------+
//| Lists.mqh - answers of many records, straight into the output     |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_LISTS_MQH
#define TERMINAL_GATEWAY_LISTS_MQH

#include <TerminalGateway\Answer.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Commands.mqh>
#include <TerminalGateway\History.mqh>
#include <TerminalGateway\Orders.mqh>
#include <TerminalGateway\Positions.mqh>
#include <TerminalGateway\Question.mqh>
#include <TerminalGateway\Rates.mqh>
#include <TerminalGateway\Results.mqh>
#include <TerminalGateway\SymbolGroup.mqh>
#include <TerminalGateway\Transport.mqh>
#ifndef __MQL4__
#include <TerminalGateway\TickHistory.mqh>
#endif

//--- bars in one answer
#define LISTS_MAX_BARS 100000
//--- how far ahead of the terminal a broker's clock can be
#define LISTS_AHEAD_S  86400

class CLists : public CQuestion
  {
private:
   CAnswer           m_answer;
   CHistory          m_history;
   COrders           m_orders;
   CPositions        m_positions;
   CRates            m_rates;
#ifndef __MQL4__
   CTickHistory      m_ticks;
#endif

   bool              ListSymbols(const CFlatJson &message,const long id,CByteBuffer &out)
     {
      CSymbolGroup wanted;
      bool         is_selected=message.GetBool("selected",false);
      wanted.Load(message.Has("group"),message.GetText("group",""));
      m_answer.BeginList(out,id);
      int total=SymbolsTotal(is_selected);
      for(int i=0; i<total; i++)
        {
         string symbol=SymbolName(i,is_selected);
         if(symbol=="" || !wanted.Holds(symbol))
            continue;
         m_answer.Next(out);
         m_symbols.WriteName(out,symbol);
        }
      m_answer.EndList(out);
      return(true);
     }
   //--- the highest ticket of a page: so many as count says have it or a lower one
   long              LastOf(long &tickets[],const int total,const long count) const
     {
      if(count<=0 || total<=count)
         return(LONG_MAX);
      ArrayResize(tickets,total);
      ArraySort(tickets);
      return(tickets[(int)count-1]);
     }
   long              LastPosition(const CFlatJson &message,const string symbol,const long after)
     {
      SPosition position;
      long      tickets[];
      long      count=message.GetLong("count",0);
      int       total=count>0 ? m_positions.Total() : 0;
      int       found=0;
      ArrayResize(tickets,total);
      for(int i=0; i<total; i++)
         if(m_positions.At(i,position) && (symbol=="" || position.symbol==symbol)
            && position.ticket>after)
            tickets[found++]=position.ticket;
      return(LastOf(tickets,found,count));
     }
   long              LastOrder(const CFlatJson &message,const string symbol,const long after)
     {
      SOrder order;
      long   tickets[];
      long   count=message.GetLong("count",0);
      int    total=count>0 ? m_orders.Total() : 0;
      int    found=0;
      ArrayResize(tickets,total);
      for(int i=0; i<total; i++)
         if(m_orders.At(i,order) && (symbol=="" || order.symbol==symbol) && order.ticket>after)
            tickets[found++]=order.ticket;
      return(LastOf(tickets,found,count));
     }
   bool              ListPositions(const CFlatJson &message,const long id,CByteBuffer &out)
     {
      SPosition position;
      string    symbol=message.GetText("symbol","");
      long      ticket=message.GetLong("ticket",0);
      long      after=message.GetLong("after",0);
      long      last=LastPosition(message,symbol,after);
      m_answer.BeginList(out,id);
      for(int i=0; i<m_positions.Total(); i++)
         if(m_positions.At(i,position) && (symbol=="" || position.symbol==symbol)
            && (ticket==0 || position.ticket==ticket)
            && position.ticket>after && position.ticket<=last)
           {
            m_answer.Next(out);
            position.Write(out);
           }
      m_answer.EndList(out);
      return(true);
     }
   bool              ListOrders(const CFlatJson &message,const long id,CByteBuffer &out)
     {
      SOrder order;
      string symbol=message.GetText("symbol","");
      long   ticket=message.GetLong("ticket",0);
      long   after=message.GetLong("after",0);
      long   last=LastOrder(message,symbol,after);
      m_answer.BeginList(out,id);
      for(int i=0; i<m_orders.Total(); i++)
         if(m_orders.At(i,order) && (symbol=="" || order.symbol==symbol)
            && (ticket==0 || order.ticket==ticket) && order.ticket>after && order.ticket<=last)
           {
            m_answer.Next(out);
            order.Write(out);
           }
      m_answer.EndList(out);
      return(true);
     }
   bool              ListPastOrders(const CFlatJson &message,const long id,CByteBuffer &out)
     {
      SSpan  span;
      SOrder order;
      span.Read(message);
      if(!m_history.Select(span))
         return(Fail(WIRE_ERR_HISTORY_NOT_FOUND,"the terminal has no history"));
      m_history.CutOrders(span);
      m_answer.BeginList(out,id);
      for(int i=0; i<m_history.Orders(); i++)
         if(m_history.OrderAt(i,span,order))
           {
            m_answer.Next(out);
            order.Write(out);
           }
      m_answer.EndList(out);
      return(true);
     }
#ifndef __MQL4__
   bool              ListDeals(const CFlatJson &message,const long id,CByteBuffer &out)
     {
      SSpan span;
      SDeal deal;
      span.Read(message);
      if(!m_history.Select(span))
         return(Fail(WIRE_ERR_HISTORY_NOT_FOUND,"the terminal has no history"));
      m_history.CutDeals(span);
      m_answer.BeginList(out,id);
      for(int i=0; i<m_history.Deals(); i++)
         if(m_history.DealAt(i,span,deal))
           {
            m_answer.Next(out);
            deal.Write(out);
           }
      m_answer.EndList(out);
      return(true);
     }
#endif
   //--- loads the bars that are asked for; how many of them, the newest, count
   int               LoadRates(const CFlatJson &message,const string symbol,
                               const ENUM_TIMEFRAMES timeframe,CTransport &transport)
     {
#ifndef __MQL4__
      if(m_rates.IsLoading(symbol,timeframe))
         transport.TellBusy();
#endif
      int  count=(int)MathMin(message.GetLong("count",LISTS_MAX_BARS),(long)LISTS_MAX_BARS);
      int  start=(int)message.GetLong("start",0);
      long to_s=message.GetLong("to_s",(long)TimeTradeClock()+LISTS_AHEAD_S);
      if(count<=0 || start<0)
         return(0);
      if(message.IsNumber("from_s"))
         return(MathMin(m_rates.Between(symbol,timeframe,message.GetLong("from_s",0),to_s),count));
      if(message.IsNumber("to_s"))
         return(m_rates.Until(symbol,timeframe,to_s,count));
      return(m_rates.Back(symbol,timeframe,start,count));
     }
   bool              ListRates(const CFlatJson &message,const long id,CTransport &transport)
     {
      string symbol="";
      if(!IsSelected(message,symbol))
         return(false);
      ENUM_TIMEFRAMES timeframe=m_rates.Timeframe(message.GetLong("timeframe",0));
      if(timeframe==PERIOD_CURRENT)
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"no such period here"));
      int count=LoadRates(message,symbol,timeframe,transport);
      if(count<0)
         return(Fail(WIRE_ERR_HISTORY_NOT_FOUND,"the terminal has no such bars yet"));
      int digits=m_symbols.DigitsOf(symbol);
      int total=count>0 ? m_rates.Total() : 0;
      m_answer.BeginHistory(transport.output,id);
      for(int i=MathMax(total-count,0); i<total; i++)
        {
         m_answer.Next(transport.output);
         m_rates.Write(transport.output,i,digits);
        }
      m_answer.EndHistory(transport.output,m_rates.Missing());
      m_rates.Free();
      return(true);
     }
#ifndef __MQL4__
   bool              ListTicks(const CFlatJson &message,const long id,CTransport &transport)
     {
      string symbol="";
      if(!IsSelected(message,symbol))
         return(false);
      transport.TellBusy();
      if(!m_ticks.Load(symbol,(int)message.GetLong("flags",-1),message.GetLong("from_msc",0),
                       message.GetLong("to_msc",0),
                       (int)MathMin(message.GetLong("count",0),(long)TICKS_MAX)))
         return(Fail(WIRE_ERR_HISTORY_NOT_FOUND,"the terminal has no such ticks yet"));
      int digits=m_symbols.DigitsOf(symbol);
      m_answer.BeginHistory(transport.output,id);
      for(int i=m_ticks.First(); i<m_ticks.End(); i++)
        {
         m_answer.Next(transport.output);
         m_ticks.Write(transport.output,i,digits);
        }
      m_answer.EndHistory(transport.output,m_ticks.Missing());
      m_ticks.Free();
      return(true);
     }
#endif
   bool              ListResults(const CFlatJson &message,const long id,CResults &results,
                                 CByteBuffer &out)
     {
      string ids[];
      int    count=StringSplit(message.GetText("ids",""),',',ids);
      bool   is_valid=(count>=1 && count<=WIRE_MAX_RESULTS);
      for(int i=0; i<count && is_valid; i++)
         is_valid=(IntegerToString(StringToInteger(ids[i]))==ids[i]);
      if(!is_valid)
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"1 to 256 ids, with commas between them"));
      m_answer.BeginList(out,id);
      for(int i=0; i<count; i++)
        {
         m_answer.Next(out);
         results.WriteKnown(out,StringToInteger(ids[i]));
        }
      m_answer.EndList(out);
      return(true);
     }

public:
   bool              IsList(const ENUM_COMMAND command) const
     {
      return(IsLong(command) || command==COMMAND_POSITIONS_GET || command==COMMAND_ORDERS_GET);
     }
   //--- the terminal may have to load it first
   bool              IsHistory(const ENUM_COMMAND command) const
     {
      return(command==COMMAND_RATES_GET || command==COMMAND_TICKS_GET);
     }
   //--- after such an answer other things have their turn
   bool              IsLong(const ENUM_COMMAND command) const
     {
      return(command==COMMAND_SYMBOLS_GET || command==COMMAND_RESULTS_GET
             || command==COMMAND_HISTORY_ORDERS_GET || command==COMMAND_HISTORY_DEALS_GET
             || IsHistory(command));
     }
   //--- false where there is no answer: nothing was written then
   bool              Answer(const ENUM_COMMAND command,const CFlatJson &message,const long id,
                            CResults &results,CTransport &transport)
     {
      switch(command)
        {
         case COMMAND_SYMBOLS_GET:
            return(ListSymbols(message,id,transport.output));
         case COMMAND_POSITIONS_GET:
            return(ListPositions(message,id,transport.output));
         case COMMAND_ORDERS_GET:
            return(ListOrders(message,id,transport.output));
         case COMMAND_HISTORY_ORDERS_GET:
            return(ListPastOrders(message,id,transport.output));
#ifndef __MQL4__
         case COMMAND_HISTORY_DEALS_GET:
            return(ListDeals(message,id,transport.output));
         case COMMAND_TICKS_GET:
            return(ListTicks(message,id,transport));
#endif
         case COMMAND_RATES_GET:
            return(ListRates(message,id,transport));
         case COMMAND_RESULTS_GET:
            return(ListResults(message,id,results,transport.output));
         default:
            break;
        }
      return(Fail(WIRE_ERR_NOT_SUPPORTED,"unknown command"));
     }
  };
#endif
//+------------------------------------------------------------------+
