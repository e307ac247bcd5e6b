// Puts the chat into a page of another site: a button in the corner that opens
// it in a frame. One tag is enough:
//
//   <script src="https://latchkey.example.org/embed.js" async></script>
//
// Attributes, all optional: data-label (text of the button), data-lang (en, es),
// data-open (open at once). The page's own content security policy, if it has
// one, must allow this origin in script-src and frame-src; no style of ours needs
// allowing.
(() => {
  "use strict";
  const tag = document.currentScript;
  if (!tag || window.latchkeyEmbedded) return;
  window.latchkeyEmbedded = true;
  const origin = new URL(tag.src).origin;
  const labels = "LABELS";
  const wish = (tag.dataset.lang || document.documentElement.lang || navigator.language || "").slice(0, 2).toLowerCase();
  const lang = labels[wish] ? wish : Object.keys(labels)[0];
  const words = labels[lang];

  const style = (el, rules) => Object.assign(el.style, rules);
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = tag.dataset.label || words.open;
  button.lang = tag.dataset.label ? "" : lang;
  button.setAttribute("aria-expanded", "false");
  style(button, {
    position: "fixed", insetInlineEnd: "16px", insetBlockEnd: "16px", zIndex: "2147483000", minHeight: "48px", padding: "12px 20px",
    border: "2px solid #ffffff", borderRadius: "28px", background: "#0b5cad", color: "#ffffff", font: "600 16px/1.3 system-ui, sans-serif",
    cursor: "pointer", boxShadow: "0 4px 16px rgb(0 0 0 / .3)",
  });

  const panel = document.createElement("div");
  panel.setAttribute("role", "dialog");
  panel.setAttribute("aria-label", words.title);
  panel.hidden = true;
  style(panel, {
    position: "fixed", zIndex: "2147483001", boxSizing: "border-box", overflow: "hidden", background: "Canvas",
    border: "1px solid #7b8794", boxShadow: "0 8px 32px rgb(0 0 0 / .35)", display: "none",
  });
  let frame = null;

  // fit: a corner of a large window, all of a small one.
  const small = matchMedia("(max-width: 480px), (max-height: 480px)");
  function fit() {
    style(panel, small.matches
      ? {inset: "0", width: "100%", height: "100%", borderRadius: "0"}
      : {inset: "auto 16px 16px auto", width: "400px", height: "min(640px, calc(100vh - 32px))", borderRadius: "16px"});
    if (!small.matches && getComputedStyle(document.documentElement).direction === "rtl") panel.style.inset = "auto auto 16px 16px";
  }

  function open() {
    if (!frame) {
      frame = document.createElement("iframe");
      frame.title = words.title;
      frame.src = origin + "/chat/embed?lang=" + encodeURIComponent(lang);
      frame.allow = "clipboard-write";
      frame.referrerPolicy = "no-referrer";
      style(frame, {width: "100%", height: "100%", border: "0", display: "block", colorScheme: "normal"});
      panel.append(frame);
    }
    fit();
    panel.hidden = false;
    panel.style.display = "block";
    button.setAttribute("aria-expanded", "true");
    button.style.visibility = "hidden"; // the frame has its own way to close
    frame.focus();
    frame.addEventListener("load", () => { if (!panel.hidden) frame.focus(); }, {once: true});
  }

  function close() {
    panel.hidden = true;
    panel.style.display = "none";
    button.setAttribute("aria-expanded", "false");
    button.style.visibility = "visible";
    button.focus();
  }

  button.addEventListener("click", open);
  document.addEventListener("keydown", (e) => { if (e.key === "Escape" && !panel.hidden) close(); });
  window.addEventListener("message", (e) => {
    if (frame && e.source === frame.contentWindow && e.origin === origin && e.data?.latchkey === "close") close();
  });
  small.addEventListener("change", fit);

  function put() {
    document.body.append(button, panel);
    if (tag.dataset.open !== undefined && tag.dataset.open !== "false") open();
  }
  if (document.body) put();
  else document.addEventListener("DOMContentLoaded", put);
})();
