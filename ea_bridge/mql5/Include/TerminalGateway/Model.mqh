//+------------------------------------------------------------------+
//| Model.mqh - MetaTrader's nouns as they cross the wire             |
//|                                                                   |
//| Times are the broker's wall clock: seconds, or milliseconds where |
//| the name ends in _msc. Both MetaTraders fill these; MetaTrader 4  |
//| leaves what it does not know at 0.                                |
//+------------------------------------------------------------------+
#ifndef TERMINAL_GATEWAY_MODEL_MQH
#define TERMINAL_GATEWAY_MODEL_MQH

#include <TerminalGateway\ByteBuffer.mqh>
#include <TerminalGateway\Constants.mqh>
#include <TerminalGateway\FlatJson.mqh>

struct SPosition
  {
   long              ticket;
   long              time;
   long              time_msc;
   long              time_update;
   long              time_update_msc;
   long              magic;
   long              identifier;
   int               type;
   int               reason;
   double            volume;
   double            price_open;
   double            sl;
   double            tp;
   double            price_current;
   double            swap;
   double            profit;
   string            symbol;
   string            comment;
   string            external_id;

   bool              IsLong(void) const { return(type==WIRE_POSITION_BUY); }
   //--- whether anything but its present price and profit is as it was
   bool              IsSame(const SPosition &other) const
     {
      return(type==other.type && volume==other.volume && price_open==other.price_open
             && sl==other.sl && tp==other.tp && swap==other.swap && magic==other.magic
             && comment==other.comment);
     }
   void              Write(CByteBuffer &out) const
     {
      out.Comma();
      out.PutByte('{');
      out.MemberLong("ticket",ticket);
      out.MemberLong("time",time);
      out.MemberLong("time_msc",time_msc);
      out.MemberLong("time_update",time_update);
      out.MemberLong("time_update_msc",time_update_msc);
      out.MemberLong("type",type);
      out.MemberLong("magic",magic);
      out.MemberLong("identifier",identifier);
      out.MemberLong("reason",reason);
      out.MemberDouble("volume",volume);
      out.MemberDouble("price_open",price_open);
      out.MemberDouble("sl",sl);
      out.MemberDouble("tp",tp);
      out.MemberDouble("price_current",price_current);
      out.MemberDouble("swap",swap);
      out.MemberDouble("profit",profit);
      out.MemberText("symbol",symbol);
      out.MemberText("comment",comment);
      out.MemberText("external_id",external_id);
      out.PutByte('}');
     }
  };

struct SOrder
  {
   long              ticket;
   long              time_setup;
   long              time_setup_msc;
   long              time_done;
   long              time_done_msc;
   long              time_expiration;
   long              magic;
   long              position_id;
   long              position_by_id;
   int               type;
   int               type_time;
   int               type_filling;
   int               state;
   int               reason;
   double            volume_initial;
   double            volume_current;
   double            price_open;
   double            sl;
   double            tp;
   double            price_current;
   double            price_stoplimit;
   //--- of MetaTrader 4's closed trades, which have no deals
   bool              has_money;
   double            profit;
   double            swap;
   double            commission;
   string            symbol;
   string            comment;
   string            external_id;

   bool              IsSame(const SOrder &other) const
     {
      return(type==other.type && state==other.state && volume_current==other.volume_current
             && price_open==other.price_open && sl==other.sl && tp==other.tp
             && price_stoplimit==other.price_stoplimit && type_time==other.type_time
             && time_expiration==other.time_expiration && position_id==other.position_id
             && comment==other.comment);
     }
   void              Write(CByteBuffer &out) const
     {
      out.Comma();
      out.PutByte('{');
      out.MemberLong("ticket",ticket);
      out.MemberLong("time_setup",time_setup);
      out.MemberLong("time_setup_msc",time_setup_msc);
      out.MemberLong("time_done",time_done);
      out.MemberLong("time_done_msc",time_done_msc);
      out.MemberLong("time_expiration",time_expiration);
      out.MemberLong("type",type);
      out.MemberLong("type_time",type_time);
      out.MemberLong("type_filling",type_filling);
      out.MemberLong("state",state);
      out.MemberLong("magic",magic);
      out.MemberLong("position_id",position_id);
      out.MemberLong("position_by_id",position_by_id);
      out.MemberLong("reason",reason);
      WriteAmounts(out);
      out.MemberText("symbol",symbol);
      out.MemberText("comment",comment);
      out.MemberText("external_id",external_id);
      out.PutByte('}');
     }
   void              WriteAmounts(CByteBuffer &out) const
     {
      out.MemberDouble("volume_initial",volume_initial);
      out.MemberDouble("volume_current",volume_current);
      out.MemberDouble("price_open",price_open);
      out.MemberDouble("sl",sl);
      out.MemberDouble("tp",tp);
      out.MemberDouble("price_current",price_current);
      out.MemberDouble("price_stoplimit",price_stoplimit);
      if(!has_money)
         return;
      out.MemberDouble("profit",profit);
      out.MemberDouble("swap",swap);
      out.MemberDouble("commission",commission);
     }
  };

