//+------------------------------------------------------------------+
//| Idle.mq5 - does nothing: the simulated terminal by itself         |
//+------------------------------------------------------------------+
#property copyright   "The mt-gateway authors (MIT licence)"
#property version     "1.00"
#property description "Does nothing."

int OnInit(void)
  {
   return(INIT_SUCCEEDED);
  }
//+------------------------------------------------------------------+
