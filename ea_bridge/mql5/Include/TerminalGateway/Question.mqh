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
   bool              IsNamed(const CFlatJson &message,string &symbol)
     {
      symbol=message.GetText("symbol","");
      return(message.IsText("symbol") || Fail(WIRE_ERR_INVALID_PARAMETER,"which symbol?"));
     }
   bool              IsKnown(const CFlatJson &message,string &symbol)
     {
      if(!IsNamed(message,symbol))
         return(false);
      return(m_symbols.IsKnown(symbol) || Fail(WIRE_ERR_UNKNOWN_SYMBOL,"unknown symbol "+symbol));
     }
   //--- what would be told of it is true: out of Market Watch it may be nothing but zeros
   bool              IsReadable(const CFlatJson &message,string &symbol)
     {
      return(IsKnown(message,symbol) && (m_symbols.IsReadable(symbol) || FailHidden(symbol)));
     }
   bool              IsSelected(const CFlatJson &message,string &symbol)
     {
      return(IsKnown(message,symbol) && (m_symbols.IsSelected(symbol) || FailHidden(symbol)));
     }

private:
   bool              FailHidden(const string symbol)
     {
      return(Fail(WIRE_ERR_SYMBOL_NOT_SELECTED,symbol+" is not in Market Watch"));
     }

public:
                     CQuestion(void) { m_err=0; m_why=""; }
   //--- MQL's error, and words for a log
   int               Err(void) const { return(m_err); }
   string            Why(void) const { return(m_why); }
  };
#endif
//+------------------------------------------------------------------+
