//+------------------------------------------------------------------+
//| Desk.mqh - answers questions: one answer a command                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_DESK_MQH
#define TERMINAL_GATEWAY_DESK_MQH

#include <TerminalGateway\Account.mqh>
#include <TerminalGateway\Answer.mqh>
#include <TerminalGateway\Commands.mqh>
#include <TerminalGateway\Lease.mqh>
#include <TerminalGateway\Lists.mqh>
#include <TerminalGateway\Question.mqh>
#include <TerminalGateway\Quote.mqh>
#include <TerminalGateway\Results.mqh>
#include <TerminalGateway\Sessions.mqh>
#include <TerminalGateway\Streams.mqh>
#include <TerminalGateway\Symbols.mqh>
#include <TerminalGateway\Trails.mqh>

class CDesk : public CQuestion
  {
private:
   CAccount          m_account;
   CAnswer           m_answer;
   CQuote            m_quote;
   CSessions         m_sessions;
   CTrade            m_trade;
   CByteBuffer       m_value;
   CLists            m_lists;

   bool              HasCapability(const ENUM_COMMAND command) const
     {
      string need=NeedOf(command);
      return(need=="" || StringFind(","+m_account.Capabilities()+",",","+need+",")>=0);
     }

   //--- answers of one value, into m_value
   bool              Value(const ENUM_COMMAND command,const CFlatJson &message,CLease &lease,
                           CTrails &trails,CStreams &streams,CTransport &transport)
     {
      string symbol="";
      m_value.Clear();
      switch(command)
        {
         case COMMAND_ACCOUNT_GET:
            m_account.Write(m_value);
            return(true);
         case COMMAND_TERMINAL_GET:
            m_account.WriteTerminal(m_value);
            return(true);
         case COMMAND_CLOCK_GET:
            m_account.WriteClock(m_value);
            return(true);
         case COMMAND_SYMBOL_GET:
            if(!IsReadable(message,symbol))
               return(false);
            m_symbols.Write(m_value,symbol);
            return(true);
         case COMMAND_SYMBOL_SELECT:
            return(Select(message));
         case COMMAND_SESSIONS_GET:
            if(!IsReadable(message,symbol))
               return(false);
            m_sessions.Write(m_value,symbol);
            return(true);
         case COMMAND_TICK_GET:
            if(!IsSelected(message,symbol))
               return(false);
            m_quote.Write(m_value,symbol,m_symbols.DigitsOf(symbol));
            return(true);
         case COMMAND_BOOK_GET:
            return(Book(message,streams));
         case COMMAND_WATCH:
            return(Watch(message,streams,transport));
         case COMMAND_ORDER_CHECK:
            return(Check(message));
         case COMMAND_ORDER_CALC_MARGIN:
         case COMMAND_ORDER_CALC_PROFIT:
            return(Calculate(command,message));
         case COMMAND_LEASE_SET:
            if(!lease.Set(message))
               return(Fail(WIRE_ERR_INVALID_PARAMETER,"no such lease"));
            lease.Write(m_value);
            return(true);
         case COMMAND_LEASE_GET:
            lease.Write(m_value);
            return(true);
         case COMMAND_TRAIL_SET:
            return(SetTrail(message,trails));
         case COMMAND_TRAILS_GET:
            trails.Write(m_value,message.GetText("symbol",""),message.GetLong("ticket",0));
            return(true);
         default:
            break;
        }
      return(Fail(WIRE_ERR_NOT_SUPPORTED,"unknown command"));
     }
   //--- a symbol with positions or orders stays in Market Watch
   bool              Select(const CFlatJson &message)
     {
      string symbol="";
      if(!IsNamed(message,symbol))
         return(false);
      if(!SymbolSelect(symbol,message.GetBool("enable",true)) && !m_symbols.IsKnown(symbol))
         return(Fail(WIRE_ERR_UNKNOWN_SYMBOL,"unknown symbol "+symbol));
      m_value.PutByte('{');
      m_value.MemberText("symbol",symbol);
      m_value.MemberBool("select",m_symbols.IsSelected(symbol));
      m_value.PutByte('}');
      return(true);
     }
   bool              Book(const CFlatJson &message,CStreams &streams)
     {
      string symbol="";
      if(!IsSelected(message,symbol))
         return(false);
      if(!m_symbols.HasDepth(symbol) || !streams.WriteBook(m_value,symbol))
         return(Fail(WIRE_ERR_NO_MARKET_DEPTH,"no depth of market for "+symbol));
      return(true);
     }
   bool              Watch(const CFlatJson &message,CStreams &streams,CTransport &transport)
     {
      string symbol="";
      if(!IsSelected(message,symbol))
         return(false);
      int err=streams.Watch(message,symbol,m_value,transport);
      if(err==WIRE_ERR_NO_MARKET_DEPTH)
         return(Fail(err,"no depth of market for "+symbol));
      return(err==0 || Fail(err,"no such periods here: "+message.GetText("bars","")));
     }
   bool              Check(const CFlatJson &message)
     {
#ifndef __MQL4__
      SRequest request;
      if(!request.Read(message))
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"which action?"));
      if(m_trade.Check(request,m_value))
         return(true);
