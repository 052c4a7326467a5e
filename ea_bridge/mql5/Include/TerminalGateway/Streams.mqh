//+------------------------------------------------------------------+
//| Streams.mqh - what is pushed of the market: ticks, books, bars    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_STREAMS_MQH
#define TERMINAL_GATEWAY_STREAMS_MQH

#include <TerminalGateway\BarPump.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Symbols.mqh>
#include <TerminalGateway\TickPump.mqh>
#include <TerminalGateway\Transport.mqh>
#include <TerminalGateway\Watches.mqh>
#ifndef __MQL4__
#include <TerminalGateway\BookPump.mqh>
#endif

//--- above so many unsent bytes nothing more is pulled: the cursors stay, so nothing is lost
#define STREAMS_MAX_UNSENT 1048576

class CStreams
  {
private:
   CSymbols          m_symbols;
   CWatches          m_watches;
   CTickPump         m_ticks;
   CBarPump          m_bars;
#ifndef __MQL4__
   CBookPump         m_books;
#endif

   //--- starts or stops the book of a symbol; false where there is none
   bool              SetBook(const int at,const bool is_wanted)
     {
#ifndef __MQL4__
      if(is_wanted)
         return(m_symbols.HasDepth(m_watches.all[at].symbol) && m_books.Start(m_watches,at));
      m_books.Stop(m_watches,at);
#endif
      return(!is_wanted);
     }

public:
   //--- carries watch out and writes the answer; returns 0, or MQL's error
   int               Watch(const CFlatJson &message,const string symbol,CByteBuffer &out,
                           CTransport &transport)
     {
      string bars=message.GetText("bars","");
      bool   is_ticks=message.GetBool("ticks",false);
      long   last_msc=message.GetLong("last_msc",0);
      if(!m_bars.IsValid(bars))
         return(WIRE_ERR_INVALID_PARAMETER);
#ifdef __MQL4__
      if(message.GetBool("book",false))
         return(WIRE_ERR_NO_MARKET_DEPTH);
#endif
      int at=m_watches.Of(symbol,m_symbols.DigitsOf(symbol));
      if(at<0)
         return(WIRE_ERR_INTERNAL_ERROR);
      if(!SetBook(at,message.GetBool("book",false)))
         return(WIRE_ERR_NO_MARKET_DEPTH);
      m_bars.Follow(at,bars);
      if(is_ticks && last_msc>0)
         m_watches.SetCursor(at,last_msc,(int)message.GetLong("n_same_msc",0));
      else if(is_ticks && !m_watches.all[at].ticks)
         m_ticks.Begin(m_watches,at,transport);
      m_watches.all[at].ticks=is_ticks;
      out.PutByte('{');
      out.MemberLong("sym",at);
      out.MemberText("symbol",symbol);
      out.MemberLong("digits",m_watches.all[at].digits);
      out.PutByte('}');
      return(0);
     }
   //--- a new link begins without watches
   void              Silence(void)
     {
      for(int i=0; i<m_watches.Total(); i++)
        {
         m_watches.all[i].ticks=false;
         SetBook(i,false);
        }
      m_bars.StopAll();
     }
   bool              IsActive(void) const { return(m_watches.IsAnyActive() || m_bars.IsActive()); }
#ifndef __MQL4__
   void              OnBook(const string symbol) { m_books.OnBook(m_watches,symbol); }
   bool              WriteBook(CByteBuffer &out,const string symbol)
     {
      return(m_books.Write(out,m_watches,symbol));
     }
#else
   bool              WriteBook(CByteBuffer &out,const string symbol) const { return(false); }
#endif
   void              Pull(CTransport &transport)
     {
      if(transport.Unsent()>STREAMS_MAX_UNSENT)
         return;
      m_ticks.Pull(m_watches,transport);
#ifndef __MQL4__
      m_books.Pull(m_watches,transport.output);
#endif
      m_bars.Pull(m_watches,transport);
     }
  };
#endif
//+------------------------------------------------------------------+
