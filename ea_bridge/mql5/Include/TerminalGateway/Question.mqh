//+------------------------------------------------------------------+
//| Question.mqh - checks a question, and says why it has no answer   |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_QUESTION_MQH
#define TERMINAL_GATEWAY_QUESTION_MQH

#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Symbols.mqh>

class CQuestion
  {
protected:
   CSymbols          m_symbols;
   int               m_err;
   string            m_why;

   bool              Fail(const int err,const string why)
     {
      m_err=err;
      m_why=why;
      return(false);
     }
   bool              IsKnown(const CFlatJson &message,string &symbol)
     {
      symbol=message.GetText("symbol","");
      if(!message.IsText("symbol"))
         return(Fail(WIRE_ERR_INVALID_PARAMETER,"which symbol?"));
      if(!m_symbols.IsKnown(symbol))
         return(Fail(WIRE_ERR_UNKNOWN_SYMBOL,"unknown symbol "+symbol));
      return(true);
     }
   bool              IsSelected(const CFlatJson &message,string &symbol)
     {
      if(!IsKnown(message,symbol))
         return(false);
      if(!m_symbols.IsSelected(symbol))
         return(Fail(WIRE_ERR_SYMBOL_NOT_SELECTED,symbol+" is not in Market Watch"));
      return(true);
     }

public:
                     CQuestion(void) { m_err=0; m_why=""; }
   //--- MQL's error, and words for a log
   int               Err(void) const { return(m_err); }
   string            Why(void) const { return(m_why); }
  };
#endif
//+------------------------------------------------------------------+