struct SDeal
  {
   long              ticket;
   long              order;
   long              time;
   long              time_msc;
   long              magic;
   long              position_id;
   int               type;
   int               entry;
   int               reason;
   double            volume;
   double            price;
   double            commission;
   double            swap;
   double            profit;
   double            fee;
   string            symbol;
   string            comment;
   string            external_id;

   void              Write(CByteBuffer &out) const
     {
      out.Comma();
      out.PutByte('{');
      out.MemberLong("ticket",ticket);
      out.MemberLong("order",order);
      out.MemberLong("time",time);
      out.MemberLong("time_msc",time_msc);
      out.MemberLong("type",type);
      out.MemberLong("entry",entry);
      out.MemberLong("magic",magic);
      out.MemberLong("position_id",position_id);
      out.MemberLong("reason",reason);
      out.MemberDouble("volume",volume);
      out.MemberDouble("price",price);
      out.MemberDouble("commission",commission);
      out.MemberDouble("swap",swap);
      out.MemberDouble("profit",profit);
      out.MemberDouble("fee",fee);
      out.MemberText("symbol",symbol);
      out.MemberText("comment",comment);
      out.MemberText("external_id",external_id);
      out.PutByte('}');
     }
  };

//--- what shall be done to the market: MqlTradeRequest, which MetaTrader 4 does not have
struct SRequest
  {
   long              magic;
   long              order;
   long              deviation;
   long              expiration;
   long              position;
   long              position_by;
   int               action;
   int               type;
   int               type_filling;
   int               type_time;
   double            volume;
   double            price;
   double            stoplimit;
   double            sl;
   double            tp;
   string            symbol;
   string            comment;

   void              Clear(void)
     {
      magic=0;
      order=0;
      deviation=0;
      expiration=0;
      position=0;
      position_by=0;
      action=0;
      type=0;
      type_filling=0;
      type_time=0;
      volume=0.0;
      price=0.0;
      stoplimit=0.0;
      sl=0.0;
      tp=0.0;
      symbol="";
      comment="";
     }
   //--- false where what every request needs is missing
   bool              Read(const CFlatJson &message)
     {
      Clear();
      action=(int)message.GetLong("action",0);
      magic=message.GetLong("magic",0);
      order=message.GetLong("order",0);
      symbol=message.GetText("symbol","");
      volume=message.GetDouble("volume",0.0);
      price=message.GetDouble("price",0.0);
      stoplimit=message.GetDouble("stoplimit",0.0);
      sl=message.GetDouble("sl",0.0);
      tp=message.GetDouble("tp",0.0);
      deviation=message.GetLong("deviation",0);
      type=(int)message.GetLong("type",0);
      type_filling=(int)message.GetLong("type_filling",0);
      type_time=(int)message.GetLong("type_time",0);
      expiration=message.GetLong("expiration",0);
      comment=message.GetText("comment","");
      position=message.GetLong("position",0);
      position_by=message.GetLong("position_by",0);
      return(message.IsNumber("action"));
     }
  };

//--- MqlTradeResult, and the position that the deal opened or changed
struct SResult
  {
   long              deal;
   long              order;
   long              request_id;
   long              position;
   int               retcode;
   int               retcode_external;
   double            volume;
   double            price;
   double            bid;
   double            ask;
   string            comment;

   void              Clear(void)
     {
      deal=0;
      order=0;
      request_id=0;
      position=0;
      retcode=0;
      retcode_external=0;
      volume=0.0;
      price=0.0;
      bid=0.0;
      ask=0.0;
      comment="";
     }
   void              Refuse(const int code,const string why)
     {
      Clear();
      retcode=code;
      comment=why;
     }
   bool              IsSuccess(void) const
     {
      return(retcode==WIRE_RETCODE_PLACED || retcode==WIRE_RETCODE_DONE
             || retcode==WIRE_RETCODE_DONE_PARTIAL || retcode==WIRE_RETCODE_NO_CHANGES);
     }
   void              Write(CByteBuffer &out) const
     {
      out.PutByte('{');
      out.MemberLong("retcode",retcode);
      out.MemberLong("deal",deal);
      out.MemberLong("order",order);
      out.MemberDouble("volume",volume);
      out.MemberDouble("price",price);
      out.MemberDouble("bid",bid);
      out.MemberDouble("ask",ask);
      out.MemberText("comment",comment);
      out.MemberLong("request_id",request_id);
      out.MemberLong("retcode_external",retcode_external);
      out.MemberLong("position",position);
      out.PutByte('}');
     }
  };
#endif
//+------------------------------------------------------------------+
