//+------------------------------------------------------------------+
//| Net.mqh - four calls over MetaTrader 5's sockets, or over         |
//| ws2_32.dll for MetaTrader 4, which has none                       |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_NET_MQH
#define TERMINAL_GATEWAY_NET_MQH

#define NET_NONE -1
#define NET_LOST -1

#ifdef __MQL4__
#define WINSOCK_INET         2
#define WINSOCK_STREAM       1
#define WINSOCK_TCP          6
#define WINSOCK_NODELAY      1
#define WINSOCK_NONBLOCKING  0x8004667E
#define WINSOCK_WOULD_BLOCK  10035
#define WINSOCK_VERSION      0x0202

struct SWinsockAddress
  {
   ushort            family;
   ushort            port;
   uint              address;
   uint              zero1;
   uint              zero2;
  };
struct SWinsockSet
  {
   uint              count;
   uint              socket;
  };
struct SWinsockTime
  {
   int               seconds;
   int               microseconds;
  };
#import "ws2_32.dll"
   int    WSAStartup(ushort version,uchar &data[]);
   int    WSAGetLastError(void);
   uint   socket(int family,int type,int protocol);
   int    connect(uint s,SWinsockAddress &address,int length);
   int    closesocket(uint s);
   int    send(uint s,uchar &data[],int length,int flags);
   int    recv(uint s,uchar &data[],int length,int flags);
   int    select(int unused,SWinsockSet &readable,int writable,int broken,SWinsockTime &limit);
   int    select(int unused,int readable,SWinsockSet &writable,SWinsockSet &broken,SWinsockTime &limit);
   int    ioctlsocket(uint s,int command,uint &value);
   int    setsockopt(uint s,int level,int option,int &value,int length);
   uint   inet_addr(uchar &text[]);
   ushort htons(ushort value);
#import

class CNet
  {
private:
   bool              m_started;

   void              Fill(SWinsockSet &all,const int handle) const
     {
      all.count=1;
      all.socket=(uint)handle;
     }
   void              Limit(SWinsockTime &limit,const int wait_ms) const
     {
      limit.seconds=wait_ms/1000;
      limit.microseconds=(wait_ms%1000)*1000;
     }
   //--- a dial has an answer in time, and that is no refusal
   bool              IsAnswered(const int handle,const int wait_ms) const
     {
      SWinsockSet  writable;
      SWinsockSet  broken;
      SWinsockTime limit;
      Fill(writable,handle);
      Fill(broken,handle);
      Limit(limit,wait_ms);
      return(select(0,0,writable,broken,limit)>0 && writable.count==1 && broken.count==0);
     }

public:
                     CNet(void) { m_started=false; }
   string            Hint(const string host) const
     {
      return("allow DLL imports in the EA's settings, and see that mt-gateway runs on "+host);
     }
   int               Open(const string host,const int port,const int timeout_ms)
     {
      uchar data[];
      if(!m_started)
        {
         ArrayResize(data,512);
         if(WSAStartup(WINSOCK_VERSION,data)!=0)
            return(NET_NONE);
         m_started=true;
        }
      uint s=socket(WINSOCK_INET,WINSOCK_STREAM,WINSOCK_TCP);
      if(s==0xFFFFFFFF)
         return(NET_NONE);
      SWinsockAddress address;
      address.family=WINSOCK_INET;
      address.port=htons((ushort)port);
      address.zero1=0;
      address.zero2=0;
      StringToCharArray(host,data);
      address.address=inet_addr(data);
      int  one=1;
      uint nonblocking=1;
      //--- Windows asks again for two seconds where nobody listens, and for twenty where there is
      //--- no such machine: trailing stops cannot wait for that
      ioctlsocket(s,(int)WINSOCK_NONBLOCKING,nonblocking);
      if(connect(s,address,16)!=0
         && (WSAGetLastError()!=WINSOCK_WOULD_BLOCK || !IsAnswered((int)s,timeout_ms)))
        {
         closesocket(s);
         return(NET_NONE);
        }
      setsockopt(s,WINSOCK_TCP,WINSOCK_NODELAY,one,4);
      return((int)s);
     }
   void              Close(const int handle) { closesocket((uint)handle); }
   //--- how many bytes; 0: none came in time; NET_LOST
   int               Read(const int handle,uchar &data[],const int limit,const int wait_ms)
     {
      if(ArraySize(data)<limit)
         ArrayResize(data,limit);
      int count=recv((uint)handle,data,limit,0);
      if(count<0 && WSAGetLastError()==WINSOCK_WOULD_BLOCK && wait_ms>0 && Wait(handle,wait_ms))
         count=recv((uint)handle,data,limit,0);
      if(count>0)
         return(count);
      if(count<0 && WSAGetLastError()==WINSOCK_WOULD_BLOCK)
         return(0);
      return(NET_LOST);
     }
   //--- how many bytes were taken; 0: none now; NET_LOST
   int               Write(const int handle,uchar &data[],const int count)
     {
      int taken=send((uint)handle,data,count,0);
      if(taken<0 && WSAGetLastError()==WINSOCK_WOULD_BLOCK)
         return(0);
      return(taken<0 ? NET_LOST : taken);
     }

private:
   bool              Wait(const int handle,const int wait_ms)
     {
      SWinsockSet  readable;
      SWinsockTime limit;
      Fill(readable,handle);
      Limit(limit,wait_ms);
      return(select(0,readable,0,0,limit)>0);
     }
  };
