//+------------------------------------------------------------------+
//| Notes.mqh - a small file of lines that outlives the terminal      |
//|                                                                   |
//| Below MQL5\Files (MQL4\Files). Written anew it is complete or     |
//| not there: it is written aside and moved into its place.          |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_NOTES_MQH
#define TERMINAL_GATEWAY_NOTES_MQH

#include <TerminalGateway\ByteBuffer.mqh>

#define NOTES_FOLDER "TerminalGateway"

class CNotes
  {
private:
   string            m_name;
   int               m_handle;
   uchar             m_bytes[];

   bool              Put(const int handle,const CByteBuffer &text)
     {
      int count=text.Length();
      ArrayResize(m_bytes,MathMax(count,1));
      text.Peek(m_bytes,count);
      if(count>0 && FileWriteArray(handle,m_bytes,0,count)!=(uint)count)
         return(false);
      //--- it is written to the disk here, or is not: before that there is but a buffer
      ResetLastError();
      FileFlush(handle);
      return(GetLastError()==0);
     }
   bool              Take(const int handle,CByteBuffer &out)
     {
      int size=(int)FileSize(handle);
      int count=size;
      if(size>0)
        {
         ArrayResize(m_bytes,size);
         count=(int)FileReadArray(handle,m_bytes,0,size);
         out.Append(m_bytes,count);
        }
      return(count==size);
     }

public:
                     CNotes(void) { m_name=""; m_handle=INVALID_HANDLE; }
                    ~CNotes(void) { Close(); }
   void              Setup(const string name)
     {
      Close();
      m_name=NOTES_FOLDER+"\\"+name;
     }
   string            Name(void) const { return(m_name); }

   void              Close(void)
     {
      if(m_handle!=INVALID_HANDLE)
         FileClose(m_handle);
      m_handle=INVALID_HANDLE;
     }
   bool              IsThere(void) const { return(FileIsExist(m_name)); }
   //--- opens the file for Append, and keeps it so that nobody else can write to it, the EA of
   //--- another chart neither; false where somebody else does
   bool              Hold(void)
     {
      if(m_handle==INVALID_HANDLE)
         m_handle=FileOpen(m_name,FILE_READ|FILE_WRITE|FILE_BIN|FILE_SHARE_READ);
      return(m_handle!=INVALID_HANDLE);
     }
   //--- false where the file is there and cannot be read; without a file: nothing
   bool              Read(CByteBuffer &out)
     {
      out.Clear();
      if(m_handle!=INVALID_HANDLE)
         return(FileSeek(m_handle,0,SEEK_SET) && Take(m_handle,out));
      if(!IsThere())
         return(true);
      int handle=FileOpen(m_name,FILE_READ|FILE_BIN|FILE_SHARE_READ|FILE_SHARE_WRITE);
      if(handle==INVALID_HANDLE)
         return(false);
      bool is_read=Take(handle,out);
      FileClose(handle);
      return(is_read);
     }
   //--- adds to the end; false where that is not sure to be in the file
   bool              Append(const CByteBuffer &text)
     {
      if(!Hold())
         return(false);
      if(FileSeek(m_handle,0,SEEK_END) && Put(m_handle,text))
         return(true);
      Close();
      return(false);
     }
   bool              Replace(const CByteBuffer &text)
     {
      string fresh=m_name+".new";
      Close();
      int handle=FileOpen(fresh,FILE_WRITE|FILE_BIN);
      if(handle==INVALID_HANDLE)
         return(false);
      bool is_written=Put(handle,text);
      FileClose(handle);
      return(is_written && FileMove(fresh,0,m_name,FILE_REWRITE));
     }
   void              Delete(void)
     {
      Close();
      if(FileIsExist(m_name))
         FileDelete(m_name);
     }
   //--- the text of a file that holds one line
   string            ReadLine(void)
     {
      CByteBuffer content;
      if(!Read(content))
         return("");
      int end=content.Find('\n',0);
      return(content.Text(0,end<0 ? content.Length() : end));
     }
   bool              ReplaceLine(const string line)
     {
      CByteBuffer content;
      content.PutText(line);
      content.PutByte('\n');
      return(Replace(content));
     }
  };
#endif
//+------------------------------------------------------------------+
