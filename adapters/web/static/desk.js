// Keeps the desk's pages up to date. Everything works without this file, by plain
// forms and links: the server renders what is shown, and says only that something
// has changed.
(() => {
  "use strict";
  const desk = document.getElementById("desk");
  const news = document.getElementById("desk-news");
  // What was there from the beginning is not read out: it is filled in a moment later.
  for (const s of document.querySelectorAll(".admin .state[role=status]")) {
    const said = s.textContent;
    s.textContent = "";
    setTimeout(() => { s.textContent = said; }, 200);
  }
  const every = Number(desk?.dataset.every); // seconds from one look to the next, where no stream tells of changes
  if (!desk || !news || desk.classList.contains("figures") && !every) return; // figures are counted when they are asked for
  const watch = news.dataset.watch;
  const lines = desk.querySelector("[data-lines]");
  for (const el of desk.querySelectorAll(".again")) el.hidden = true; // it looks by itself

  // A bell for whoever wants it: a short sound, and a notice of the browser while
  // this page is out of sight. It rings when the number in the title grows.
  const bell = document.getElementById("desk-bell");
  const wants = () => localStorage.getItem("desk-bell") === "on";
  const count = (title) => Number(/^\((\d+)\)/.exec(title)?.[1] ?? 0);
  if (bell && !every) {
    bell.hidden = false;
    bell.setAttribute("aria-pressed", wants());
    bell.addEventListener("click", () => {
      localStorage.setItem("desk-bell", wants() ? "off" : "on");
      bell.setAttribute("aria-pressed", wants());
      if (!wants()) return;
      sound();
      if (window.Notification?.permission === "default") Notification.requestPermission();
    });
  }
  function sound() {
    const audio = new AudioContext();
    const tone = audio.createOscillator();
    const volume = audio.createGain();
    tone.frequency.value = 880;
    volume.gain.setValueAtTime(0.1, audio.currentTime);
    volume.gain.exponentialRampToValueAtTime(0.001, audio.currentTime + 0.4);
    tone.connect(volume).connect(audio.destination);
    tone.onended = () => audio.close();
    tone.start();
    tone.stop(audio.currentTime + 0.4);
  }
  function ring(before, now) {
    if (!wants() || count(now) <= count(before)) return;
    sound();
    if (document.hidden && window.Notification?.permission === "granted") new Notification(now, {tag: "latchkey-desk"});
  }

  const bottom = () => { if (lines) lines.scrollTop = lines.scrollHeight; };
  bottom();
  desk.querySelector(".alert")?.focus();
  // A page that was loaded anew by itself takes the focus to where it was.
  const was = sessionStorage.getItem("desk-focus");
  sessionStorage.removeItem("desk-focus");
  if (was?.startsWith(location.pathname + " ")) document.getElementById(was.slice(location.pathname.length + 1))?.focus();
  if (document.activeElement === document.body && location.hash) document.getElementById(location.hash.slice(1))?.focus();
  const reply = desk.querySelector("textarea[autofocus]"); // a canned one: what is typed goes on behind it
  reply?.setSelectionRange(reply.value.length, reply.value.length);

  // What is typed and not sent stays while this tab is open: for this agent and ticket.
  const drafts = "desk-draft " + desk.querySelector(".me")?.textContent + " " + watch + " ";
  for (const t of watch ? desk.querySelectorAll("textarea") : []) {
    const keep = () => t.value ? sessionStorage.setItem(drafts + t.id, t.value) : sessionStorage.removeItem(drafts + t.id);
    if (!t.value) t.value = sessionStorage.getItem(drafts + t.id) ?? "";
    if (t.value) t.closest("details")?.setAttribute("open", "");
    keep();
    t.addEventListener("input", keep);
    t.form.addEventListener("submit", () => sessionStorage.removeItem(drafts + t.id)); // a refusal brings it back
  }

  // typed reports whether a form holds something that must not be lost.
  const typed = () => [...desk.querySelectorAll("textarea, form.write input[type=text]")].some((t) => t.value.trim() !== "");

  // look asks the server for the page anew and takes over what has changed.
  // A page that answers a form stands at another address than the one that it shows.
  const here = desk.dataset.here ?? (watch ? "/desk/t/" + watch : location.pathname + location.search);
  let busy = false;
  let again = false;
  let leaving = false; // a form is sent: its answer is the next page
  async function look() {
    if (busy) { again = true; return; }
    busy = true;
    try {
      const r = await fetch(here, {headers: {"X-Latchkey": "fetch"}, cache: "no-store"});
      if (r.status === 403 || r.status === 404) return void over();
      if (r.ok) take(new DOMParser().parseFromString(await r.text(), "text/html").getElementById("desk"));
    } catch {
      // the stream comes back by itself, and brings another look
    } finally {
      busy = false;
      if (again) { again = false; look(); }
    }
  }

  function take(now) {
    if (!now || leaving) return;
    // Buttons and forms belong to a state. A state that has changed is a new page,
    // unless somebody is typing: the server says then what does not fit any more.
    if (now.dataset.state !== desk.dataset.state && !typed()) {
      // Where the focus is, or is to be: a page is changed at times before it is there.
      const at = document.activeElement.closest("[id]:not(body, main)")?.id || location.hash.slice(1);
      if (at) sessionStorage.setItem("desk-focus", location.pathname + " " + at);
      return void location.replace(here);
    }
    ring(desk.dataset.title, now.dataset.title);
    document.title = document.title.replace(desk.dataset.title, now.dataset.title);
    desk.dataset.title = now.dataset.title;
    for (const el of desk.querySelectorAll("[data-live]")) {
      const fresh = now.querySelector(`[data-live="${el.dataset.live}"]`);
      if (!fresh || fresh.innerHTML === el.innerHTML) continue;
      const at = el.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
      el.innerHTML = fresh.innerHTML;
      el.className = fresh.className;
      if (at) el.querySelector(`a[href="${CSS.escape(at)}"]`)?.focus({preventScroll: true});
      if (el.dataset.live === "queue") news.textContent = news.dataset.new;
    }
    if (lines) {
      const last = Math.max(0, ...[...lines.querySelectorAll("[data-no]")].map((l) => Number(l.dataset.no)));
      const end = lines.querySelector("#end");
      for (const l of now.querySelectorAll("[data-no]")) {
        if (Number(l.dataset.no) <= last) {
          const old = lines.querySelector(`[data-no="${l.dataset.no}"]`);
          if (old && old.dataset.undone !== l.dataset.undone) old.replaceWith(l);
          continue;
        }
        lines.querySelector(".none")?.remove();
        end.before(l);
        bottom();
      }
      undoable();
      // What is shown now has been seen.
      for (const rev of desk.querySelectorAll("input[name=rev]")) rev.value = now.dataset.rev;
    }
  }

  // A line can be taken back for some seconds. What is typed meanwhile stays.
  function undoable() {
    for (const f of desk.querySelectorAll("form[data-undo]")) {
      const left = f.dataset.undo;
      f.removeAttribute("data-undo");
      const leave = () => {
        if (f.contains(document.activeElement)) document.getElementById("say")?.focus();
        f.remove();
      };
      setTimeout(leave, left);
      f.addEventListener("submit", async (e) => {
        e.preventDefault();
        const r = await fetch(f.action, {method: "POST", body: new URLSearchParams(new FormData(f))}).catch(() => null);
        if (!r?.ok && !typed()) return void f.submit(); // the page says why
        if (!r?.ok) news.textContent = new DOMParser().parseFromString(await r?.text() ?? "", "text/html").querySelector(".alert")?.textContent ?? news.dataset.lost;
        leave();
        look();
      });
    }
  }
  undoable();

  let stream;
  let looks;
  function over() {
    stream?.close();
    clearInterval(looks);
    news.className = "alert";
    news.textContent = news.dataset.over;
  }

  function listen() {
    stream = new EventSource("/desk/events" + (watch ? "?" + new URLSearchParams({t: watch}) : ""));
    stream.addEventListener("changed", look);
    stream.addEventListener("over", over);
    stream.onopen = () => { if (news.textContent === news.dataset.lost) news.textContent = ""; };
    stream.onerror = () => {
      if (stream.readyState !== EventSource.CLOSED) return; // the browser tries again
      news.textContent = news.dataset.lost;
      setTimeout(listen, 5000);
    };
  }
  if (every) looks = setInterval(() => { if (!document.hidden) look(); }, every * 1000);
  else listen();
  window.addEventListener("pagehide", () => stream?.close());

  // Ctrl+Enter sends, as the hint says.
  for (const t of desk.querySelectorAll("textarea")) {
    t.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) t.form.requestSubmit();
    });
  }
  for (const f of desk.querySelectorAll("form[method=post]")) {
    f.addEventListener("submit", (e) => {
      if (e.defaultPrevented) return;
      if (f.dataset.sent) return void e.preventDefault();
      f.dataset.sent = "1";
      if (f.action.endsWith("/chat/leave")) sessionStorage.clear(); // whoever comes next reads nothing
      leaving = true;
      setTimeout(() => { leaving = false; }, 10000); // it did not come
    });
  }
  window.addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });
})();
