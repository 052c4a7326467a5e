//! Read the account, place an order once, read what became of it: Rust with its standard library alone.
//!
//!     rustc examples/09_orders.rs && ./09_orders

use std::env;
use std::error::Error;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn call(method: &str, params: &str) -> Result<String, Box<dyn Error>> {
    let url = env::var("MT_GATEWAY_URL").unwrap_or("http://127.0.0.1:7400".into());
    let host = url.trim_start_matches("http://");
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#);
    let mut stream = TcpStream::connect(host)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    // without "Connection: close" the answer would have no end that read_to_string waits for
    write!(
        stream,
        "POST /rpc HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        env::var("MT_GATEWAY_TOKEN")?,
        body.len()
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    // data.outcome of an error tells what became of a trade
    if !answer.starts_with("HTTP/1.1 200 ") || answer.contains(r#""error":{"code""#) {
        return Err(answer.into());
    }
    Ok(answer)
}

/// The first member of that name; a bot of your own takes the crate serde_json.
fn member<'a>(json: &'a str, name: &str) -> &'a str {
    let rest = json.split_once(&format!("\"{name}\":")).map_or("", |(_, rest)| rest);
    rest.split([',', '}']).next().unwrap_or("").trim_matches('"')
}

fn main() -> Result<(), Box<dyn Error>> {
    let account = call("get_account_info", "{}")?;
    println!("Equity {} {}", member(&account, "equity"), member(&account, "currency"));

    // your own name for this order: after a time-out ask with the same one, it is not made twice
    let name = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let order = format!(r#"{{"symbol":"EURUSD","side":"buy","volume":0.1,"client_order_id":"rs-{name}"}}"#);
    let first = call("place_order", &order)?;
    let again = call("place_order", &order)?;
    println!("Position {}: {}", member(&first, "position"), member(&first, "state"));
    println!("Position {}, asked again: duplicate {}", member(&again, "position"), member(&again, "duplicate"));
    call("close_position", &format!(r#"{{"ticket":{}}}"#, member(&first, "position")))?;
    Ok(())
}
