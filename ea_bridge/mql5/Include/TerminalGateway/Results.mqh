//+------------------------------------------------------------------+
//| Results.mqh - the commands that trade, so that none is executed   |
//| twice                                                             |
//|                                                                   |
//| A command is noted as taken before it is executed, and as done    |
//| with its answer after. The last 256 are kept, in memory and in a  |
//| file that outlives the terminal. A note a line, the newest of an  |
//| id counts:                                                        |
//|   {"from":731}                       of smaller ids nothing is    |
//|                                      known but what follows       |
//|   {"id":731}                         taken                        |
//|   {"id":731,"res":{"t":"res",...}}   done                         |
//| A last line without an end was being written when the terminal    |
//| died. Any other that cannot be read means that all is lost.       |
//|                                                                   |
//| A power cut may take the last notes with it. So a terminal that   |
//| was started since says of no earlier command that it never took   |
//| it: the table begins anew at the next question. Whether it was    |
//| started since, a global variable tells that no disk keeps. The    |
//| capability sure_absent says so: daemons doubt it of other EAs.    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_RESULTS_MQH
#define TERMINAL_GATEWAY_RESULTS_MQH

#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\FlatJson.mqh>
#include <TerminalGateway\Notes.mqh>

//--- of the file, before it is written anew with what still counts
#define RESULTS_MAX_LINES (8*WIRE_MAX_RESULTS)
#define RESULTS_UNKNOWN   -1

