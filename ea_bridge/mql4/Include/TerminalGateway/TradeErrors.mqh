//+------------------------------------------------------------------+
//| TradeErrors.mqh - MetaTrader 4's errors in MetaTrader 5's words   |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRADE_ERRORS_MQH
#define TERMINAL_GATEWAY_TRADE_ERRORS_MQH

#include <TerminalGateway\Constants.mqh>

#define TRADE_ERROR_UNKNOWN_SYMBOL 4106

class CTradeErrors
  {
private:
   //--- the trade server's
   int               OfServer(const int error) const
     {
      switch(error)
        {
         case 3:
            return(WIRE_RETCODE_INVALID);
         case 4:    // the server is busy
         case 8:
         case 137:  // the broker is busy
         case 141:
         case 146:  // another expert trades just now
            return(WIRE_RETCODE_TOO_MANY_REQUESTS);
         case 7:    // not enough rights
         case 64:
         case 65:
         case 133:
            return(WIRE_RETCODE_TRADE_DISABLED);
         case 0:    // it failed and does not say how
         case 1:    // no error, but the result is unknown
         case 6:    // no connection: it was there a moment before, and the trade may have got through
         case 128:
         case 142:  // accepted, and no answer yet
         case 143:
            return(WIRE_RETCODE_TIMEOUT);
         case 129:
            return(WIRE_RETCODE_INVALID_PRICE);
         case 130:
            return(WIRE_RETCODE_INVALID_STOPS);
         case 131:
            return(WIRE_RETCODE_INVALID_VOLUME);
         case 132:
            return(WIRE_RETCODE_MARKET_CLOSED);
         case 134:
            return(WIRE_RETCODE_NO_MONEY);
         case 135:
            return(WIRE_RETCODE_PRICE_CHANGED);
         case 136:
            return(WIRE_RETCODE_PRICE_OFF);
         case 138:
            return(WIRE_RETCODE_REQUOTE);
         case 139:
            return(WIRE_RETCODE_LOCKED);
         case 140:
            return(WIRE_RETCODE_LONG_ONLY);
         case 145:
            return(WIRE_RETCODE_FROZEN);
         case 147:
            return(WIRE_RETCODE_INVALID_EXPIRATION);
         case 148:
            return(WIRE_RETCODE_LIMIT_ORDERS);
         case 149:
            return(WIRE_RETCODE_HEDGE_PROHIBITED);
         case 150:
            return(WIRE_RETCODE_FIFO_CLOSE);
        }
      return(WIRE_RETCODE_ERROR);
     }

public:
   //--- a retcode for the error of a trade function
   int               Retcode(const int error,const int action) const
     {
      //--- the values are as they were
      if(error==1 && (action==WIRE_ACTION_SLTP || action==WIRE_ACTION_MODIFY))
         return(WIRE_RETCODE_NO_CHANGES);
      switch(error)
        {
         case 4051: // a parameter is none
            return(WIRE_RETCODE_INVALID);
         case 4107:
            return(WIRE_RETCODE_INVALID_PRICE);
         case 4108: // no such ticket
            return(action==WIRE_ACTION_MODIFY || action==WIRE_ACTION_REMOVE
                   ? WIRE_RETCODE_INVALID_ORDER : WIRE_RETCODE_POSITION_CLOSED);
         case 4109:
            return(WIRE_RETCODE_CLIENT_DISABLES_AT);
         case 4110:
            return(WIRE_RETCODE_SHORT_ONLY);
         case 4111:
            return(WIRE_RETCODE_LONG_ONLY);
         case 4112:
            return(WIRE_RETCODE_SERVER_DISABLES_AT);
        }
      return(OfServer(error));
     }
  };
#endif
//+------------------------------------------------------------------+
