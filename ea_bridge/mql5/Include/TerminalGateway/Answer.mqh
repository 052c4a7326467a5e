//+------------------------------------------------------------------+
//| Answer.mqh - writes what a command's caller gets                  |
//|                                                                   |
//| A long list goes into several parts, each of them a list in a     |
//| line of its own.                                                  |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_ANSWER_MQH
#define TERMINAL_GATEWAY_ANSWER_MQH

#include <TerminalGateway\ByteBuffer.mqh>

//--- a quarter of the longest line, so that one more record always fits
#define ANSWER_PART_BYTES 262144

class CAnswer
  {
private:
   long              m_id;
   int               m_part;
   int               m_began;
   bool              m_is_history;

   void              Open(CByteBuffer &out)
     {
      m_began=out.Length();
      out.PutText("{\"t\":\"res\",\"id\":");
      out.PutLong(m_id);
      out.PutText(",\"ok\":true,\"d\":");
     }
   void              OpenList(CByteBuffer &out)
     {
      Open(out);
      out.PutText(m_is_history ? "{\"rows\":[" : "[");
     }
   void              Close(CByteBuffer &out,const bool is_last,const string missing)
     {
      out.PutByte(']');
      if(m_is_history)
        {
         if(missing!="")
            out.MemberText("missing",missing);
         out.PutByte('}');
        }
      if(m_part>0)
         out.MemberLong("part",m_part);
      if(!is_last)
         out.MemberBool("last",false);
      out.PutText("}\n");
     }

public:
                     CAnswer(void)
     {
      m_id=0;
      m_part=0;
      m_began=0;
      m_is_history=false;
     }
   //--- one value follows, then EndValue
   void              BeginValue(CByteBuffer &out,const long id)
     {
      m_id=id;
      Open(out);
     }
   void              EndValue(CByteBuffer &out) const { out.PutText("}\n"); }
   //--- records follow, with Next before each, then EndList
   void              BeginList(CByteBuffer &out,const long id)
     {
      m_id=id;
      m_part=0;
      m_is_history=false;
      OpenList(out);
     }
   //--- the same of a model.History, and EndHistory
   void              BeginHistory(CByteBuffer &out,const long id)
     {
      m_id=id;
      m_part=0;
      m_is_history=true;
      OpenList(out);
     }
   void              Next(CByteBuffer &out)
     {
      if(out.Length()-m_began<ANSWER_PART_BYTES)
         return;
      Close(out,false,"");
      m_part++;
      OpenList(out);
     }
   void              EndList(CByteBuffer &out) { Close(out,true,""); }
   //--- missing is a model.Missing
   void              EndHistory(CByteBuffer &out,const string missing) { Close(out,true,missing); }
   void              Fail(CByteBuffer &out,const long id,const int err,const string why) const
     {
      out.PutText("{\"t\":\"res\"");
      out.MemberLong("id",id);
      out.MemberBool("ok",false);
      out.MemberLong("err",err);
      out.MemberText("msg",why);
      out.PutText("}\n");
     }
  };
#endif
//+------------------------------------------------------------------+
