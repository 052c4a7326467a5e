//+------------------------------------------------------------------+
//| Chance.mqh - random names, and the seed of MathRand               |
//|                                                                   |
//| GetMicrosecondCount counts from the program's start: alone it is  |
//| much the same on each machine. So is a time in seconds where many |
//| terminals start at once, as after a power cut.                    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_CHANCE_MQH
#define TERMINAL_GATEWAY_CHANCE_MQH

#include <TerminalGateway\Hmac.mqh>

class CChance
  {
private:
   CHmac             m_hmac;

   //--- what differs between machines, terminals, accounts, charts and moments
   bool              Hash(uchar &out[])
     {
      uchar data[];
      m_hmac.Bytes(TerminalInfoString(TERMINAL_DATA_PATH)
                   +"|"+IntegerToString(AccountInfoInteger(ACCOUNT_LOGIN))
                   +"|"+AccountInfoString(ACCOUNT_SERVER)
                   +"|"+IntegerToString(ChartID())
                   +"|"+IntegerToString((long)GetTickCount())
                   +"|"+IntegerToString((long)GetMicrosecondCount())
                   +"|"+IntegerToString((long)TimeLocal())
                   +"|"+IntegerToString(MathRand())+"|"+IntegerToString(MathRand()),data);
      return(m_hmac.Sha256(data,out));
     }

public:
   void              Seed(void)
     {
      uchar hash[];
      int   seed=(int)(GetTickCount()&0x7FFFFFFF);
      if(Hash(hash))
         for(int i=0; i<4; i++)
            seed=(seed<<8)^(int)hash[i];
      MathSrand(seed);
     }
   //--- of hexadecimal digits; empty where the terminal has no SHA-256
   string            Name(const int digits)
     {
      uchar hash[];
      return(Hash(hash) ? StringSubstr(m_hmac.ToHex(hash),0,digits) : "");
     }
  };
#endif
//+------------------------------------------------------------------+