#endif
      return(Fail(WIRE_ERR_INTERNAL_ERROR,"the terminal cannot tell"));
     }
   bool              Calculate(const ENUM_COMMAND command,const CFlatJson &message)
     {
      string symbol="";
      double value=0.0;
      bool   is_done=false;
      if(!IsReadable(message,symbol))
         return(false);
      int    type=(int)message.GetLong("type",-1);
      double volume=message.GetDouble("volume",0.0);
      if(type!=WIRE_ORDER_TYPE_BUY && type!=WIRE_ORDER_TYPE_SELL)
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"neither buy nor sell"));
      if(command==COMMAND_ORDER_CALC_MARGIN)
         is_done=m_trade.Margin(type,symbol,volume,message.GetDouble("price",0.0),value);
      else
         is_done=m_trade.Profit(type,symbol,volume,message.GetDouble("price_open",0.0),
                                message.GetDouble("price_close",0.0),value);
      if(!is_done)
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"the terminal cannot calculate that"));
      m_value.PutByte('{');
      m_value.MemberDouble("value",value);
      m_value.PutByte('}');
      return(true);
     }
   bool              SetTrail(const CFlatJson &message,CTrails &trails)
     {
      if(trails.Set(message,m_value))
         return(true);
      return(Fail(WIRE_ERR_POSITION_NOT_FOUND,
                  "no position "+IntegerToString(message.GetLong("ticket",0))));
     }

public:
   //--- answers; returns whether that was long work, after which other things have their turn
   bool              Answer(const ENUM_COMMAND command,const CFlatJson &message,const long id,
                            const ulong waited_ms,CLease &lease,CTrails &trails,CStreams &streams,
                            CResults &results,CTransport &transport)
     {
      long ttl=message.GetLong("ttl",0);
      if(!HasCapability(command))
         m_answer.Fail(transport.output,id,WIRE_ERR_NOT_SUPPORTED,"this terminal cannot do that");
      //--- nobody waits for it any more, and it can hold up what is behind it
      else if(m_lists.IsHistory(command) && ttl>0 && waited_ms>(ulong)ttl)
         m_answer.Fail(transport.output,id,WIRE_ERR_TOO_LATE,"nobody waits for the answer any more");
      else if(m_lists.IsList(command))
        {
         if(!m_lists.Answer(command,message,id,results,transport))
            m_answer.Fail(transport.output,id,m_lists.Err(),m_lists.Why());
         return(m_lists.IsLong(command));
        }
      else if(Value(command,message,lease,trails,streams,transport))
        {
         m_answer.BeginValue(transport.output,id);
         transport.output.PutBuffer(m_value);
         m_answer.EndValue(transport.output);
        }
      else
         m_answer.Fail(transport.output,id,Err(),Why());
      return(false);
     }
  };
#endif
//+------------------------------------------------------------------+
