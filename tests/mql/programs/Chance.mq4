//+------------------------------------------------------------------+
//| Chance.mq4 - says what is random of a start                       |
//+------------------------------------------------------------------+
#property copyright   "The mt-gateway authors (MIT licence)"
#property version     "1.00"
#property description "Says what is random of a start."
#property strict

#include <TerminalGateway\Chance.mqh>

int OnInit(void)
  {
   CChance chance;
   chance.Seed();
   Print(MathRand());
   Print(chance.Name(16));
   return(INIT_SUCCEEDED);
  }
//+------------------------------------------------------------------+
