// One-time pages. The link's token stands after the # of the address, so that it
// reaches no server by itself. It is taken out of the address bar first, and is
// sent only when the person presses the button: a robot that looks at the link,
// scripts and all, opens nothing.
(() => {
  "use strict";

  const whole = /^[A-Za-z0-9_-]{43}$/;
  const opened = "latchkey-page"; // in sessionStorage: a page was opened in this tab; no secret
  let token = "";
  let timer = 0;

  const main = () => document.querySelector("main");
  const word = (name) => main().querySelector(`[data-word="${name}"]`)?.textContent ?? "";
  const say = (text) => { const p = document.getElementById("say"); if (p) p.textContent = text; };

  function take() {
    const text = location.hash.slice(1);
    if (text) history.replaceState(null, "", location.pathname + location.search);
    return text;
  }
  function remember(yes) {
    try { yes ? sessionStorage.setItem(opened, "1") : sessionStorage.removeItem(opened); } catch { /* not allowed here */ }
  }
  function remembered() {
    try { return sessionStorage.getItem(opened) === "1"; } catch { return false; }
  }

  // The page before the click.
  function closed(text) {
    const m = main(), form = m.querySelector("form[data-open]");
    const when = whole.test(text) ? "" : text ? "cut" : remembered() ? "again" : "missing";
    token = when ? "" : text;
    for (const p of m.querySelectorAll("[data-when]")) p.hidden = p.dataset.when !== when;
    const button = form.querySelector("button");
    button.disabled = when === "cut" || when === "missing";
    if (when === "again") button.textContent = word("go_on");
  }

  function trouble(form, text) {
    const p = (form.isConnected ? form : main()).querySelector("[data-trouble]") ?? main().querySelector("[data-trouble]");
    if (!p) return;
    p.textContent = text;
    p.hidden = !text;
  }

  function page(text) { return new DOMParser().parseFromString(text, "text/html"); }

  // What a page says went wrong, in one line.
  function told(doc) {
    return [...doc.querySelectorAll("main > p")].filter((p) => !p.querySelector("a, button")).slice(0, 2).map((p) => p.textContent.trim()).join(" ");
  }

  // Sends a form, and puts the page that comes back in place of this one. When
  // there is none, or only that we are busy, everything typed stays.
  async function send(form) {
    if (form.dataset.busy) return; // a second press
    form.dataset.busy = "1";
    trouble(form, "");
    const buttons = [...form.querySelectorAll("button:not([type=button])")];
    for (const b of buttons) b.setAttribute("aria-disabled", "true");
    try {
      const body = new URLSearchParams(new FormData(form));
      if ("open" in form.dataset) body.set("token", token);
      const r = await fetch(form.action, { method: "POST", body, signal: AbortSignal.timeout(30000) });
      const doc = page(await r.text());
      if (r.status === 429 || r.status >= 500 || !doc.querySelector("main")) {
        trouble(form, told(doc) || word("offline"));
        return;
      }
      token = "";
      show(doc);
    } catch {
      trouble(form, word("offline"));
    } finally {
      delete form.dataset.busy;
      for (const b of buttons) b.removeAttribute("aria-disabled");
    }
  }

  function show(doc) {
    const next = doc.querySelector("main");
    main().replaceWith(next);
    document.title = doc.title;
    document.documentElement.lang = doc.documentElement.lang;
    document.documentElement.dir = doc.documentElement.dir;
    scrollTo(0, 0);
    ready();
    const first = next.querySelector("[data-alert]") ?? next.querySelector("h1");
    if (!first.hasAttribute("tabindex")) first.tabIndex = -1;
    first.focus();
  }

  // Times are said as people say them here, in the zone that they are in.
  function localise(m) {
    for (const t of m.querySelectorAll("time[data-local]")) {
      const at = new Date(t.dateTime);
      if (!isNaN(at)) t.textContent = new Intl.DateTimeFormat(document.documentElement.lang, {dateStyle: "long", timeStyle: "short"}).format(at);
    }
  }

  // Whatever only works with this script is hidden until it runs.
  function ready() {
    const m = main();
    localise(m);
    for (const b of m.querySelectorAll("[data-copy][hidden], [data-print][hidden], [data-peek][hidden]")) b.hidden = false;
    remember(m.dataset.step === "open");
    clearInterval(timer);
    const left = m.querySelector("[data-left]");
    if (left) countdown(left);
  }

  // The time that the page has. It is said twice, not each second.
  function countdown(box) {
    const end = Date.now() + Number(box.dataset.left) * 1000;
    const clock = box.querySelector(".clock");
    clock.parentElement.hidden = false;
    let warned = Number(box.dataset.left) <= 120;
    const tick = () => {
      const s = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      clock.textContent = `${Math.floor(s / 60)}:${String(s % 60).padStart(2, "0")}`;
      if (s <= 120 && !warned) { warned = true; say(word("soon")); }
      if (s === 0) { clearInterval(timer); over(); }
    };
    timer = setInterval(tick, 1000);
    tick();
  }

  // Nothing is sent any more, and no secret stays on the screen. What was typed
  // stays in its fields until the person closes the page.
  function over() {
    const m = main();
    for (const x of m.querySelectorAll("[data-secret], [data-left]")) x.remove();
    for (const b of m.querySelectorAll("form button:not([type=button])")) b.disabled = true;
    for (const f of m.querySelectorAll("form")) f.dataset.busy = "1";
    remember(false);
    const p = m.querySelector("[data-trouble]");
    if (p) { p.textContent = word("over"); p.hidden = false; p.tabIndex = -1; p.scrollIntoView({ block: "nearest" }); }
  }

  // Checks what was typed so far. A field is complained about only after it was
  // left once, and is cleared as soon as it is right.
  let asking = null, pause = 0;
  const left = new WeakSet();
  async function check(form) {
    asking?.abort();
    asking = new AbortController();
    try {
      const r = await fetch("/private/check", { method: "POST", body: new URLSearchParams(new FormData(form)), signal: asking.signal });
      if (!r.ok) return;
      const found = new Map((await r.json()).problems.map((p) => [p.field, p.text]));
      for (const input of form.querySelectorAll("input[name^='f.']")) {
        const p = document.getElementById(input.getAttribute("aria-describedby"));
        const text = left.has(input) && input.value ? found.get(input.name.slice(2)) ?? "" : "";
        if (p.textContent !== text) p.textContent = text;
        text ? input.setAttribute("aria-invalid", "true") : input.removeAttribute("aria-invalid");
      }
    } catch { /* a later check says it, or the answer to the form */ }
  }

  async function copy(button) {
    const from = document.getElementById(button.dataset.copy);
    let text = from.matches("ol") ? [...from.children].map((li) => li.textContent.trim()).join("\n") : from.textContent.trim();
    if ("tight" in button.dataset) text = text.replace(/\s/g, "");
    try {
      await navigator.clipboard.writeText(text);
      say(""); // the same words twice are said twice
      setTimeout(() => say(word("copied")), 50);
    } catch {
      getSelection().selectAllChildren(from);
      say(word("not_copied"));
    }
  }

  document.addEventListener("submit", (e) => {
    const form = e.target;
    if ("plain" in form.dataset) {
      if (form.dataset.busy) e.preventDefault(); // a second press, or too late
      form.dataset.busy = "1";
      return;
    }
    if (!("open" in form.dataset) && !("send" in form.dataset)) return;
    e.preventDefault();
    send(form);
  });
  document.addEventListener("click", (e) => {
    const b = e.target.closest("button[type=button]");
    if (!b) return;
    if (b.dataset.copy) copy(b);
    if ("print" in b.dataset) print();
    if (b.dataset.peek) {
      const input = document.getElementById(b.dataset.peek);
      const seen = input.type === "password";
      input.type = seen ? "text" : "password";
      b.setAttribute("aria-pressed", String(seen));
    }
  });
  document.addEventListener("input", (e) => {
    const form = e.target.closest("form[data-check]");
    if (!form) return;
    clearTimeout(pause);
    pause = setTimeout(() => check(form), 500);
  });
  document.addEventListener("focusout", (e) => {
    const form = e.target.closest?.("form[data-check]");
    if (!form || !e.target.name?.startsWith("f.") || !e.target.value) return;
    left.add(e.target);
    clearTimeout(pause);
    check(form);
  });
  // Back to a page that signing in has left.
  addEventListener("pageshow", (e) => {
    if (e.persisted) for (const f of document.querySelectorAll("form[data-plain]")) delete f.dataset.busy;
  });

  if (document.querySelector("form[data-open]")) {
    closed(take());
    addEventListener("hashchange", async () => { // another link, in the same tab
      const text = take();
      if (!text) return;
      if (!document.querySelector("form[data-open]")) show(page(await (await fetch(location.pathname)).text()));
      closed(text);
    });
  } else if (document.querySelector("main.private")) {
    // A whole page: an answer without our fetch, or back from the provider. Its
    // address may hold the provider's answer, which is spent.
    if (main().dataset.address) history.replaceState(null, "", main().dataset.address);
    ready();
    document.querySelector("[data-alert]")?.focus();
  }
})();
