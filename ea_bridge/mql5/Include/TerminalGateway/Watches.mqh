//+------------------------------------------------------------------+
//| Watches.mqh - the symbols that the daemon listens to              |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_WATCHES_MQH
#define TERMINAL_GATEWAY_WATCHES_MQH

//--- what is pushed of one symbol, and how far. Its index stays the same for the EA's life.
struct SWatch
  {
   string            symbol;
   int               digits;
   bool              ticks;
   bool              book;
   bool              is_book_dirty;
   //--- the cursor: the stamp of the last tick that was told, and how many with that stamp were
   long              last_msc;
   int               same_msc;
   //--- there was no tick yet when the watch began: it begins with the first
   bool              is_waiting;
   //--- the newest tick that was seen, to tell cheaply that nothing is new
   long              seen_msc;
   double            seen_bid;
   double            seen_ask;
   double            seen_last;
   ulong             seen_volume;
   //--- all ticks up to that one were told
   bool              is_level;
   ulong             looked_ms;
   //--- the terminal could not tell: not before
   ulong             retry_ms;
   //--- its history was there at the last pull: the next one will not wait for it
   bool              is_warm;
  };

class CWatches
  {
public:
   SWatch            all[];

   int               Total(void) const { return(ArraySize(all)); }
   //--- the index of a symbol; -1 where it was never watched
   int               Find(const string symbol) const
     {
      for(int i=0; i<ArraySize(all); i++)
         if(all[i].symbol==symbol)
            return(i);
      return(-1);
     }
   //--- the same, with a new index where there is none
   int               Of(const string symbol,const int digits)
     {
      int at=Find(symbol);
      if(at>=0)
         return(at);
      at=ArraySize(all);
      if(ArrayResize(all,at+1,64)<=at)
         return(-1);
      all[at].symbol=symbol;
      all[at].digits=digits;
      all[at].ticks=false;
      all[at].book=false;
      all[at].is_book_dirty=false;
      SetCursor(at,0,0);
      return(at);
     }
   //--- go on from here
   void              SetCursor(const int at,const long last_msc,const int same_msc)
     {
      all[at].last_msc=last_msc;
      all[at].same_msc=same_msc;
      all[at].is_waiting=(last_msc==0);
      all[at].seen_msc=0;
      all[at].seen_bid=0.0;
      all[at].seen_ask=0.0;
      all[at].seen_last=0.0;
      all[at].seen_volume=0;
      all[at].is_level=false;
      all[at].looked_ms=0;
      all[at].retry_ms=0;
      all[at].is_warm=false;
     }
   //--- whether anything is pushed of any
   bool              IsAnyActive(void) const
     {
      for(int i=0; i<ArraySize(all); i++)
         if(all[i].ticks || all[i].book)
            return(true);
      return(false);
     }
  };
#endif
//+------------------------------------------------------------------+
