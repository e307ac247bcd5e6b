// The demo's pretend phone: one app at a time, what arrives comes in by itself,
// and the phone turns to what the chat is about. Without this script the phone
// is a list that is renewed with the page.
(() => {
  'use strict';
  const pane = document.getElementById('phone');
  const chat = document.getElementById('chat-pane');
  const news = document.getElementById('phone-news');
  if (!pane || !chat || !window.fetch) return;
  const phone = pane.querySelector('.phone');
  const apps = ['notes', 'texts', 'calls', 'mails', 'codes'];
  const all = (q, within = phone) => [...within.querySelectorAll(q)];
  const app = (name) => phone.querySelector('#app-' + name);
  const tab = (name) => phone.querySelector(`.dock [data-app=${name}]`);
  const narrow = matchMedia('(max-width: 56.24rem)');

  // One app at a time.
  let here = '';
  function turn(name, focus) {
    if (here && here !== name) all('.item.fresh', app(here)).forEach(read);
    here = name;
    for (const a of apps) {
      app(a).classList.toggle('here', a === name);
      if (a === name) tab(a).setAttribute('aria-current', 'true');
      else tab(a).removeAttribute('aria-current');
    }
    phone.querySelector('.phone-screen').scrollTop = 0;
    if (focus) app(name).querySelector('h3').focus({ preventScroll: true });
    badges();
  }

  // Who works in the phone by keyboard or screen reader is not carried away.
  const busy = () => phone.matches(':focus-within') && phone.querySelector(':focus-visible') !== null;

  phone.addEventListener('click', (e) => {
    const a = e.target.closest('.dock a');
    if (!a) return;
    e.preventDefault();
    turn(a.dataset.app, e.detail === 0);
  });

  // Chat or phone, where there is room for one.
  const panes = all('.panes a', document);
  function pick(name, focus) {
    document.body.dataset.pane = name;
    for (const a of panes) {
      if (a.dataset.pane === name) a.setAttribute('aria-current', 'true');
      else a.removeAttribute('aria-current');
    }
    if (focus) (name === 'phone' ? app(here).querySelector('h3') : chat.querySelector('h1, h2, h3, input:not([type=hidden])'))?.focus({ preventScroll: true });
    if (narrow.matches) scrollTo(0, document.body.scrollHeight);
    badges();
  }
  document.addEventListener('click', (e) => {
    const a = e.target.closest('.panes a, .skips a');
    if (!a) return;
    const name = a.getAttribute('href') === '#phone' ? 'phone' : 'chat';
    if (a.closest('.panes')) e.preventDefault();
    pick(name, e.detail === 0 && a.closest('.panes'));
  });

  // What is new says so in words: on the item, and as a number on the tab.
  function read(item) {
    item.classList.remove('fresh');
    item.querySelector('.mark')?.remove();
  }
  function count(link, n) {
    const b = link.querySelector('.badge');
    b.hidden = n === 0;
    if (n === 0) { b.textContent = ''; return; }
    b.textContent = n;
    const more = document.createElement('span');
    more.className = 'visually-hidden';
    more.textContent = ' ' + phone.dataset.newMark;
    b.append(more);
  }
  function badges() {
    let sum = 0;
    for (const a of apps) {
      const n = all('.item.fresh', app(a)).length;
      sum += n;
      count(tab(a), a === here ? 0 : n);
    }
    const link = panes.find((a) => a.dataset.pane === 'phone');
    count(link, document.body.dataset.pane === 'phone' ? 0 : sum);
  }

  // The same words twice are said twice.
  function tell(words) {
    news.textContent = '';
    setTimeout(() => { news.textContent = words; }, 50);
  }

  // The phone rings: look what is there, and take over what is new.
  let asked = 0;
  let seen = 0;
  let waiting = null; // what arrived and was not answered in the chat yet
  async function look(request) {
    const no = ++asked;
    try {
      const r = await (request || fetch('/demo/phone?lang=' + document.documentElement.lang, { headers: { 'X-Latchkey': 'fetch' } }));
      if (!r.ok || no < seen) return false;
      const t = document.createElement('template');
      t.innerHTML = await r.text();
      const next = t.content.querySelector('.phone');
      if (!next || no < seen) return false;
      seen = no;
      take(next);
      return true;
    } catch {
      return false; // the stream asks again when it is back
    }
  }
  function take(next) {
    // A session that began: its buttons work, those from before do not.
    if (next.dataset.session !== phone.dataset.session) {
      phone.dataset.session = next.dataset.session;
      for (const q of ['#app-notes', '.scan']) phone.querySelector(q).replaceWith(next.querySelector(q).cloneNode(true));
      for (const name of ['texts', 'calls', 'mails']) app(name).querySelector('.items').replaceChildren(...all('.item', next.querySelector('#app-' + name)).map((i) => i.cloneNode(true)));
      turn(here);
    }
    for (const name of ['mails', 'calls', 'texts']) {
      const list = app(name).querySelector('.items');
      const known = new Set(all('.item', list).map((i) => i.dataset.id));
      const fresh = all('.item', next.querySelector('#app-' + name)).filter((i) => !known.has(i.dataset.id));
      for (const item of fresh.reverse()) arrive(name, list, item);
    }
    codes(next.querySelector('#app-codes'));
    wake(phone);
    badges();
  }
  function arrive(name, list, item) {
    const mark = document.createElement('span');
    mark.className = 'mark';
    mark.textContent = phone.dataset.newMark;
    item.classList.add('fresh');
    (item.querySelector('summary') && name === 'mails' ? item.querySelector('summary') : item.querySelector('.item-head')).prepend(mark);
    if (name === 'mails') all('details', list).forEach((d) => { d.open = false; });
    all('.say-it .primary', list).forEach((b) => b.classList.remove('primary'));
    list.prepend(item);
    tell(phone.dataset[name + 'News']);
    if (!item.querySelector('[data-chat]')) return; // a notice can wait
    waiting = name;
    if (!busy()) turn(name);
  }

  // The authenticator: the same digits until they change.
  let until = [];
  function codes(next) {
    const mine = app('codes');
    const held = document.activeElement?.closest?.('.totp')?.dataset.name;
    const told = next.querySelector('.told');
    if (told) {
      mine.querySelector('.told')?.remove();
      mine.querySelector('h3').after(told);
      tell(told.textContent);
      if (told.matches('[data-scanned]')) scanned = picture()?.closest('article')?.id;
    }
    mine.querySelector('.items').replaceChildren(...all('.totp', next));
    recommend();
    if (held) all('.totp', mine).find((c) => c.dataset.name === held)?.querySelector('button')?.focus();
    until = all('.totp', mine).map((c) => performance.now() + 1000 * c.dataset.left);
    tick();
  }
  // First the camera, then the digits.
  let scanned = '';
  function recommend() {
    const at = picture()?.closest('article')?.id;
    const scan = all('.totp').length === 0 || (at !== undefined && at !== scanned);
    phone.querySelector('.scan button').classList.toggle('primary', scan);
    for (const b of all('.totp button')) b.classList.toggle('primary', !scan);
  }
  let renewing = false;
  function tick() {
    phone.querySelector('.phone-clock').textContent = new Date().toTimeString().slice(0, 5);
    all('.totp').forEach((c, i) => {
      const left = Math.max(0, Math.ceil((until[i] - performance.now()) / 1000));
      c.classList.toggle('soon', left <= 5);
      c.querySelector('.ring').setAttribute('stroke-dashoffset', Math.max(0, 30 - left));
      const words = c.querySelector('.totp-left span');
      words.textContent = words.textContent.replace(/\d+/, left);
      if (left === 0 && !renewing && !document.hidden) {
        renewing = true;
        look().finally(() => { renewing = false; });
      }
    });
  }

  // The phone turns to what the chat is about: the camera while a picture is
  // there, the notes otherwise, but what has just arrived first.
  const picture = () => chat.querySelector('img.qr, a.otpauth');
  const field = (name) => [...chat.querySelectorAll(`[name="f.${name}"]`)].filter((f) => !f.disabled).pop();
  // What helps now stands first in the notes.
  function order(needed) {
    const pads = Object.fromEntries(all('.pad').map((p) => [p.dataset.pad, p]));
    const known = all('progress', chat).some((p) => p.value > 1); // past the question who one is
    pads.private.classList.toggle('now', needed);
    let names = known ? ['reach', 'people'] : ['people', 'reach'];
    if (needed) names.unshift('private');
    else names.push('private');
    names = names.filter((n) => pads[n]); // nobody to pick where people sign in on a page
    if (all('.pad').map((p) => p.dataset.pad).join() === names.join()) return;
    app('notes').append(...names.map((n) => pads[n]));
  }
  let about = '';
  function follow() {
    let needed = false;
    for (const b of all('[data-fill]')) {
      const on = b.dataset.fill.split(' ').every(field);
      b.hidden = !on;
      needed = needed || on;
      const only = b.closest('[data-only]');
      if (only) only.hidden = !on;
    }
    order(needed);
    recommend();
    const said = [...chat.querySelectorAll('article.said')].pop();
    const now = (picture() ? 'codes' : 'notes') + (said ? said.dataset.seq : '');
    if (now === about) return;
    const first = about === '';
    about = now;
    if (!first) phone.querySelector('.told')?.remove();
    if (phone.dataset.session === '0' && said) look();
    if (waiting || busy()) return;
    if (first && location.hash.startsWith('#app-')) return;
    turn(picture() ? 'codes' : 'notes');
  }
  let soon = 0;
  new MutationObserver(() => {
    clearTimeout(soon);
    soon = setTimeout(follow, 60);
  }).observe(chat, { childList: true, subtree: true });

  // Whatever the person does next in the chat answers what had arrived.
  document.addEventListener('submit', (e) => {
    if (e.target.matches('[data-scan]')) {
      e.preventDefault();
      const body = new URLSearchParams(new FormData(e.target));
      look(fetch('/demo/scan?lang=' + document.documentElement.lang, { method: 'POST', body, headers: { 'X-Latchkey': 'fetch' } }))
        .then((ok) => { if (!ok) location.reload(); });
      return;
    }
    waiting = null;
    if (!phone.contains(e.target)) return;
    window.speechSynthesis?.cancel();
    const item = e.target.closest('.item');
    if (item) read(item);
    badges();
    // The chat's own form sends it, so that it is shown and repeated like typed text.
    const box = chat.querySelector('#say');
    if (box && !box.disabled) {
      e.preventDefault();
      const draft = box.value;
      box.value = e.target.elements.text.value;
      box.form.requestSubmit();
      if (box.value === '') box.value = draft;
    }
    if (narrow.matches) pick('chat');
  }, true);

  // Filling in a private form, and reading a call out: only when asked.
  phone.addEventListener('click', (e) => {
    const fill = e.target.closest('[data-fill]');
    if (fill) {
      const values = fill.dataset.value.split('\n');
      let last = null;
      fill.dataset.fill.split(' ').forEach((name, i) => {
        last = field(name);
        if (!last) return;
        last.value = values[i];
        last.dispatchEvent(new Event('input', { bubbles: true }));
        last.dispatchEvent(new Event('change', { bubbles: true }));
      });
      if (last) {
        if (narrow.matches) pick('chat');
        const go = last.form?.querySelector('button:not([type=button])');
        setTimeout(() => { // the chat looks at its end first
          go?.focus({ preventScroll: true });
          go?.scrollIntoView({ block: 'nearest' });
        }, 60);
      }
      return;
    }
    const speak = e.target.closest('[data-speak]');
    if (speak) say(speak);
  });
  function say(button) {
    const name = button.dataset.name || (button.dataset.name = button.textContent);
    if (speechSynthesis.speaking || speechSynthesis.pending) {
      speechSynthesis.cancel();
      button.textContent = name;
      return;
    }
    const words = new SpeechSynthesisUtterance(button.dataset.speak);
    words.lang = button.dataset.lang;
    words.rate = 0.9;
    words.onend = () => { button.textContent = name; };
    words.onerror = (e) => {
      button.textContent = name;
      if (e.error !== 'canceled' && e.error !== 'interrupted') tell(button.dataset.mute);
    };
    button.textContent = button.dataset.stop;
    speechSynthesis.speak(words);
    if (speechSynthesis.getVoices().length === 0) {
      // Without a voice some browsers never say that they are done.
      setTimeout(() => {
        if (speechSynthesis.getVoices().length > 0) return;
        speechSynthesis.cancel();
        button.textContent = name;
        button.after(Object.assign(document.createElement('span'), { className: 'quiet', textContent: ' ' + button.dataset.mute }));
        button.hidden = true;
        tell(button.dataset.mute);
      }, 1500);
    }
  }
  function wake(within) {
    for (const b of all('[data-speak]', within)) b.hidden = !('speechSynthesis' in window) || b.nextElementSibling !== null;
    all('.call details', within).forEach((d) => {
      d.ontoggle = () => {
        if (d.open) read(d.closest('.item'));
        else window.speechSynthesis?.cancel();
        badges();
      };
    });
  }

  document.addEventListener('latchkey:phone', () => look());
  document.addEventListener('visibilitychange', () => { if (!document.hidden) look(); });

  phone.classList.add('alive');
  document.body.classList.add('one');
  until = all('.totp').map((c) => performance.now() + 1000 * c.dataset.left);
  wake(phone);
  turn(location.hash.startsWith('#app-') && tab(location.hash.slice(5)) ? location.hash.slice(5) : 'notes');
  pick(location.hash === '#phone' || location.hash.startsWith('#app-') ? 'phone' : 'chat');
  follow();
  setInterval(tick, 1000);
})();
