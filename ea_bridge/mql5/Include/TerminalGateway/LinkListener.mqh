//+------------------------------------------------------------------+
//| LinkListener.mqh - who is told of the link, and speaks over it    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_LINK_LISTENER_MQH
#define TERMINAL_GATEWAY_LINK_LISTENER_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Hello.mqh>

class CLinkListener
  {
public:
   virtual          ~CLinkListener(void) { }
   //--- what hello shall say
   virtual void      Describe(SHello &hello)=0;
   virtual long      LastEvent(void)=0;
   virtual void      OnReady(const long ack,const long window)=0;
   virtual void      OnDown(void)=0;
   virtual void      OnHeartbeat(const long ack,const long lease_ms)=0;
   //--- adds the members of a heartbeat
   virtual void      WriteHeartbeat(CByteBuffer &out)=0;
   //--- returns whether the rest of the lines can wait for the next cycle
   virtual bool      OnCommand(CFlatJson &message,const ulong waited_ms)=0;
  };
#endif
//+------------------------------------------------------------------+
