//+------------------------------------------------------------------+
//| Token.mqh - the secret of this terminal, and what derives from it |
//|                                                                   |
//| mgt_, 12 letters or digits of public id, 32 of secret, 6 of       |
//| CRC-32. The token itself never crosses the wire.                  |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_TOKEN_MQH
#define TERMINAL_GATEWAY_TOKEN_MQH

#include <TerminalGateway\Hmac.mqh>

#define TOKEN_LENGTH    54
#define TOKEN_BODY      48
#define TOKEN_ID_AT     4
#define TOKEN_ID_LENGTH 12

class CToken
  {
private:
   CHmac             m_hmac;
   string            m_id;
   uchar             m_client_key[];
   uchar             m_stored_key[];
   uchar             m_server_key[];

   bool              IsAlphanumeric(const ushort c) const
     {
      return((c>='0' && c<='9') || (c>='A' && c<='Z') || (c>='a' && c<='z'));
     }
   uint              Crc32(const uchar &data[]) const
     {
      uint crc=0xFFFFFFFF;
      for(int i=0; i<ArraySize(data); i++)
        {
         crc^=(uint)data[i];
         for(int bit=0; bit<8; bit++)
            crc=(crc&1)!=0 ? (crc>>1)^0xEDB88320 : crc>>1;
        }
      return(crc^0xFFFFFFFF);
     }
   string            Checksum(const string body) const
     {
      string alphabet="0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
      string text="";
      uchar  data[];
      m_hmac.Bytes(body,data);
      uint   rest=Crc32(data);
      for(int i=0; i<TOKEN_LENGTH-TOKEN_BODY; i++)
        {
         text=StringSubstr(alphabet,(int)(rest%62),1)+text;
         rest/=62;
        }
      return(text);
     }
   bool              IsWellFormed(const string text) const
     {
      if(StringLen(text)!=TOKEN_LENGTH || StringSubstr(text,0,TOKEN_ID_AT)!="mgt_")
         return(false);
      for(int i=TOKEN_ID_AT; i<TOKEN_LENGTH; i++)
         if(!IsAlphanumeric(StringGetCharacter(text,i)))
            return(false);
      return(Checksum(StringSubstr(text,0,TOKEN_BODY))==StringSubstr(text,TOKEN_BODY));
     }
   bool              Derive(const uchar &root[],const string label,uchar &out[])
     {
      uchar message[];
      m_hmac.Bytes(label,message);
      return(m_hmac.Mac(root,message,out));
     }
   //--- AM = "mgb1" | tid | cnonce | snonce | device, after a word for the side that proves itself
   void              Message(const string side,const uchar &cnonce[],const uchar &snonce[],
                             const string device,uchar &out[]) const
     {
      uchar part[];
      m_hmac.Bytes(side+"|mgb1|"+m_id+"|",out);
      m_hmac.Join(out,cnonce);
      m_hmac.Bytes("|",part);
      m_hmac.Join(out,part);
      m_hmac.Join(out,snonce);
      m_hmac.Bytes("|"+device,part);
      m_hmac.Join(out,part);
     }

public:
                     CToken(void) { m_id=""; }
   //--- the public part
   string            Id(void) const { return(m_id); }

   //--- false where the text is no token: it was mistyped, or is something else
   bool              Load(const string text)
     {
      m_id="";
      if(!IsWellFormed(text))
         return(false);
      uchar key[],label[],root[];
      m_hmac.Bytes(text,key);
      m_hmac.Bytes("mgt-bridge-v1",label);
      if(!m_hmac.Mac(key,label,root) || !Derive(root,"Client Key",m_client_key)
         || !Derive(root,"Server Key",m_server_key)
         || !m_hmac.Sha256(m_client_key,m_stored_key))
         return(false);
      m_id=StringSubstr(text,TOKEN_ID_AT,TOKEN_ID_LENGTH);
      return(true);
     }
   //--- whether the daemon knows the token too
   bool              IsServerProof(const uchar &cnonce[],const uchar &snonce[],const string device,
                                   const uchar &proof[])
     {
      uchar message[],expected[];
      Message("srv",cnonce,snonce,device,message);
      return(m_hmac.Mac(m_server_key,message,expected) && m_hmac.IsSame(expected,proof));
     }
   //--- ClientKey xor HMAC(StoredKey, ...): shows that we hold the token without telling it
   bool              ClientProof(const uchar &cnonce[],const uchar &snonce[],const string device,
                                 uchar &out[])
     {
      uchar message[];
      Message("cli",cnonce,snonce,device,message);
      if(!m_hmac.Mac(m_stored_key,message,out))
         return(false);
      for(int i=0; i<HASH_SIZE; i++)
         out[i]=(uchar)(out[i]^m_client_key[i]);
      return(true);
     }
   //--- 32 bytes that nobody else can foretell, and that never come again
   bool              Nonce(const string salt,uchar &out[])
     {
      uchar message[];
      string text=salt+"|"+IntegerToString((long)GetMicrosecondCount())+"|"
                  +IntegerToString((long)TimeLocal());
      for(int i=0; i<8; i++)
         text+="|"+IntegerToString(MathRand());
      m_hmac.Bytes(text,message);
      return(m_hmac.Mac(m_client_key,message,out));
     }
  };
#endif
//+------------------------------------------------------------------+
