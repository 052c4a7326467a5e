//+------------------------------------------------------------------+
//| Clock.mqh - time that only grows, and the time of the broker      |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_CLOCK_MQH
#define TERMINAL_GATEWAY_CLOCK_MQH

//--- milliseconds since this program began; MetaTrader 4 has no GetTickCount64
ulong NowMs(void) { return(GetMicrosecondCount()/1000); }
//--- the clock of the broker: MetaTrader 4 knows it only as of the newest quote
datetime TimeTradeClock(void)
  {
#ifdef __MQL4__
   return(TimeCurrent());
#else
   return(TimeTradeServer());
#endif
  }
#endif
//+------------------------------------------------------------------+
