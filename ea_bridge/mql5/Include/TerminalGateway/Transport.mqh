//+------------------------------------------------------------------+
//| Transport.mqh - one connection: bytes to lines and back           |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TRANSPORT_MQH
#define TERMINAL_GATEWAY_TRANSPORT_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Clock.mqh>
#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Net.mqh>

#define TRANSPORT_READ_CHUNK   65536
#define TRANSPORT_READ_LIMIT   262144
#define TRANSPORT_WRITE_CHUNK  16384
//--- no one who reads leaves us unable to write for so long
#define TRANSPORT_STALL_MS     5000
#define TRANSPORT_CONNECT_MS   300
//--- memory that is kept when nothing is on its way
#define TRANSPORT_KEEP         1048576

class CTransport
  {
private:
   CNet              m_net;
   int               m_socket;
   bool              m_is_up;
   string            m_host;
   int               m_port;
   string            m_reason;
   uchar             m_chunk[];
   CByteBuffer       m_input;
   int               m_scanned;
   ulong             m_heard_ms;
   ulong             m_empty_ms;
   ulong             m_oldest_ms;
   ulong             m_stalled_ms;
   bool              m_is_stalled;

public:
   //--- what is to be sent; Flush sends it
   CByteBuffer       output;

                     CTransport(void)
     {
      m_socket=NET_NONE;
      m_is_up=false;
      m_host="";
      m_reason="";
      m_port=0;
      m_scanned=0;
      m_heard_ms=0;
      m_empty_ms=0;
      m_oldest_ms=0;
      m_stalled_ms=0;
      m_is_stalled=false;
     }
                    ~CTransport(void) { Close(""); }
   void              Setup(const string host,const int port)
     {
      m_host=host;
      m_port=port;
     }
   bool              IsUp(void) const    { return(m_is_up); }
   //--- why it ended
   string            Reason(void) const  { return(m_reason); }
   int               Unsent(void) const  { return(output.Length()); }
   //--- how long the daemon has been silent for sure: while the EA was held up, by a trade or by a
   //--- history, it did not listen, and what was said meanwhile waits in the socket
   ulong             SilentMs(void) const { return(m_empty_ms>m_heard_ms ? m_empty_ms-m_heard_ms : 0); }
   //--- how long ago the line that is read now can have arrived at the most. While the EA was held
   //--- up, by a trade for instance, bytes waited in the socket and nobody saw when they came.
   ulong             WaitedMs(void) const { return(NowMs()-m_oldest_ms); }

   bool              Open(void)
     {
      m_socket=m_net.Open(m_host,m_port,TRANSPORT_CONNECT_MS);
      if(m_socket==NET_NONE)
        {
         m_reason="no connection to "+m_host+":"+IntegerToString(m_port)+": "+m_net.Hint(m_host);
         return(false);
        }
      m_is_up=true;
      m_reason="";
      m_heard_ms=NowMs();
      m_empty_ms=m_heard_ms;
      m_oldest_ms=m_heard_ms;
      m_is_stalled=false;
      return(true);
     }
   void              Close(const string reason)
     {
      if(m_socket!=NET_NONE)
         m_net.Close(m_socket);
      m_socket=NET_NONE;
      if(m_is_up)
         m_reason=reason;
      m_is_up=false;
      m_input.Clear();
      output.Clear();
      m_scanned=0;
     }
   //--- waits for the first byte, at most so long, and takes what is there
   void              Receive(const int wait_ms)
     {
      int total=0;
      int wait=wait_ms;
      while(m_is_up && total<TRANSPORT_READ_LIMIT)
        {
         int count=m_net.Read(m_socket,m_chunk,TRANSPORT_READ_CHUNK,wait);
         if(count<0)
           {
            Close("the daemon is gone");
            return;
           }
         if(count==0)
           {
            m_empty_ms=NowMs();
            return;
           }
         if(m_input.Length()==0)
            m_oldest_ms=m_empty_ms;
         m_input.Append(m_chunk,count);
         m_heard_ms=NowMs();
         total+=count;
         wait=0;
         //--- a whole line is there: answer it now instead of probing an empty socket
         if(m_chunk[count-1]=='\n')
            return;
        }
     }
   //--- the length of the next complete line, without its end; -1 where there is none
   int               Line(void)
     {
      int end=m_input.Find('\n',m_scanned);
      m_scanned=end<0 ? m_input.Length() : end;
      if(m_scanned>WIRE_MAX_LINE_TO_EA)
        {
         Close("the daemon has sent too long a line");
         return(-1);
        }
      return(end);
     }
   bool              Parse(CFlatJson &json,const int length)
     {
      return(json.Parse(m_input,0,length));
     }
   void              DropLine(const int length)
     {
      m_input.Consume(length+1);
      m_scanned=0;
     }
   //--- sends as much as the daemon takes
   void              Flush(void)
     {
      while(m_is_up && output.Length()>0)
        {
         int count=output.Peek(m_chunk,TRANSPORT_WRITE_CHUNK);
         int taken=m_net.Write(m_socket,m_chunk,count);
         if(taken<0)
           {
            Close("the daemon is gone");
            return;
           }
         if(taken==0)
           {
            Stalled();
            return;
           }
         m_is_stalled=false;
         output.Consume(taken);
        }
      output.Shrink(TRANSPORT_KEEP);
     }

   //--- before a call of the terminal that may not return for long: the daemon is to wait for us
   void              TellBusy(void)
     {
      output.PutText("{\"t\":\"busy\",\"ms\":"+IntegerToString(WIRE_MAX_BUSY_MS)+"}\n");
      Flush();
     }

private:
   void              Stalled(void)
     {
      if(!m_is_stalled)
        {
         m_is_stalled=true;
         m_stalled_ms=NowMs();
        }
      else if(NowMs()-m_stalled_ms>TRANSPORT_STALL_MS)
         Close("the daemon does not read");
     }
  };
#endif
//+------------------------------------------------------------------+
