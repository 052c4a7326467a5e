//+------------------------------------------------------------------+
//| Hmac.mqh - SHA-256, HMAC-SHA-256, hexadecimal digits              |
//|                                                                   |
//| The terminal's CryptEncode knows SHA-256 but no HMAC.             |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_HMAC_MQH
#define TERMINAL_GATEWAY_HMAC_MQH

#define HMAC_BLOCK  64
#define HASH_SIZE   32

class CHmac
  {
private:
   uchar             m_none[];
   uchar             m_block[];
   uchar             m_inner[];

   bool              Pad(const uchar &key[],const uchar pad,const uchar &message[])
     {
      int count=ArraySize(message);
      if(ArrayResize(m_block,HMAC_BLOCK+count)<HMAC_BLOCK+count)
         return(false);
      for(int i=0; i<HMAC_BLOCK; i++)
         m_block[i]=(uchar)(pad^(i<ArraySize(key) ? key[i] : (uchar)0));
      if(count>0)
         ArrayCopy(m_block,message,HMAC_BLOCK,0,count);
      return(true);
     }

public:
   bool              Sha256(const uchar &data[],uchar &out[])
     {
      ArrayResize(m_none,0);
      return(CryptEncode(CRYPT_HASH_SHA256,data,m_none,out)==HASH_SIZE);
     }
   bool              Mac(const uchar &key[],const uchar &message[],uchar &out[])
     {
      uchar shortened[];
      ArrayResize(shortened,0);
      if(ArraySize(key)>HMAC_BLOCK)
        {
         if(!Sha256(key,shortened))
            return(false);
        }
      else
         ArrayCopy(shortened,key);
      return(Pad(shortened,0x36,message) && Sha256(m_block,m_inner)
             && Pad(shortened,0x5C,m_inner) && Sha256(m_block,out));
     }
   //--- takes as long whatever the arrays hold
   bool              IsSame(const uchar &left[],const uchar &right[]) const
     {
      if(ArraySize(left)!=ArraySize(right))
         return(false);
      int difference=0;
      for(int i=0; i<ArraySize(left); i++)
         difference|=(int)left[i]^(int)right[i];
      return(difference==0);
     }
   //--- the bytes of a text, without the zero at its end
   void              Bytes(const string text,uchar &out[]) const
     {
      int count=StringToCharArray(text,out,0,WHOLE_ARRAY,CP_UTF8)-1;
      ArrayResize(out,MathMax(count,0));
     }
   void              Join(uchar &out[],const uchar &more[]) const
     {
      if(ArraySize(more)>0)
         ArrayCopy(out,more,ArraySize(out),0,ArraySize(more));
     }
   string            ToHex(const uchar &data[]) const
     {
      string text="";
      for(int i=0; i<ArraySize(data); i++)
         text+=StringFormat("%02x",(int)data[i]);
      return(text);
     }
   //--- false where the text is anything but hexadecimal digits
   bool              FromHex(const string text,uchar &out[]) const
     {
      int count=StringLen(text)/2;
      ArrayResize(out,count);
      if(StringLen(text)!=count*2)
         return(false);
      for(int i=0; i<count; i++)
        {
         int high=Digit(StringGetCharacter(text,i*2));
         int low=Digit(StringGetCharacter(text,i*2+1));
         if(high<0 || low<0)
            return(false);
         out[i]=(uchar)(high*16+low);
        }
      return(true);
     }

private:
   int               Digit(const ushort c) const
     {
      if(c>='0' && c<='9')
         return((int)c-(int)'0');
      if(c>='a' && c<='f')
         return((int)c-(int)'a'+10);
      if(c>='A' && c<='F')
         return((int)c-(int)'A'+10);
      return(-1);
     }
  };
#endif
//+------------------------------------------------------------------+
