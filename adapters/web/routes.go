package web

import (
	"net/http"
	"slices"
)

// A router is a ServeMux that knows its patterns, so that a test of all routes
// cannot forget one.
type router struct {
	*http.ServeMux
	patterns []string
}

func (m *router) Handle(pattern string, h http.Handler) {
	m.patterns = append(m.patterns, pattern)
	m.ServeMux.Handle(pattern, h)
}

func (m *router) HandleFunc(pattern string, fn func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(fn))
}

// Routes lists what Handler serves, as patterns of http.ServeMux.
func (a *Adapter) Routes() []string { return slices.Clone(a.mux.patterns) }
