//+------------------------------------------------------------------+
//| FlatJson.mqh - parses objects of one level straight from bytes    |
//|                                                                   |
//| The daemon sends nothing else: ASCII, scalars, 16 KiB at most.    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_FLAT_JSON_MQH
#define TERMINAL_GATEWAY_FLAT_JSON_MQH

#include <TerminalGateway\ByteBuffer.mqh>

#define JSON_MAX_FIELDS 64

enum ENUM_JSON_KIND
  {
   JSON_STRING,
   JSON_NUMBER,
   JSON_BOOL,
   JSON_NULL
  };

struct SJsonField
  {
   string            key;
   string            text;
   ENUM_JSON_KIND    kind;
  };

class CFlatJson
  {
private:
   SJsonField        m_fields[JSON_MAX_FIELDS];
   int               m_count;
   int               m_at;
   int               m_end;
   string            m_error;

   bool              Fail(const string why)
     {
      m_error=why+" at "+IntegerToString(m_at);
      return(false);
     }
   void              SkipSpace(const CByteBuffer &buffer)
     {
      while(m_at<m_end)
        {
         uchar c=buffer.At(m_at);
         if(c!=' ' && c!='\t' && c!='\r')
            return;
         m_at++;
        }
     }
   int               Hex(const uchar c) const
     {
      if(c>='0' && c<='9')
         return((int)c-(int)'0');
      if(c>='a' && c<='f')
         return((int)c-(int)'a'+10);
      if(c>='A' && c<='F')
         return((int)c-(int)'A'+10);
      return(-1);
     }
   bool              Expect(const CByteBuffer &buffer,const uchar wanted,const string what)
     {
      SkipSpace(buffer);
      if(m_at>=m_end || buffer.At(m_at)!=wanted)
         return(Fail(what+" expected"));
      m_at++;
      return(true);
     }
   //--- m_at is behind the opening quote, and behind the closing one afterwards
   bool              ReadString(const CByteBuffer &buffer,string &out)
     {
      int start=m_at;
      while(m_at<m_end && buffer.At(m_at)!='"' && buffer.At(m_at)!='\\')
         m_at++;
      out=buffer.Text(start,m_at-start);
      while(m_at<m_end && buffer.At(m_at)!='"')
        {
         if(buffer.At(m_at)=='\\')
           {
            if(!ReadEscape(buffer,out))
               return(false);
           }
         else
           {
            out+=ShortToString((ushort)buffer.At(m_at));
            m_at++;
           }
        }
      if(m_at>=m_end)
         return(Fail("the string has no end"));
      m_at++;
      return(true);
     }
   bool              ReadEscape(const CByteBuffer &buffer,string &out)
     {
      m_at++;
      if(m_at>=m_end)
         return(Fail("the escape has no end"));
      uchar c=buffer.At(m_at);
      m_at++;
      switch(c)
        {
         case 'n':
            out+="\n";
            return(true);
         case 't':
            out+="\t";
            return(true);
         case 'r':
            out+="\r";
            return(true);
         case 'b':
            out+=ShortToString(8);
            return(true);
         case 'f':
            out+=ShortToString(12);
            return(true);
         case 'u':
            return(ReadUnit(buffer,out));
        }
      if(c!='"' && c!='\\' && c!='/')
         return(Fail("unknown escape"));
      out+=ShortToString((ushort)c);
      return(true);
     }
   //--- four hexadecimal digits: one unit of UTF-16, which is what an MQL string is made of
   bool              ReadUnit(const CByteBuffer &buffer,string &out)
     {
      if(m_at+4>m_end)
         return(Fail("the escape has no end"));
      int code=0;
      for(int i=0; i<4; i++)
        {
         int digit=Hex(buffer.At(m_at));
         if(digit<0)
            return(Fail("bad digit in an escape"));
         code=code*16+digit;
         m_at++;
        }
      if(code==0)
         return(Fail("a zero in a string"));
      out+=ShortToString((ushort)code);
      return(true);
     }
   bool              ReadValue(const CByteBuffer &buffer)
     {
      SkipSpace(buffer);
      if(m_at>=m_end)
         return(Fail("value expected"));
      uchar first=buffer.At(m_at);
      if(first=='"')
        {
         m_at++;
         m_fields[m_count].kind=JSON_STRING;
         return(ReadString(buffer,m_fields[m_count].text));
        }
      int start=m_at;
      while(m_at<m_end)
        {
         uchar c=buffer.At(m_at);
         if(c==',' || c=='}' || c==' ' || c=='\t' || c=='\r')
            break;
         if(c=='{' || c=='[' || c=='"')
            return(Fail("nested value"));
         m_at++;
        }
      string text=buffer.Text(start,m_at-start);
      m_fields[m_count].text=text;
      if(text=="true" || text=="false")
         m_fields[m_count].kind=JSON_BOOL;
      else if(text=="null")
         m_fields[m_count].kind=JSON_NULL;
      else if(first=='-' || (first>='0' && first<='9'))
         m_fields[m_count].kind=JSON_NUMBER;
      else
         return(Fail("value expected"));
      return(true);
     }
   int               Index(const string key) const
     {
      for(int i=0; i<m_count; i++)
         if(m_fields[i].key==key)
            return(i);
      return(-1);
     }
   int               Find(const string key,const ENUM_JSON_KIND kind) const
     {
      int at=Index(key);
      return(at>=0 && m_fields[at].kind==kind ? at : -1);
     }

public:
                     CFlatJson(void) { m_count=0; m_at=0; m_end=0; m_error=""; }
   string            Error(void) const { return(m_error); }

   //--- the bytes from start to before end; false where they are no flat object
   bool              Parse(const CByteBuffer &buffer,const int start,const int end)
     {
      m_count=0;
      m_at=start;
      m_end=end;
      m_error="";
      if(!Expect(buffer,'{',"object"))
         return(false);
      SkipSpace(buffer);
      if(m_at<m_end && buffer.At(m_at)=='}')
         return(true);
      while(m_at<m_end)
        {
         if(m_count>=JSON_MAX_FIELDS)
            return(Fail("too many members"));
         if(!Expect(buffer,'"',"key") || !ReadString(buffer,m_fields[m_count].key))
            return(false);
         if(!Expect(buffer,':',"colon") || !ReadValue(buffer))
            return(false);
         m_count++;
         SkipSpace(buffer);
         if(m_at<m_end && buffer.At(m_at)=='}')
            return(true);
         if(!Expect(buffer,',',"comma"))
            return(false);
        }
      return(Fail("the object has no end"));
     }
   //--- a member that is missing, null or of another kind is as good as absent
   bool              Has(const string key) const
     {
      int at=Index(key);
      return(at>=0 && m_fields[at].kind!=JSON_NULL);
     }
   bool              IsText(const string key) const   { return(Find(key,JSON_STRING)>=0); }
   bool              IsNumber(const string key) const { return(Find(key,JSON_NUMBER)>=0); }
   string            GetText(const string key,const string otherwise) const
     {
      int at=Find(key,JSON_STRING);
      return(at<0 ? otherwise : m_fields[at].text);
     }
   long              GetLong(const string key,const long otherwise) const
     {
      int at=Find(key,JSON_NUMBER);
      return(at<0 ? otherwise : StringToInteger(m_fields[at].text));
     }
   double            GetDouble(const string key,const double otherwise) const
     {
      int at=Find(key,JSON_NUMBER);
      return(at<0 ? otherwise : StringToDouble(m_fields[at].text));
     }
   bool              GetBool(const string key,const bool otherwise) const
     {
      int at=Find(key,JSON_BOOL);
      return(at<0 ? otherwise : m_fields[at].text=="true");
     }
  };
#endif
//+------------------------------------------------------------------+