class CResults
  {
private:
   CNotes            m_notes;
   //--- its value is the id of the last command that was taken
   string            m_mark;
   CFlatJson         m_json;
   CByteBuffer       m_line;
   //--- a ring, the oldest at m_first
   long              m_ids[WIRE_MAX_RESULTS];
   string            m_answers[WIRE_MAX_RESULTS];
   int               m_first;
   int               m_count;
   long              m_horizon;
   int               m_lines;
   //--- the file may end with a part of a line, to which none may be added
   bool              m_is_torn;

   int               Slot(const int at) const { return((m_first+at)%WIRE_MAX_RESULTS); }
   int               Find(const long id) const
     {
      for(int at=m_count-1; at>=0; at--)
         if(m_ids[Slot(at)]==id)
            return(Slot(at));
      return(-1);
     }
   //--- the file has all that was noted
   bool              IsMarked(void) const
     {
      return(GlobalVariableCheck(m_mark) && GlobalVariableGet(m_mark)==(double)Newest());
     }
   void              Mark(void)
     {
      //--- one that is not kept on the disk, as it would outlive a power cut
      if(!GlobalVariableCheck(m_mark))
         GlobalVariableTemp(m_mark);
      GlobalVariableSet(m_mark,(double)Newest());
     }
   long              Newest(void) const { return(m_count>0 ? m_ids[Slot(m_count-1)] : 0); }
   void              Forget(void)
     {
      m_first=0;
      m_count=0;
      m_horizon=RESULTS_UNKNOWN;
      m_lines=0;
      m_is_torn=false;
     }
   void              Keep(const long id,const string answer)
     {
      int slot=Find(id);
      if(slot>=0)
        {
         m_answers[slot]=answer;
         return;
        }
      if(m_count==WIRE_MAX_RESULTS)
        {
         //--- one that is unknown stays so: what is missing may be older than what is forgotten
         if(m_horizon!=RESULTS_UNKNOWN)
            m_horizon=MathMax(m_horizon,m_ids[m_first]+1);
         m_first=(m_first+1)%WIRE_MAX_RESULTS;
         m_count--;
        }
      slot=Slot(m_count);
      m_ids[slot]=id;
      m_answers[slot]=answer;
      m_count++;
     }
   void              WriteNote(CByteBuffer &out,const long id,const string answer) const
     {
      out.PutText("{\"id\":");
      out.PutLong(id);
      if(answer!="")
        {
         out.PutText(",\"res\":");
         out.PutText(answer);
        }
      out.PutText("}\n");
     }
   void              WriteHorizon(CByteBuffer &out) const
     {
      out.PutText("{\"from\":");
      out.PutLong(m_horizon);
      out.PutText("}\n");
     }
   bool              Append(void)
     {
      if(m_is_torn)
         WriteAnew();
      if(m_is_torn)
         return(false);
      m_is_torn=!m_notes.Append(m_line);
      m_lines++;
      return(!m_is_torn);
     }
   void              WriteAnew(void)
     {
      CByteBuffer whole;
      int         lines=m_count;
      if(m_horizon!=RESULTS_UNKNOWN)
        {
         WriteHorizon(whole);
         lines++;
        }
      for(int at=0; at<m_count; at++)
         WriteNote(whole,m_ids[Slot(at)],m_answers[Slot(at)]);
      if(m_notes.Replace(whole))
        {
         m_lines=lines;
         m_is_torn=false;
         m_notes.Hold();
        }
      else
         Print("the file ",m_notes.Name()," is not written anew, so it grows");
     }
   //--- one line of the file; false where it is none of ours
   bool              ReadNote(const CByteBuffer &content,const int start,const int end)
     {
      string line=content.Text(start,end-start);
      int    res=StringFind(line,",\"res\":{\"t\":\"res\",");
      if(res<0)
        {
         if(!m_json.Parse(content,start,end))
            return(false);
         if(m_json.IsNumber("from"))
            m_horizon=m_json.GetLong("from",RESULTS_UNKNOWN);
         else if(m_json.IsNumber("id"))
            Keep(m_json.GetLong("id",0),"");
         else
            return(false);
         return(true);
        }
      string id=StringSubstr(line,6,res-6);
      int    length=StringLen(line);
      if(StringSubstr(line,0,6)!="{\"id\":" || IntegerToString(StringToInteger(id))!=id
         || StringSubstr(line,length-2)!="}}")
         return(false);
      Keep(StringToInteger(id),StringSubstr(line,res+7,length-res-8));
      return(true);
     }
   bool              ReadAll(const CByteBuffer &content,int &rest)
     {
      rest=0;
      while(rest<content.Length())
        {
         int end=content.Find('\n',rest);
         if(end<0)
            return(true);
         if(!ReadNote(content,rest,end))
            return(false);
         m_lines++;
         rest=end+1;
        }
      return(true);
     }
   //--- a part of an answer: that behind a key, up to the end of the object
   string            Behind(const string answer,const string key) const
     {
      int at=StringFind(answer,key);
      if(at<0)
         return("");
      int start=at+StringLen(key);
      return(StringSubstr(answer,start,StringLen(answer)-start-1));
     }

public:
                     CResults(void) { Forget(); }
   //--- false where there is a file that cannot be read, or that somebody else writes: then nothing
   //--- may be executed
   bool              Setup(const string terminal)
     {
      CByteBuffer content;
      int         rest=0;
      m_notes.Setup(terminal+"-results.jsonl");
      m_mark="TerminalGateway."+terminal+".results";
      Forget();
      if((!m_notes.Hold() && m_notes.IsThere()) || !m_notes.Read(content))
         return(false);
      if(!ReadAll(content,rest))
        {
         Print("the file ",m_notes.Name()," is damaged, so its results are forgotten");
         Forget();
         m_notes.Delete();
         Mark();
         return(true);
        }
      m_is_torn=(rest<content.Length());
      if(!IsMarked() && m_horizon!=RESULTS_UNKNOWN)
        {
         //--- out of the file, too: an EA that begins anew in this terminal would believe it again
         m_horizon=RESULTS_UNKNOWN;
         m_is_torn=true;
        }
      if(m_is_torn)
         WriteAnew();
      if(!m_is_torn)
         Mark();
      return(true);
     }
   string            File(void) const            { return(m_notes.Name()); }
   void              Close(void)                 { m_notes.Close(); }
   bool              Has(const long id) const    { return(Find(id)>=0); }
   //--- the whole res, without the end of its line; empty where the command was taken and its
   //--- result is not known
   string            Answer(const long id) const
     {
      int slot=Find(id);
      return(slot<0 ? "" : m_answers[slot]);
     }
   //--- the id of a question: a table without a horizon begins there. A question gets its id when
   //--- it is written, so whatever was executed before and is forgotten has a smaller one.
   void              Asked(const long id)
     {
      if(m_horizon!=RESULTS_UNKNOWN)
         return;
      m_horizon=id;
      m_line.Clear();
      WriteHorizon(m_line);
      if(!Append())
         Print("the file ",m_notes.Name()," is not written");
     }
   //--- false where it could not be noted, so that it must not be executed
   bool              Take(const long id)
     {
      m_line.Clear();
      WriteNote(m_line,id,"");
      if(!Append())
         return(false);
      Keep(id,"");
      Mark();
      if(m_lines>RESULTS_MAX_LINES)
         WriteAnew();
      return(true);
     }
   void              Finish(const long id,const string answer)
     {
      Keep(id,answer);
      m_line.Clear();
      WriteNote(m_line,id,answer);
      if(!Append())
         Print("the result of command ",id," is not written");
     }
   //--- a StoredResult
   void              WriteKnown(CByteBuffer &out,const long id)
     {
      int slot=Find(id);
      out.Comma();
      out.PutByte('{');
      out.MemberLong("id",id);
      if(slot<0)
         out.MemberText("state",m_horizon!=RESULTS_UNKNOWN && id>=m_horizon ? "absent"
                        : "forgotten");
      else if(m_answers[slot]=="")
         out.MemberText("state","taken");
      else
         WriteDone(out,m_answers[slot]);
      out.PutByte('}');
     }

private:
   void              WriteDone(CByteBuffer &out,const string answer)
     {
      out.MemberText("state","done");
      string result=Behind(answer,",\"ok\":true,\"d\":");
      if(result!="")
        {
         out.Key("result");
         out.PutText(result);
         return;
        }
      m_line.Clear();
      m_line.PutText(answer);
      if(!m_json.Parse(m_line,0,m_line.Length()))
         return;
      out.MemberLong("err",m_json.GetLong("err",0));
      out.MemberLong("retcode",m_json.GetLong("retcode",0));
     }
  };
#endif
//+------------------------------------------------------------------+
