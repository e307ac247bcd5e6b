package web

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// embedPage is the chat for a frame inside another site's page. Its requests
// carry framed=1, and its session is its own.
func (a *Adapter) embedPage(w http.ResponseWriter, r *http.Request) {
	if !a.embeddable(w, r) {
		return
	}
	h := w.Header()
	h.Del("Cross-Origin-Opener-Policy") // says nothing inside a frame
	// A page that asks for isolation (COEP) may frame it all the same: who may
	// is said by frame-ancestors.
	h.Set("Cross-Origin-Resource-Policy", "cross-origin")
	a.showChat(w, r, embedPath)
}

// embedScript puts a button into another site's page.
func (a *Adapter) embedScript(w http.ResponseWriter, r *http.Request) {
	if !a.embeddable(w, r) {
		return
	}
	labels := map[string]map[string]string{}
	for _, lang := range a.o.Phrases.Languages() {
		t := a.words.in(lang)
		labels[lang] = map[string]string{"open": t("chat.embed.open"), "close": t("chat.embed.close"), "title": t("chat.title", "bot", a.o.BotName)}
	}
	list, err := json.Marshal(labels) // escapes <, > and &: safe inside a script
	if err != nil {
		a.trouble(w, r, err)
		return
	}
	f := statics["embed.js"]
	body := bytes.Replace(f.body, []byte(`"LABELS"`), list, 1)
	w.Header().Set("Cross-Origin-Resource-Policy", "cross-origin")
	serveStatic(w, r, &static{body, f.kind, etag(body)})
}

// embeddable reports whether any site may embed the chat.
func (a *Adapter) embeddable(w http.ResponseWriter, r *http.Request) bool {
	if len(a.o.Embed) > 0 {
		return true
	}
	a.o.Log.Info("web: somebody asks for the embedded chat, but no site may embed it; channels.web.embed lists the sites", "route", r.Pattern)
	a.problem(w, r, http.StatusNotFound, "nowhere")
	return false
}
