//+------------------------------------------------------------------+
//| BookPump.mqh - the order books of MetaTrader 5                    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_BOOK_PUMP_MQH
#define TERMINAL_GATEWAY_BOOK_PUMP_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Watches.mqh>

//--- a book that was just subscribed to is empty until the broker has sent it
#define BOOK_TRIES   10
#define BOOK_WAIT_MS 20

class CBookPump
  {
private:
   MqlBookInfo       m_book[];

   void              WriteEntry(CByteBuffer &out,const MqlBookInfo &entry) const
     {
      out.Comma();
      out.PutByte('[');
      out.PutLong((long)entry.type);
      out.PutByte(',');
      out.PutDouble(entry.price);
      out.PutByte(',');
      out.PutDouble(entry.volume_real>0.0 ? entry.volume_real : (double)entry.volume);
      out.PutByte(']');
     }
   bool              IsSell(const MqlBookInfo &entry) const
     {
      return(entry.type==BOOK_TYPE_SELL || entry.type==BOOK_TYPE_SELL_MARKET);
     }
   //--- the terminal lists from the highest price down; the wire has the best price of each side
   //--- first
   void              WriteBook(CByteBuffer &out) const
     {
      int total=ArraySize(m_book);
      out.PutByte('[');
      for(int i=total-1; i>=0; i--)
         if(IsSell(m_book[i]))
            WriteEntry(out,m_book[i]);
      for(int i=0; i<total; i++)
         if(!IsSell(m_book[i]))
            WriteEntry(out,m_book[i]);
      out.PutByte(']');
     }

public:
   bool              Start(CWatches &watches,const int i)
     {
      if(watches.all[i].book)
         return(true);
      watches.all[i].book=MarketBookAdd(watches.all[i].symbol);
      watches.all[i].is_book_dirty=watches.all[i].book;
      return(watches.all[i].book);
     }
   void              Stop(CWatches &watches,const int i)
     {
      if(watches.all[i].book)
         MarketBookRelease(watches.all[i].symbol);
      watches.all[i].book=false;
     }
   void              OnBook(CWatches &watches,const string symbol)
     {
      int at=watches.Find(symbol);
      if(at>=0)
         watches.all[at].is_book_dirty=true;
     }
   //--- a list of model.BookEntry; false where there is no depth
   bool              Write(CByteBuffer &out,CWatches &watches,const string symbol)
     {
      int  at=watches.Find(symbol);
      bool is_watched=(at>=0 && watches.all[at].book);
      if(!is_watched && !MarketBookAdd(symbol))
         return(false);
      bool is_there=false;
      for(int i=0; i<BOOK_TRIES && !is_there; i++)
        {
         if(i>0)
            Sleep(BOOK_WAIT_MS);
         is_there=MarketBookGet(symbol,m_book) && (is_watched || ArraySize(m_book)>0);
        }
      if(!is_watched)
         MarketBookRelease(symbol);
      if(!is_there)
         ArrayResize(m_book,0);
      WriteBook(out);
      return(true);
     }
   //--- tells the books that have changed
   void              Pull(CWatches &watches,CByteBuffer &out)
     {
      for(int i=0; i<watches.Total(); i++)
        {
         if(!watches.all[i].book || !watches.all[i].is_book_dirty)
            continue;
         watches.all[i].is_book_dirty=false;
         if(!MarketBookGet(watches.all[i].symbol,m_book))
            continue;
         out.PutText("{\"t\":\"book\"");
         out.MemberLong("sym",i);
         out.MemberLong("time_msc",SymbolInfoInteger(watches.all[i].symbol,SYMBOL_TIME_MSC));
         out.Key("d");
         WriteBook(out);
         out.PutText("}\n");
        }
     }
  };
#endif
//+------------------------------------------------------------------+
