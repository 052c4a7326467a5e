//+------------------------------------------------------------------+
//| ByteBuffer.mqh - a growing queue of bytes that writes JSON        |
//|                                                                   |
//| Strings cost MQL an allocation each; a tick written this way is   |
//| ten times cheaper than one that was put together from strings.    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_BYTE_BUFFER_MQH
#define TERMINAL_GATEWAY_BYTE_BUFFER_MQH

#define BUFFER_GROWTH       4096
#define BUFFER_EXACT_UP_TO  9.0e15
#define BUFFER_MAX_DIGITS   8

class CByteBuffer
  {
private:
   uchar             m_data[];
   int               m_from;
   int               m_length;
   uchar             m_text[];
   uchar             m_number[24];

   //--- room for more bytes at the end; what was consumed at the front is reclaimed only where the
   //--- two ranges do not overlap, since ArrayCopy within one array promises nothing otherwise
   bool              Reserve(const int extra)
     {
      int need=m_from+m_length+extra;
      if(ArraySize(m_data)>=need)
         return(true);
      if(m_from>0 && m_from>=m_length)
        {
         if(m_length>0)
            ArrayCopy(m_data,m_data,0,m_from,m_length);
         m_from=0;
         need=m_length+extra;
         if(ArraySize(m_data)>=need)
            return(true);
        }
      return(ArrayResize(m_data,need,need+BUFFER_GROWTH)>=need);
     }
   void              PutDigits(const ulong value)
     {
      ulong rest=value;
      int   count=0;
      do
        {
         m_number[count]=(uchar)('0'+(int)(rest%10));
         rest/=10;
         count++;
        }
      while(rest>0);
      if(!Reserve(count))
         return;
      while(count>0)
        {
         count--;
         m_data[m_from+m_length]=m_number[count];
         m_length++;
        }
     }
   void              PutEscaped(const uchar c)
     {
      switch(c)
        {
         case '"':
         case '\\':
            PutByte('\\');
            PutByte(c);
            break;
         case '\n':
            PutText("\\n");
            break;
         case '\r':
            PutText("\\r");
            break;
         case '\t':
            PutText("\\t");
            break;
         default:
            PutByte(c<32 ? (uchar)' ' : c);
        }
     }

public:
                     CByteBuffer(void) { m_from=0; m_length=0; }
   int               Length(void) const { return(m_length); }
   void              Clear(void) { m_from=0; m_length=0; }
   uchar             At(const int at) const { return(m_data[m_from+at]); }

   bool              Append(const uchar &source[],const int count)
     {
      if(count<=0)
         return(true);
      if(!Reserve(count))
         return(false);
      ArrayCopy(m_data,source,m_from+m_length,0,count);
      m_length+=count;
      return(true);
     }
   //--- the first bytes, at most so many; returns how many
   int               Peek(uchar &target[],const int limit) const
     {
      int count=MathMin(m_length,limit);
      if(count>0)
         ArrayCopy(target,m_data,0,m_from,count);
      return(count);
     }
   //--- drop bytes at the front
   void              Consume(const int count)
     {
      if(count>=m_length)
        {
         Clear();
         return;
        }
      m_from+=count;
      m_length-=count;
     }
   //--- give back the memory of a long answer
   void              Shrink(const int limit)
     {
      if(m_length==0 && ArraySize(m_data)>limit)
        {
         m_from=0;
         ArrayFree(m_data);
        }
     }
   int               Find(const uchar wanted,const int start) const
     {
      for(int at=start; at<m_length; at++)
         if(m_data[m_from+at]==wanted)
            return(at);
      return(-1);
     }
   string            Text(const int start,const int count) const
     {
      if(count<=0)
         return("");
      return(CharArrayToString(m_data,m_from+start,count,CP_UTF8));
     }
   string            All(void) const { return(Text(0,m_length)); }

   //--- values
   void              PutByte(const uchar value)
     {
      if(!Reserve(1))
         return;
      m_data[m_from+m_length]=value;
      m_length++;
     }
   //--- as it is, in UTF-8
   void              PutText(const string text)
     {
      int count=StringToCharArray(text,m_text,0,WHOLE_ARRAY,CP_UTF8)-1;
      if(count>0)
         Append(m_text,count);
     }
   //--- what another buffer holds
   void              PutBuffer(const CByteBuffer &other)
     {
      int count=other.Length();
      if(ArraySize(m_text)<count)
         ArrayResize(m_text,count);
      other.Peek(m_text,count);
      Append(m_text,count);
     }
   //--- quoted and escaped
   void              PutString(const string text)
     {
      int count=StringToCharArray(text,m_text,0,WHOLE_ARRAY,CP_UTF8)-1;
      PutByte('"');
      for(int at=0; at<count; at++)
        {
         uchar c=m_text[at];
         if(c>=32 && c!='"' && c!='\\')
            PutByte(c);
         else
           {
            PutEscaped(c);
            //--- writing an escape has used the scratch array: fill it again
            StringToCharArray(text,m_text,0,WHOLE_ARRAY,CP_UTF8);
           }
        }
      PutByte('"');
     }
   void              PutBool(const bool value) { PutText(value ? "true" : "false"); }
   void              PutLong(const long value)
     {
      if(value<0)
        {
         PutByte('-');
         //--- in two steps, since the least long has no positive twin
         PutDigits((ulong)(-(value+1))+1);
        }
      else
         PutDigits((ulong)value);
     }
   //--- with so many digits after the point, without a detour through strings
   void              PutFixed(const double value,const int digits)
     {
      long scale=1;
      for(int i=0; i<digits && i<BUFFER_MAX_DIGITS; i++)
         scale*=10;
      if(!MathIsValidNumber(value) || digits<0 || digits>BUFFER_MAX_DIGITS
         || MathAbs(value)*(double)scale>=BUFFER_EXACT_UP_TO)
        {
         PutText(MathIsValidNumber(value) ? DoubleToString(value,MathMax(digits,0)) : "0");
         return;
        }
      long scaled=(long)MathRound(value*(double)scale);
      if(scaled<0)
        {
         PutByte('-');
         scaled=-scaled;
        }
      PutDigits((ulong)(scaled/scale));
      if(digits==0)
         return;
      PutByte('.');
      long fraction=scaled%scale;
      for(long unit=scale/10; unit>0; unit/=10)
         PutByte((uchar)('0'+(int)((fraction/unit)%10)));
     }
   //--- with up to 15 significant digits: as many as survive the way through text and back
   void              PutDouble(const double value)
     {
      if(!MathIsValidNumber(value))
         PutByte('0');
      else if(MathAbs(value)<BUFFER_EXACT_UP_TO && MathFloor(value)==value)
         PutLong((long)value);
      else
         PutText(StringFormat("%.15g",value));
     }

   //--- members of an object: the comma where it is needed, the key, the value
   void              Key(const string name)
     {
      Comma();
      PutByte('"');
      PutText(name);
      PutByte('"');
      PutByte(':');
     }
   //--- between two members, or two items
   void              Comma(void)
     {
      if(m_length==0)
         return;
      uchar last=m_data[m_from+m_length-1];
      if(last!='{' && last!='[' && last!=':' && last!='\n')
         PutByte(',');
     }
   void              MemberText(const string name,const string value) { Key(name); PutString(value); }
   void              MemberLong(const string name,const long value)   { Key(name); PutLong(value); }
   void              MemberBool(const string name,const bool value)   { Key(name); PutBool(value); }
   void              MemberDouble(const string name,const double value) { Key(name); PutDouble(value); }
  };
#endif
//+------------------------------------------------------------------+
