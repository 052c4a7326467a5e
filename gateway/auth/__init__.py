"""The daemon's side of who may call: records, and the gate that checks them."""
