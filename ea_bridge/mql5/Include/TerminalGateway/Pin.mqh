//+------------------------------------------------------------------+
//| Pin.mqh - the daemon that this terminal belongs to                |
//|                                                                   |
//| Another program on the port may know the token, and prove it: one |
//| that was approved in the console as a new device. A terminal that |
//| has been let in once tells nothing to any other device.           |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_PIN_MQH
#define TERMINAL_GATEWAY_PIN_MQH

#include <TerminalGateway\Notes.mqh>

class CPin
  {
private:
   CNotes            m_notes;
   string            m_device;
   bool              m_is_readable;

public:
                     CPin(void) { m_device=""; m_is_readable=true; }
   //--- false where its file cannot be read now
   bool              Setup(const string terminal)
     {
      m_notes.Setup(terminal+"-device.txt");
      CByteBuffer content;
      m_is_readable=m_notes.Read(content);
      m_device=m_notes.ReadLine();
      return(m_is_readable);
     }
   string            File(void) const   { return(m_notes.Name()); }
   string            Device(void) const { return(m_device); }
   //--- a pin that cannot be read fits nobody
   bool              Fits(const string device) const
     {
      return(m_is_readable && (m_device=="" || m_device==device));
     }
   void              Keep(const string device)
     {
      if(device==m_device)
         return;
      m_device=device;
      if(!m_notes.ReplaceLine(device))
         Print("the file ",m_notes.Name()," is not written: the next start trusts anew");
     }
  };
#endif
//+------------------------------------------------------------------+
