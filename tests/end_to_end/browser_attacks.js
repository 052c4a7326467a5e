// What a page tries that wants something of the gateway, and what it got to read: "" is nothing.
// It knows more than it should: a valid token, and a ticket that was made for another origin.

const WITHIN_MS = 4000;

function within(work) {
  return new Promise((resolve) => {
    const done = (value) => resolve(String(value ?? ""));
    setTimeout(done, WITHIN_MS, "");
    Promise.resolve()
      .then(() => work(done))
      .catch(() => done(""));
  });
}

function loading(tag, attribute, url, got) {
  return (done) => {
    const element = document.createElement(tag);
    element.onload = () => done(got(element));
    element.onerror = () => done("");
    element[attribute] = url;
    if (tag === "link") element.rel = "stylesheet";
    document.body.append(element);
  };
}

function readFrame(frame) {
  try {
    return frame.contentDocument?.body?.innerText;
  } catch {
    return ""; // of another origin
  }
}

function posting(action, type, fields) {
  return (done) => {
    const frame = document.createElement("iframe");
    frame.name = `frame${Math.random()}`;
    const form = document.createElement("form");
    Object.assign(form, { action, method: "POST", enctype: type, target: frame.name });
    for (const [name, value] of Object.entries(fields)) {
      const input = document.createElement("input");
      Object.assign(input, { type: "hidden", name, value });
      form.append(input);
    }
    document.body.append(frame, form);
    frame.onload = () => done(readFrame(frame));
    form.submit();
  };
}

function listening(url, protocols, first) {
  return (done) => {
    const socket = new WebSocket(url, protocols);
    socket.onopen = () => (first ? socket.send(first) : done("open"));
    socket.onmessage = (event) => done(event.data);
    socket.onerror = () => done("");
    socket.onclose = () => done("");
  };
}

function streaming(url) {
  return (done) => {
    const source = new EventSource(url);
    source.onopen = () => done("open");
    source.onmessage = (event) => done(event.data);
    source.onerror = () => (source.close(), done(""));
  };
}

function asking(url, headers, body) {
  return (done) => {
    const request = new XMLHttpRequest();
    request.onload = () => done(request.responseText);
    request.onerror = () => done("");
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.send(body);
  };
}

window.attack = async ({ base, token, ticket, order }) => {
  const rpc = `${base}/rpc`;
  const ws = `${base.replace("http", "ws")}/ws`;
  const bearer = { Authorization: `Bearer ${token}` };
  const json = { ...bearer, "Content-Type": "application/json" };
  const say = (method, params = {}) =>
    JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
  const body = say("place_order", order);
  const fetching = (url, options) => (done) =>
    fetch(url, options).then(async (answer) => done(await answer.text()));
  const secret = btoa(token).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
  const attacks = {
    "fetch, as a program": fetching(rpc, { method: "POST", headers: json, body }),
    "fetch, an account": fetching(rpc, {
      method: "POST",
      headers: json,
      body: say("get_account_info"),
    }),
    "fetch, a ticket": fetching(rpc, {
      method: "POST",
      headers: json,
      body: say("get_ws_ticket"),
    }),
    "fetch without preflight": fetching(rpc, {
      method: "POST",
      mode: "no-cors",
      headers: { "Content-Type": "text/plain" },
      body,
    }),
    "fetch without a type": fetching(rpc, {
      method: "POST",
      mode: "no-cors",
      body: new Blob([body]),
    }),
    "fetch with cookies": fetching(rpc, { method: "POST", credentials: "include", body }),
    "fetch, a document": fetching(`${base}/openrpc.json`),
    "fetch, unseen": fetching(`${base}/healthz`, { mode: "no-cors" }),
    "fetch, token in the URL": fetching(`${rpc}?auth_token=${token}`, { method: "POST", body }),
    XMLHttpRequest: asking(rpc, json, body),
    "XMLHttpRequest without preflight": asking(rpc, { "Content-Type": "text/plain" }, body),
    "a beacon": (done) => {
      navigator.sendBeacon(rpc, new Blob([body], { type: "text/plain" }));
      done("");
    },
    "a form": posting(rpc, "application/x-www-form-urlencoded", { auth_token: token, body }),
    "a form of text": posting(rpc, "text/plain", {
      [`${body.slice(0, -1)},"x":"`]: '"}',
    }),
    "a form of parts": posting(rpc, "multipart/form-data", { auth_token: token, body }),
    "an image": loading("img", "src", `${base}/openrpc.json`, (it) => it.naturalWidth || "loaded"),
    "an image of /rpc": loading("img", "src", rpc, () => "loaded"),
    "a script": loading("script", "src", `${base}/openrpc.json`, () => "loaded"),
    "a style sheet": loading("link", "href", `${base}/openrpc.json`, () => "loaded"),
    "an iframe of /rpc": loading("iframe", "src", rpc, readFrame),
    "an iframe of a document": loading("iframe", "src", `${base}/openrpc.json`, readFrame),
    "an object": loading("object", "data", `${base}/openrpc.json`, readFrame),
    "a worker": (done) => {
      const worker = new Worker(`${base}/openrpc.json`);
      worker.onmessage = (event) => done(event.data);
      worker.onerror = () => done("");
    },
    WebSocket: listening(ws),
    "WebSocket, hello": listening(ws, [], say("hello", { auth_token: token })),
    "WebSocket, our protocol": listening(ws, ["mtg.v1"], say("hello", { auth_token: token })),
    "WebSocket, token": listening(ws, ["mtg.v1", `mtg.bearer.${secret}`], say("ping")),
    "WebSocket, ticket": listening(ws, ["mtg.v1", `mtg.ticket.${ticket}`], say("ping")),
    "WebSocket, ticket in the URL": listening(`${ws}?ticket=${ticket}`, ["mtg.v1"], say("ping")),
    "EventSource of /ws": streaming(`${base}/ws`),
    "EventSource of /rpc": streaming(rpc),
    "EventSource of a document": streaming(`${base}/healthz`),
  };
  const got = await Promise.all(Object.values(attacks).map(within));
  return Object.fromEntries(Object.keys(attacks).map((name, at) => [name, got[at]]));
};
