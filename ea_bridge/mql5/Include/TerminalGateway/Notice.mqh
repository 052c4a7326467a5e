//+------------------------------------------------------------------+
//| Notice.mqh - tells a person something, once                       |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_NOTICE_MQH
#define TERMINAL_GATEWAY_NOTICE_MQH

class CNotice
  {
private:
   string            m_called;
   string            m_told;

public:
                     CNotice(void) { Forget(); }
   //--- somebody has to do something: a window and a sound
   void              Call(const string text)
     {
      if(text!=m_called)
         Alert("Terminal Gateway: ",text);
      m_called=text;
     }
   //--- for the log
   void              Tell(const string text)
     {
      if(text!=m_told)
         Print(text);
      m_told=text;
     }
   //--- what was said before may be said again
   void              Forget(void)
     {
      m_called="";
      m_told="";
     }
  };
#endif
//+------------------------------------------------------------------+
