// Makes the chat quick. Everything works without this file, by plain forms:
// here the same forms are sent without leaving the page, and what the bot says
// arrives by itself. The server renders every message; nothing is built from
// text here but what the person has just typed.
(() => {
  "use strict";
  const chat = document.getElementById("chat");
  if (!chat) return;
  const t = (name) => chat.dataset["t" + name];
  const {next, q} = chat.dataset;

  // The address says "begun" once, for the server; nobody needs to see it.
  if (location.search.includes("begun=")) {
    history.replaceState(null, "", location.pathname + location.hash);
  }
  const auto = chat.querySelector("form[data-auto]");
  if (auto) return void auto.requestSubmit(); // the greeting comes by itself

  const closer = chat.querySelector("[data-close]");
  if (closer && window.parent !== window) {
    const close = () => window.parent.postMessage({latchkey: "close"}, "*"); // no secret: embed.js checks who says it
    closer.hidden = false;
    closer.addEventListener("click", close);
    document.addEventListener("keydown", (e) => { if (e.key === "Escape") close(); });
    window.addEventListener("focus", () => {
      if (document.activeElement === document.body) chat.querySelector("#say, .start button")?.focus();
    });
  }

  const log = chat.querySelector(".log");
  if (!log) return;
  const rows = log.querySelector(".rows");
  const pending = log.querySelector(".pending");
  const input = chat.querySelector("#say");
  const status = chat.querySelector(".chat-state");
  let last = Number(chat.dataset.last);
  let over = false;

  // --- what is shown ---------------------------------------------------------

  // state says in words how things stand; an empty text says nothing.
  function state(text, bad) {
    if (over) return;
    status.textContent = text || "";
    status.classList.toggle("bad", Boolean(bad));
  }

  // ended says that the session is over and offers a new one.
  function ended() {
    if (over) return;
    if (chat.dataset.idle) return void wipe("done"); // the next person sees nothing
    state(t("Over") + " ", true);
    over = true;
    stop();
    retire(rows);
    settle();
    for (const el of chat.querySelectorAll(".say input, .say button")) el.disabled = true;
    const again = document.createElement("a");
    again.href = next;
    again.textContent = t("Again");
    status.append(again);
  }

  // scrollTo shows a message from its beginning, and its end when both fit. It
  // stays in sight when the window changes or a keyboard comes up, until the
  // person scrolls.
  let held;
  function scrollTo(el) {
    held = el;
    if (log.scrollHeight <= log.clientHeight) {
      if (next !== "/") el.scrollIntoView({block: "nearest"});
    } else if (el.offsetHeight + 32 > log.clientHeight) {
      log.scrollTop = el.offsetTop - 8;
    } else {
      log.scrollTop = log.scrollHeight;
    }
  }

  // retire takes buttons and forms away that belong to an earlier prompt.
  function retire(where) {
    const had = where.contains(document.activeElement);
    for (const el of where.querySelectorAll(".acts, .codes, .page-opened")) el.remove();
    if (had && document.activeElement === document.body) rest();
  }

  // rest puts the focus where the next answer is typed; on a touch screen it
  // stays off the input, which would call up the keyboard.
  function rest() {
    (matchMedia("(pointer: coarse)").matches ? log : input).focus({preventScroll: true});
  }

  // arrive adds a message that the server has rendered.
  function arrive(html) {
    const box = document.createElement("template");
    box.innerHTML = html;
    const el = box.content.querySelector("article.said");
    if (!el || Number(el.dataset.seq) <= last) return;
    last = Number(el.dataset.seq);
    settle();
    // It asks anew, or what was asked is answered and nothing is asked again.
    // A campaign's message closes those of campaigns before it, and no question.
    if ("campaign" in el.dataset) {
      for (const old of rows.querySelectorAll(".said[data-campaign]")) retire(old);
    } else if (el.dataset.prompt !== "0" || el.querySelector(".acts, .mine[data-words]")) retire(rows);
    if (el.querySelector(".secret")) for (const old of rows.querySelectorAll(".secret")) old.remove();
    rows.append(el);
    dress(el);
    scrollTo(el);
    for (const img of el.querySelectorAll("img")) img.addEventListener("load", () => scrollTo(el), {once: true});
    document.dispatchEvent(new CustomEvent("latchkey:said", {detail: el}));
    // The person has changed the language: so do the words around the chat.
    if (el.dataset.lang !== chat.dataset.lang && !input.value) location.reload();
  }

  // gone takes off the screen what a message showed.
  function gone(seq) {
    const row = document.getElementById(`m${Number(seq)}`);
    const secret = row?.querySelector(".secret");
    if (row && "desk" in row.dataset) {
      const text = row.querySelector(".text");
      text.replaceChildren(document.createElement("p"));
      text.firstChild.textContent = t("TakenBack");
      text.lang = row.dataset.lang;
      row.querySelector(".acts")?.remove();
    }
    if (!secret) return;
    const p = document.createElement("p");
    p.className = "quiet gone";
    p.textContent = t("Gone");
    secret.replaceWith(p);
  }

  // dress adds to a message what needs a script.
  function dress(el) {
    for (const b of el.querySelectorAll("[data-copy], [data-print]")) b.hidden = false;
    for (const field of el.querySelectorAll(".entry input[type=password]")) {
      const eye = document.createElement("button");
      eye.type = "button";
      eye.className = "eye";
      eye.setAttribute("aria-label", t("Show"));
      eye.setAttribute("aria-pressed", "false");
      eye.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M2 12s3.5-6 10-6 10 6 10 6-3.5 6-10 6-10-6-10-6z"/><circle cx="12" cy="12" r="2.5"/><path class="slash" d="M4 4l16 16"/></svg>';
      eye.addEventListener("click", () => {
        const shown = field.type === "text";
        field.type = shown ? "password" : "text";
        eye.setAttribute("aria-pressed", String(!shown));
      });
      field.after(eye);
    }
  }

  // --- what the person does --------------------------------------------------

  let busy = false;
  let typing;

  // echo shows at once what was typed or pressed, until the server's own
  // message comes, which says how it stands in the conversation.
  function echo(text) {
    settle();
    if (text) {
      const mine = document.createElement("p");
      mine.className = "mine waiting";
      mine.dir = "auto";
      mine.textContent = text;
      pending.append(mine);
    }
    const show = setTimeout(() => {
      const dots = document.createElement("div");
      dots.className = "dots";
      dots.setAttribute("role", "img");
      dots.setAttribute("aria-label", t("Typing"));
      dots.append(document.createElement("i"), document.createElement("i"), document.createElement("i"));
      pending.append(dots);
      log.scrollTop = log.scrollHeight;
    }, 400);
    const late = setTimeout(() => { pending.querySelector(".dots")?.remove(); state(t("Slow")); }, 15000);
    typing = () => { clearTimeout(show); clearTimeout(late); };
    log.scrollTop = log.scrollHeight;
  }

  // settle ends the echo.
  function settle() {
    typing?.();
    typing = null;
    pending.replaceChildren();
    if (!busy && status.textContent === t("Slow")) state("");
  }

  function setBusy(on) {
    busy = on;
    for (const b of chat.querySelectorAll(".acts button, .say button")) {
      if (!b.closest(".entry")) b.setAttribute("aria-disabled", String(on));
    }
  }

  // --- a computer that others use --------------------------------------------

  // Nothing of the person stays on the page, nor in what the browser goes back to.
  function wipe(how) {
    over = true;
    stop();
    chat.replaceChildren();
    location.replace(next + "?" + how + "=1");
  }

  const box = chat.querySelector("[data-idle-box]");
  // A little earlier than the server, so that the person sees it go.
  const idle = (Number(chat.dataset.idle) - 5) * 1000;
  if (box) {
    const soon = 30000;
    let used = Date.now(), told = used, leaving = false;
    const send = (path) => fetch(path + q, {method: "POST", body: new URLSearchParams(new FormData(box)), headers: {"X-Latchkey": "fetch"}}).catch(() => null);
    const stay = () => {
      told = Date.now();
      box.elements.id.value = crypto.randomUUID();
      send(box.getAttribute("action").split("?")[0]).then((answer) => { if (answer?.status === 403) wipe("done"); });
    };
    const show = (left) => {
      const warn = left <= soon;
      if (box.classList.contains("soon") !== warn) {
        box.classList.toggle("soon", warn);
        box.querySelector("[data-idle-text]").hidden = !warn;
        box.querySelector("[data-idle-always]").hidden = warn;
      }
      box.querySelector(".clock").textContent = warn ? Math.ceil(left / 1000) : "";
    };
    const tick = () => {
      if (over || leaving) return;
      const now = Date.now(), left = idle - (now - used);
      if (left <= 0) {
        leaving = true;
        send("/chat/leave").finally(() => wipe("done"));
        return;
      }
      if (used > told && now - told > 4000) stay();
      show(left);
    };
    const use = () => { used = Date.now(); };
    for (const e of ["pointerdown", "keydown", "touchstart", "wheel"]) window.addEventListener(e, use, {passive: true, capture: true});
    box.addEventListener("submit", (e) => { e.preventDefault(); use(); stay(); tick(); });
    document.addEventListener("visibilitychange", tick);
    setInterval(tick, 1000);
    window.addEventListener("pagehide", () => { chat.hidden = true; });
    window.addEventListener("pageshow", (e) => { if (e.persisted) { chat.replaceChildren(); location.reload(); } });
  }

  const pause = (seconds) => new Promise((done) => {
    const timer = setTimeout(finish, seconds * 1000);
    function finish() { clearTimeout(timer); window.removeEventListener("online", finish); done(); }
    window.addEventListener("online", finish);
  });

  // post sends an act and repeats it, with the same id, until the server has
  // taken it: the server drops what it has already.
  async function post(url, data) {
    for (let n = 0; ; n++) {
      const answer = await fetch(url, {method: "POST", body: data, headers: {"X-Latchkey": "fetch"}}).catch(() => null);
      if (answer?.ok) {
        if (n > 0) state("");
        return answer;
      }
      let wait = Math.min(30, 2 ** n);
      if (answer) {
        wait = Math.max(wait, Number(answer.headers.get("Retry-After")) || 0);
        const final = answer.status < 500 && answer.status !== 429;
        if (final || wait > 60 || n >= 5) throw await answer.json().catch(() => ({}));
      }
      state(t("Unsent"), true);
      await pause(wait);
    }
  }

  async function act(form, button) {
    if (busy || over) return;
    const kind = form.dataset.chat;
    const data = new URLSearchParams(new FormData(form, button));
    data.set("id", crypto.randomUUID());
    const typed = kind === "say" ? input.value : "";
    if (kind === "say") {
      if (!typed.trim()) return;
      input.value = "";
      input.focus({preventScroll: true});
    }
    const quiet = kind === "show" || kind === "page"; // answered here, not in the conversation
    setBusy(true);
    if (!quiet) echo({say: typed, press: button?.textContent.trim(), form: "••••••"}[kind]);
    if (!quiet && kind !== "say") rest();
    try {
      const answer = await post(form.action, data);
      if (answer.status === 205) return void wipe("done");
      if (kind === "show") codes(form, await answer.text());
      if (kind === "page") opened(form, (await answer.json()).url);
    } catch (problem) {
      settle();
      if (kind === "say" && !input.value) input.value = typed;
      if (problem.problem === "over") ended();
      else if (problem.problem === "stale") location.reload();
      else state([problem.text, problem.do].filter(Boolean).join(" ") || t("Lost"), true);
    }
    setBusy(false);
    listen();
  }

  // codes puts what is shown once in the place of the button that asked for it.
  function codes(form, html) {
    const said = form.closest(".said");
    form.insertAdjacentHTML("afterend", html); // rendered by our own templates
    form.remove();
    dress(said);
    held = null;
    said.querySelector(".codes")?.focus(); // and scrolls there
  }

  // opened opens a one-time page, and leaves a link in case the browser did not.
  function opened(form, url) {
    window.open(url, "_blank", "noopener");
    form.parentElement.querySelector(".page-opened")?.remove();
    const p = document.createElement("p");
    p.className = "page-opened quiet";
    p.setAttribute("role", "status");
    const a = document.createElement("a");
    a.href = url;
    a.target = "_blank";
    a.rel = "noopener";
    a.textContent = t("Open");
    p.append(t("Opened") + " ", a);
    form.after(p);
    scrollTo(form.closest(".said"));
  }

  chat.addEventListener("submit", (e) => {
    const form = e.target.closest("form[data-chat]");
    if (!form) return;
    e.preventDefault();
    act(form, e.submitter);
  });

  chat.addEventListener("click", async (e) => {
    const copy = e.target.closest("[data-copy]");
    if (copy) {
      const box = copy.closest(".key, .codes");
      const parts = box.querySelectorAll(copy.dataset.copy === "ol" ? "ol code" : "code");
      await navigator.clipboard.writeText([...parts].map((c) => c.textContent).join("\n")).then(() => state(t("Copied")), () => {});
    }
    if (e.target.closest("[data-print]")) {
      document.body.classList.add("print-codes");
      window.addEventListener("afterprint", () => document.body.classList.remove("print-codes"), {once: true});
      window.print();
    }
  });

  // A form that can be checked is checked when the person pauses.
  const waits = new WeakMap();
  chat.addEventListener("input", (e) => {
    const form = e.target.closest("form[data-check]");
    if (!form) return;
    clearTimeout(waits.get(form));
    waits.set(form, setTimeout(() => check(form), 700));
  });

  async function check(form) {
    const data = new URLSearchParams(new FormData(form));
    data.set("id", crypto.randomUUID());
    const answer = await fetch("/chat/check" + q, {method: "POST", body: data, headers: {"X-Latchkey": "fetch"}}).catch(() => null);
    if (!answer?.ok) return; // it is checked again when it is sent
    const {problems} = await answer.json();
    for (const field of form.querySelectorAll("[data-field]")) {
      const text = problems.find((p) => p.field === field.dataset.field)?.text || "";
      const line = field.querySelector(".problem-text");
      if (line.textContent !== text) line.textContent = text;
      field.querySelector("input").setAttribute("aria-invalid", String(text !== ""));
    }
  }

  // --- the stream ------------------------------------------------------------

  let stream = null;
  let tries = 0;
  let retry;
  let lost;

  function listen() {
    if (stream || over || document.hidden) return;
    clearTimeout(retry);
    stream = new EventSource("/chat/events?" + new URLSearchParams({after: last, next, ...(q && {framed: 1})}));
    stream.onopen = () => {
      tries = 0;
      clearTimeout(lost);
      lost = null;
      if (status.textContent === t("Lost")) {
        state(t("Back"));
        setTimeout(() => { if (status.textContent === t("Back")) state(""); }, 4000);
      }
    };
    stream.addEventListener("message", (e) => arrive(e.data));
    stream.addEventListener("gone", (e) => gone(e.data));
    stream.addEventListener("over", ended);
    stream.addEventListener("phone", () => document.dispatchEvent(new CustomEvent("latchkey:phone"))); // see demo.js
    stream.onerror = () => {
      lost ??= setTimeout(() => state(t("Lost"), true), 4000); // a short break is nobody's business
      if (stream?.readyState === EventSource.CLOSED) { // refused: the browser gives up, we do not
        stream = null;
        retry = setTimeout(listen, Math.min(30, 2 ** tries++) * 1000);
      }
    };
  }

  function stop() {
    clearTimeout(retry);
    clearTimeout(lost);
    lost = null;
    stream?.close();
    stream = null;
  }

  // A tab that nobody looks at gives its connection back after a minute:
  // browsers allow six to one host.
  let away;
  document.addEventListener("visibilitychange", () => {
    clearTimeout(away);
    if (document.hidden) away = setTimeout(stop, 60000);
    else listen();
  });
  window.addEventListener("pagehide", stop);
  window.addEventListener("pageshow", listen);

  for (const e of ["wheel", "touchmove", "keydown"]) log.addEventListener(e, () => { held = null; }, {passive: true});
  new ResizeObserver(() => { if (held && !rows.contains(document.activeElement)) scrollTo(held); }).observe(log);
  dress(rows);
  if (rows.lastElementChild) scrollTo(rows.lastElementChild);
  for (const img of rows.querySelectorAll("img")) {
    img.addEventListener("load", () => scrollTo(rows.lastElementChild), {once: true});
  }
  listen();
})();