#else
#define NET_IO_ERROR     5273
#define NET_NOT_ALLOWED  4014
#define NET_CALL_LIMIT   1000
//--- so many links in a row that a wait for nothing has ended: one must not wait
#define NET_MAX_ENDED    3

class CNet
  {
private:
   int               m_error;
   int               m_ended;
   bool              m_must_poll;

   //--- whether the link has ended while one waited for its next byte. Who sends nothing must not
   //--- end it; a terminal where that is so is not waited in any more, until its next link has
   //--- ended.
   bool              HasEnded(const int handle)
     {
      if(SocketIsConnected(handle))
        {
         m_ended=0;
         return(false);
        }
      m_ended++;
      m_must_poll=(m_ended>=NET_MAX_ENDED);
      return(true);
     }

public:
                     CNet(void) { m_error=0; m_ended=0; m_must_poll=false; }
   //--- why the last Open failed, as far as a person can help it
   string            Hint(const string host) const
     {
      return("put "+host+" on the list under Tools > Options > Expert Advisors > Allow WebRequest,"
             +" and see that mt-gateway runs there (error "+IntegerToString(m_error)+")");
     }
   int               Open(const string host,const int port,const int timeout_ms)
     {
      m_error=0;
      ResetLastError();
      int handle=SocketCreate();
      if(handle==INVALID_HANDLE)
        {
         m_error=GetLastError();
         return(NET_NONE);
        }
      if(!SocketConnect(handle,host,(uint)port,(uint)timeout_ms))
        {
         m_error=GetLastError();
         SocketClose(handle);
         return(NET_NONE);
        }
      //--- without this a call may wait for ever
      SocketTimeouts(handle,NET_CALL_LIMIT,NET_CALL_LIMIT);
      return(handle);
     }
   void              Close(const int handle) { SocketClose(handle); }
   //--- how many bytes; 0: none came in time; NET_LOST
   int               Read(const int handle,uchar &data[],const int limit,const int wait_ms)
     {
      uint available=SocketIsReadable(handle);
      if(available==0 && (wait_ms<=0 || m_must_poll))
         return(Poll(handle,wait_ms));
      //--- whether SocketRead returns early with less than was asked for is documented nowhere; a
      //--- time-out of 0 would mean two minutes
      uint  wanted=MathMax(MathMin(available,(uint)limit),(uint)1);
      ulong began=GetMicrosecondCount();
      ResetLastError();
      int   count=SocketRead(handle,data,wanted,(uint)MathMax(wait_ms,1));
      if(count>0)
         return(count);
      //--- a time-out and an error both return -1, and under Wine both have the same code: it tells
      //--- of an error only where something was there to be read. 1 may be told of nothing.
      if((available>1 && GetLastError()==NET_IO_ERROR) || HasEnded(handle))
         return(NET_LOST);
      //--- where it does not wait, and where nobody is there any more, the loop would take a core
      if(wait_ms>0 && GetMicrosecondCount()-began<(ulong)wait_ms*500)
         Sleep(wait_ms);
      return(0);
     }
   //--- how many bytes were taken; 0: none now; NET_LOST
   int               Write(const int handle,uchar &data[],const int count)
     {
      if(!SocketIsWritable(handle))
         return(SocketIsConnected(handle) ? 0 : NET_LOST);
      int taken=SocketSend(handle,data,(uint)count);
      return(taken<=0 ? NET_LOST : taken);
     }

private:
   //--- what Read does where nothing is there, without SocketRead
   int               Poll(const int handle,const int wait_ms)
     {
      if(!SocketIsConnected(handle))
        {
         //--- the next link tries again to wait, and one that ends tells enough
         if(m_must_poll)
            m_ended=NET_MAX_ENDED-1;
         m_must_poll=false;
         return(NET_LOST);
        }
      if(wait_ms>0)
         Sleep(wait_ms);
      return(0);
     }
  };
#endif
#endif
//+------------------------------------------------------------------+
