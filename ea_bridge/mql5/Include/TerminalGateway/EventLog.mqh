//+------------------------------------------------------------------+
//| EventLog.mqh - the counted events: told until the daemon has them |
//|                                                                   |
//| Each event of trades and switches has a number, q, one more than  |
//| the last. What the daemon has not acknowledged is told again on   |
//| the next link; of what is not kept any more it is told that it is |
//| lost.                                                             |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_EVENT_LOG_MQH
#define TERMINAL_GATEWAY_EVENT_LOG_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>

//--- MetaTrader's own queue of transactions is as long
#define EVENTS_KEPT 1024

class CEventLog
  {
private:
   //--- event q lies at q modulo EVENTS_KEPT
   string            m_lines[EVENTS_KEPT];
   long              m_last;
   long              m_acknowledged;
   long              m_told;
   long              m_window;

   long              Oldest(void) const { return(MathMax(m_last-EVENTS_KEPT+1,(long)1)); }
   int               Slot(const long q) const { return((int)(q%EVENTS_KEPT)); }

public:
   //--- the event that is put together: between Begin and End
   CByteBuffer       event;

                     CEventLog(void) { Forget(); }
   //--- begin at 1 again: for another account, or another daemon's terminal
   void              Forget(void)
     {
      m_last=0;
      m_acknowledged=0;
      m_told=0;
      m_window=WIRE_WINDOW;
     }
   long              Last(void) const { return(m_last); }
   void              Begin(const string tag)
     {
      event.Clear();
      event.PutText("{\"t\":\""+tag+"\"");
      event.MemberLong("q",m_last+1);
     }
   void              End(void)
     {
      event.PutText("}\n");
      m_last++;
      m_lines[Slot(m_last)]=event.All();
     }
   //--- a link begins: what is behind ack is told again
   void              Resume(const long ack,const long window)
     {
      m_acknowledged=ack;
      m_told=ack;
      m_window=window>0 ? window : WIRE_WINDOW;
     }
   void              Acknowledge(const long ack) { m_acknowledged=MathMax(m_acknowledged,ack); }
   //--- tells what the daemon has not been told on this link, within its window
   void              Tell(CByteBuffer &out)
     {
      if(m_told<m_last && m_told+1<Oldest())
        {
         out.PutText("{\"t\":\"lost\"");
         out.MemberLong("from",m_told+1);
         out.PutText("}\n");
         m_told=Oldest()-1;
         m_acknowledged=m_told;
        }
      while(m_told<m_last && m_told-m_acknowledged<m_window)
        {
         m_told++;
         out.PutText(m_lines[Slot(m_told)]);
        }
     }
  };
#endif
//+------------------------------------------------------------------+
