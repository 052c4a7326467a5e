// Read the account, place an order once, read what became of it: C# with .NET's own classes.
//
//   dotnet new console -o bot && cp examples/08_orders.cs bot/Program.cs && dotnet run --project bot
//   mcs -out:orders.exe examples/08_orders.cs && mono orders.exe
using System;
using System.IO;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;

static class Orders
{
    static readonly string Url = Environment.GetEnvironmentVariable("MT_GATEWAY_URL") ?? "http://127.0.0.1:7400";

    static string Call(string method, string parameters)
    {
#pragma warning disable SYSLIB0014 // HttpClient is newer; this one is in every .NET and in Mono
        var request = WebRequest.CreateHttp(Url + "/rpc");
#pragma warning restore SYSLIB0014
        request.Method = "POST";
        request.Proxy = null; // a proxy of the system would see the token
        request.ContentType = "application/json";
        request.Headers["Authorization"] = "Bearer " + Environment.GetEnvironmentVariable("MT_GATEWAY_TOKEN");
        var body = Encoding.UTF8.GetBytes(
            "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"" + method + "\",\"params\":" + parameters + "}");
        using (var stream = request.GetRequestStream())
            stream.Write(body, 0, body.Length);
        using (var response = request.GetResponse())
        using (var reader = new StreamReader(response.GetResponseStream()))
        {
            var answer = reader.ReadToEnd();
            if (Regex.IsMatch(answer, "\"error\":\\s*\\{\"code\""))
                throw new InvalidOperationException(answer); // its data.outcome tells what became of a trade
            return answer;
        }
    }

    // the first member of that name; a bot of your own takes System.Text.Json
    static string Member(string json, string name)
    {
        return Regex.Match(json, "\"" + name + "\":\\s*\"?([^\",}]*)").Groups[1].Value;
    }

    static void Main()
    {
        var account = Call("get_account_info", "{}");
        Console.WriteLine("Equity " + Member(account, "equity") + " " + Member(account, "currency"));

        // your own name for this order: after a time-out ask with the same one, it is not made twice
        var order = "{\"symbol\":\"EURUSD\",\"side\":\"buy\",\"volume\":0.1,\"client_order_id\":\"cs-" + Guid.NewGuid() + "\"}";
        var first = Call("place_order", order);
        var again = Call("place_order", order);
        Console.WriteLine("Position " + Member(first, "position") + ": " + Member(first, "state"));
        Console.WriteLine("Position " + Member(again, "position") + ", asked again: duplicate " + Member(again, "duplicate"));
        Call("close_position", "{\"ticket\":" + Member(first, "position") + "}");
    }
}
