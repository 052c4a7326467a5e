//+------------------------------------------------------------------+
//| Executor.mqh - carries out the commands that trade, each once     |
//|                                                                   |
//| It is acknowledged before it is executed, so that the daemon can  |
//| tell what was never begun from what must be looked into.          |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_EXECUTOR_MQH
#define TERMINAL_GATEWAY_EXECUTOR_MQH

#include <TerminalGateway\Answer.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Lease.mqh>
#include <TerminalGateway\Results.mqh>
#include <TerminalGateway\Trade.mqh>
#include <TerminalGateway\Transport.mqh>

class CExecutor
  {
private:
   CAnswer           m_answer;
   CByteBuffer       m_line;
   CTrade            m_trade;

   //--- what came through the gateway: what closes or changes something made nothing new, but the
   //--- rest of a position of ours has another ticket on MetaTrader 4; that of two which were
   //--- closed by each other is of the larger one, and says so
   void              Note(const SRequest &request,const SResult &result,CLease &lease) const
     {
      if(request.order!=0 || request.position_by!=0)
         return;
      if(request.position==0)
         lease.Note(result.order);
      else
         if(!lease.HasSent(request.position))
            return;
      lease.Note(result.position);
     }
   void              Trade(const CFlatJson &message,const long id,CLease &lease)
     {
      SRequest request;
      SResult  result;
      if(!request.Read(message))
        {
         m_answer.Fail(m_line,id,WIRE_ERR_INVALID_PARAMETER,"which action?");
         return;
        }
      int error=m_trade.Send(request,result);
      if(error!=0)
        {
         m_answer.Fail(m_line,id,error,"OrderSend has failed");
         return;
        }
      Note(request,result,lease);
      m_answer.BeginValue(m_line,id);
      result.Write(m_line);
      m_answer.EndValue(m_line);
     }

public:
   void              Execute(const CFlatJson &message,const long id,const ulong waited_ms,
                             CResults &results,CLease &lease,CTransport &transport)
     {
      long ttl=message.GetLong("ttl",0);
      transport.output.PutText("{\"t\":\"ack\",\"id\":");
      transport.output.PutLong(id);
      transport.output.PutText("}\n");
      if(results.Has(id))
        {
         string stored=results.Answer(id);
         if(stored!="")
            transport.output.PutText(stored+"\n");
         return;
        }
      if(!results.Take(id))
        {
         Print("command ",id," cannot be noted in ",results.File(),", so it is not executed");
         m_answer.Fail(transport.output,id,WIRE_ERR_FILE_WRITE_ERROR,"it cannot be noted");
         return;
        }
      //--- before OrderSend, which can block for seconds
      transport.Flush();
      m_line.Clear();
      if(ttl>0 && waited_ms>(ulong)ttl)
         m_answer.Fail(m_line,id,WIRE_ERR_TOO_LATE,
                       "the command was to begin within "+IntegerToString(ttl)+" ms");
      else
         Trade(message,id,lease);
      results.Finish(id,m_line.Text(0,m_line.Length()-1));
      transport.output.PutBuffer(m_line);
     }
  };
#endif
//+------------------------------------------------------------------+
