//+------------------------------------------------------------------+
//| SymbolGroup.mqh - a group of symbols like "*USD*,!EURUSD"         |
//|                                                                   |
//| Conditions hold in their order; ! takes out again. As in the      |
//| MetaTrader5 package: * stands for any text, ? for a character.    |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_SYMBOL_GROUP_MQH
#define TERMINAL_GATEWAY_SYMBOL_GROUP_MQH

class CSymbolGroup
  {
private:
   string            m_parts[];
   bool              m_is_everything;

   //--- linear in time but for the last star, to which it goes back
   bool              Matches(const string text,const string pattern) const
     {
      int at=0;
      int in_pattern=0;
      int star=-1;
      int behind_star=0;
      while(at<StringLen(text))
        {
         ushort wanted=in_pattern<StringLen(pattern) ? StringGetCharacter(pattern,in_pattern)
                       : (ushort)0;
         if(wanted=='*')
           {
            star=in_pattern;
            behind_star=at;
            in_pattern++;
           }
         else if(wanted=='?' || (wanted!=0 && wanted==StringGetCharacter(text,at)))
           {
            at++;
            in_pattern++;
           }
         else if(star>=0)
           {
            behind_star++;
            at=behind_star;
            in_pattern=star+1;
           }
         else
            return(false);
        }
      while(in_pattern<StringLen(pattern) && StringGetCharacter(pattern,in_pattern)=='*')
         in_pattern++;
      return(in_pattern==StringLen(pattern));
     }

   //--- StringTrimLeft changes its argument in MetaTrader 5, and returns a copy in MetaTrader 4
   string            Trimmed(const string text) const
     {
      int start=0;
      int end=StringLen(text);
      while(start<end && StringGetCharacter(text,start)==' ')
         start++;
      while(end>start && StringGetCharacter(text,end-1)==' ')
         end--;
      return(start<end ? StringSubstr(text,start,end-start) : "");
     }

public:
                     CSymbolGroup(void) { m_is_everything=true; }
   void              Load(const bool is_given,const string conditions)
     {
      m_is_everything=!is_given;
      ArrayResize(m_parts,0);
      if(is_given && conditions!="")
         StringSplit(conditions,',',m_parts);
     }
   bool              Holds(const string symbol) const
     {
      bool is_found=m_is_everything;
      for(int i=0; i<ArraySize(m_parts); i++)
        {
         string pattern=Trimmed(m_parts[i]);
         bool is_out=(StringLen(pattern)>0 && StringGetCharacter(pattern,0)=='!');
         if(is_out)
            pattern=StringSubstr(pattern,1);
         if(Matches(symbol,pattern))
            is_found=!is_out;
        }
      return(is_found);
     }
  };
#endif
//+------------------------------------------------------------------+
