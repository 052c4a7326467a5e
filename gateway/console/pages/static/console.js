"use strict";

/* What the pages do beyond plain HTML: copy a token, show times in the reader's zone, use passkeys,
   follow the state of terminals. Everything works without; nothing here moves the focus. */

(function () {
  const LIVE_EVERY_MS = 2500;

  function eachOf(root, selector, act) {
    for (const element of root.querySelectorAll(selector)) act(element);
  }

  /* --- times: the server writes UTC, the reader sees their own zone ------------------------- */

  const toTheMinute = {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit",
    hourCycle: "h23", timeZoneName: "short",
  };
  const usual = new Intl.DateTimeFormat("en-GB", toTheMinute);
  const exact = new Intl.DateTimeFormat("en-GB", {
    ...toTheMinute, second: "2-digit", fractionalSecondDigits: 1,
  });

  function localTime(element) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) return;
    element.textContent = (element.dataset.exact === undefined ? usual : exact).format(at);
    element.title = element.dateTime;
  }

  /* --- copy --------------------------------------------------------------------------------- */

  function offerCopy(button) {
    const source = document.getElementById(button.dataset.copy);
    const said = document.getElementById(button.dataset.said);
    if (!source || !navigator.clipboard) return;
    button.hidden = false;
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source.textContent.trim());
        button.textContent = "Copied";
        said.textContent = "Copied to the clipboard.";
      } catch {
        said.textContent = "The browser did not allow that. Select the text and copy it by hand.";
      }
    });
  }

  /* --- live: a small JSON tells what has changed ------------------------------------------- */

  function write(element, fact) {
    if (element.dataset.live.endsWith(".chip")) {
      const className = "chip " + fact.tone;
      if (element.className !== className) element.className = className;
      if (element.textContent !== fact.text) element.textContent = fact.text;
      return;
    }
    if (fact.parts) {
      element.classList.toggle("stale", fact.stale);
      fact = fact.parts;
    }
    const wanted = JSON.stringify(fact);
    if (element.dataset.shown === wanted) return;
    element.dataset.shown = wanted;
    element.replaceChildren(...fact.map((part) => {
      if (part.at === undefined) return document.createTextNode(part.text);
      const time = document.createElement("time");
      time.dateTime = part.at;
      if (part.exact) time.dataset.exact = "";
      localTime(time);
      return time;
    }));
  }

  function show(live, known) {
    for (const [name, fact] of Object.entries(live.facts)) {
      eachOf(document, `[data-live="${CSS.escape(name)}"]`, (element) => write(element, fact));
    }
    eachOf(document, "[data-live-changed]", (element) => {
      element.hidden = live.version === known;
    });
    eachOf(document, "[data-live-asking]", (element) => {
      element.hidden = !live.waiting;
    });
    eachOf(document, "[data-live-waiting]", (element) => {
      element.textContent = live.waiting ? String(live.waiting) : "";
      element.hidden = !live.waiting;
    });
  }

  function follow(root) {
    const known = root.dataset.liveVersion;
    const lost = document.querySelector("[data-live-lost]");
    let timer = 0;

    async function ask() {
      timer = 0;
      if (document.hidden) return;
      try {
        const answer = await fetch(root.dataset.liveUrl, { headers: { Accept: "application/json" } });
        if (answer.status === 401) {
          if (lost) lost.hidden = false;
          return;
        }
        if (answer.ok) show(await answer.json(), known);
      } catch {
        /* the console is away for a moment; the next round will tell */
      }
      timer = setTimeout(ask, LIVE_EVERY_MS);
    }

    document.addEventListener("visibilitychange", () => {
      if (!document.hidden && !timer) ask();
    });
    timer = setTimeout(ask, LIVE_EVERY_MS);
  }

  /* --- passkeys: the browser makes or uses one, the form carries its answer ---------------- */

  function offerPasskey(button) {
    const form = button.form;
    const said = form.querySelector("[data-passkey-said]");
    const isNew = button.dataset.passkey === "create";
    const read = window.PublicKeyCredential && (isNew
      ? PublicKeyCredential.parseCreationOptionsFromJSON
      : PublicKeyCredential.parseRequestOptionsFromJSON);
    if (!read) {
      said.textContent = "This browser is too old for passkeys.";
      said.hidden = !isNew;
      return;
    }
    button.hidden = false;
    button.addEventListener("click", async (event) => {
      event.preventDefault();
      if (isNew && !form.reportValidity()) return;
      said.hidden = true;
      button.disabled = true;
      try {
        const publicKey = read.call(PublicKeyCredential, JSON.parse(button.dataset.options));
        const key = await navigator.credentials[button.dataset.passkey]({ publicKey });
        form.elements.answer.value = JSON.stringify(key);
        form.submit();
      } catch (error) {
        said.textContent = error.name === "InvalidStateError"
          ? "This device has a passkey for your account already."
          : "Nothing came of it: it was cancelled, took too long, or there is no passkey here. "
            + "Try again.";
        said.hidden = false;
        button.disabled = false;
      }
    });
  }

  eachOf(document, "[data-passkey]", offerPasskey);
  eachOf(document, "time[datetime]", localTime);
  eachOf(document, "[data-copy]", offerCopy);
  eachOf(document, "[data-live-url]", follow);
})();
