//+------------------------------------------------------------------+
//| Files.mqh - takes the files that an EA keeps for its token        |
//|                                                                   |
//| A virus scanner or a backup holds a file for a moment, and an EA  |
//| that OnInit refuses is gone from its chart for good. So it stays  |
//| and tries again, and what needs no daemon goes on.                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_FILES_MQH
#define TERMINAL_GATEWAY_FILES_MQH

#include <TerminalGateway\Chance.mqh>
#include <TerminalGateway\Claim.mqh>
#include <TerminalGateway\Link.mqh>
#include <TerminalGateway\Notes.mqh>
#include <TerminalGateway\Notice.mqh>
#include <TerminalGateway\Results.mqh>
#include <TerminalGateway\Trails.mqh>

#define FILES_INSTALL   "install.txt"
//--- so often a file is tried that another program holds, and so long without a window
#define FILES_RETRY_MS  1000
#define FILES_HELD_MS   10000

class CFiles
  {
private:
   CChance           m_chance;
   CClaim            m_claim;
   CNotice           m_notice;
   string            m_install;
   bool              m_is_open;
   bool              m_has_trails;
   ulong             m_began_ms;
   ulong             m_tried_ms;

   //--- a random name that stays the same for this installation; false where it cannot be read now
   bool              LoadInstall(void)
     {
      CNotes      notes;
      CByteBuffer content;
      notes.Setup(FILES_INSTALL);
      if(!notes.Read(content))
         return(false);
      m_install=notes.ReadLine();
      if(StringLen(m_install)==16)
         return(true);
      m_install=m_chance.Name(16);
      if(!notes.ReplaceLine(m_install))
         Print("the file ",notes.Name()," is not written: this terminal looks new at each start");
      return(true);
     }
   //--- takes all; returns the one that another program holds
   string            Held(CLink &link,CTrails &trails,CResults &results)
     {
      if(!m_has_trails)
         m_has_trails=trails.Setup(link.Terminal());
      if(!m_has_trails)
         return(trails.File());
      if(!link.ReadPin())
         return(link.PinFile());
      if(!LoadInstall())
         return(FILES_INSTALL);
      return(results.Setup(link.Terminal()) ? "" : results.File());
     }
   bool              Open(CLink &link,CTrails &trails,CResults &results)
     {
      string held=Held(link,trails,results);
      m_is_open=(held=="");
      m_tried_ms=NowMs();
      if(m_is_open)
        {
         m_claim.Keep();
         Comment("");
         return(true);
        }
      string text="another program holds the file "+held+": no daemon is linked until it is free,"
                  +" so that no order is executed twice; trailing stops and the lease go on";
      m_notice.Tell(text);
      Comment("Terminal Gateway: "+text);
      if(NowMs()-m_began_ms>FILES_HELD_MS)
         m_notice.Call(text);
      return(false);
     }
   //--- that is the EA of another chart, with the same token: this one has to end
   bool              IsSecond(void) const
     {
      if(!m_claim.IsTaken())
         return(false);
      Comment("");
      Alert("Terminal Gateway: this EA is on another chart of this terminal already, with the same"
            +" token. Each has a token of its own: this one ends");
      return(true);
     }

public:
                     CFiles(void)
     {
      m_install="";
      m_is_open=false;
      m_has_trails=false;
      m_began_ms=0;
      m_tried_ms=0;
     }
   //--- false where the EA of another chart has them
   bool              Begin(CLink &link,CTrails &trails,CResults &results)
     {
      m_notice.Forget();
      m_claim.Setup(link.Terminal());
      m_has_trails=false;
      m_began_ms=NowMs();
      return(Open(link,trails,results) || !IsSecond());
     }
   //--- all are there, so that a daemon can be linked
   bool              IsOpen(CLink &link,CTrails &trails,CResults &results)
     {
      if(m_is_open)
         m_claim.Keep();
      else if(NowMs()-m_tried_ms>=FILES_RETRY_MS && !Open(link,trails,results) && IsSecond())
         ExpertRemove();
      return(m_is_open);
     }
   void              End(CResults &results)
     {
      results.Close();
      m_claim.Leave();
     }
   string            Install(void) const { return(m_install); }
  };
#endif
//+------------------------------------------------------------------+
