//+------------------------------------------------------------------+
//| Tickets.mqh - a set of tickets, looked up by halving              |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TICKETS_MQH
#define TERMINAL_GATEWAY_TICKETS_MQH

class CTickets
  {
private:
   long              m_sorted[];

public:
   //--- these and no others
   void              Load(const long &tickets[])
     {
      int total=ArraySize(tickets);
      ArrayResize(m_sorted,total);
      for(int i=0; i<total; i++)
         m_sorted[i]=tickets[i];
      if(total>1)
         ArraySort(m_sorted);
     }
   bool              Has(const long ticket) const
     {
      if(ArraySize(m_sorted)==0)
         return(false);
      int at=ArrayBsearch(m_sorted,ticket);
      return(at>=0 && m_sorted[at]==ticket);
     }
  };
#endif
//+------------------------------------------------------------------+
