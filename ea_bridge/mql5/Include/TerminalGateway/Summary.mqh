//+------------------------------------------------------------------+
//| Summary.mqh - the account's money and the floating result, told   |
//| where they change, some times a second                            |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SUMMARY_MQH
#define TERMINAL_GATEWAY_SUMMARY_MQH

#include <TerminalGateway\Account.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Positions.mqh>

#define SUMMARY_MS 250

class CSummary
  {
private:
   CAccount          m_account;
   CPositions        m_positions;
   CByteBuffer       m_scratch;
   string            m_told;
   ulong             m_looked_ms;

   void              WritePositions(CByteBuffer &out) const
     {
      SPosition position;
      out.PutByte('[');
      for(int i=0; i<m_positions.Total(); i++)
        {
         if(!m_positions.At(i,position))
            continue;
         out.Comma();
         out.PutByte('[');
         out.PutLong(position.ticket);
         out.PutByte(',');
         out.PutDouble(position.price_current);
         out.PutByte(',');
         out.PutDouble(position.swap);
         out.PutByte(',');
         out.PutDouble(position.profit);
         out.PutByte(']');
        }
      out.PutByte(']');
     }

public:
                     CSummary(void) { m_told=""; m_looked_ms=0; }
   //--- a new link begins: tell all
   void              Forget(void)
     {
      m_told="";
      m_looked_ms=0;
     }
   void              Tell(CByteBuffer &out)
     {
      if(m_told!="" && NowMs()-m_looked_ms<SUMMARY_MS)
         return;
      m_looked_ms=NowMs();
      m_scratch.Clear();
      m_account.Write(m_scratch);
      string now=m_scratch.All();
      if(now==m_told)
         return;
      m_told=now;
      out.PutText("{\"t\":\"account\",\"d\":");
      out.PutBuffer(m_scratch);
      out.PutText("}\n{\"t\":\"pnl\",\"d\":");
      WritePositions(out);
      out.PutText("}\n");
     }
  };
#endif
//+------------------------------------------------------------------+
