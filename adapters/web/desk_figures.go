package web

import (
	"net/http"
	"slices"
	"strconv"
	"time"

	"latchkey/bot"
)

// figureDays are the spans that a page of figures can be asked for.
var figureDays = []int{7, 30, 90}

// figureRows is how many steps and reasons the page names; the CSV has all.
const figureRows = 15

// A deskFigures is the page of figures, in words.
type deskFigures struct {
	deskFrame
	*bot.DeskFigures
	Spans   []int
	Wait    string
	Busiest *figureLine // the step that made most tickets this week; nil: no step made two
	Times   []figureTime
	Rated   []figureLine
	ByStep  []figureLine
	ByWhy   []figureLine
	Chart   []figureDay
	Most    int // of the chart's bars
}

// A figureTime is how long something took.
type figureTime struct {
	What, Median, Ninth string
	N, Missed           int
}

// A figureLine is how often something was.
type figureLine struct {
	ID          string // of its line in the table
	Label, Name string
	Text        string
	N, Week     int
	Bar         int // of 100
}

// A figureDay is a day of the chart: bars that stand on y = 100.
type figureDay struct {
	Day            string
	X              int
	Opened, Solved int
	H, S           int // heights
}

// OpenedY, SolvedX and SolvedY place the two bars.
func (d figureDay) OpenedY() int { return 100 - d.H }
func (d figureDay) SolvedX() int { return d.X + 5 }
func (d figureDay) SolvedY() int { return 100 - d.S }

// atFigures gives the figures that a request asks for, or answers.
func (a *Adapter) atFigures(w http.ResponseWriter, r *http.Request) (*seat, *bot.DeskFigures, bool) {
	st, ok := a.atDesk(w, r)
	if !ok {
		return nil, nil, false
	}
	days, err := strconv.Atoi(r.URL.Query().Get("days"))
	if err != nil || !slices.Contains(figureDays, days) {
		days = figureDays[1]
	}
	f, err := a.o.Desk.Figures(r.Context(), st.Person, st.lang, days)
	if err != nil {
		a.deskTrouble(w, r, err)
		return nil, nil, false
	}
	return st, f, true
}

// deskFigures shows what the desk did. Only who may see it finds the page.
func (a *Adapter) deskFigures(w http.ResponseWriter, r *http.Request) {
	st, f, ok := a.atFigures(w, r)
	if !ok {
		return
	}
	t := a.words.in(st.lang)
	long := func(n int, d time.Duration) string {
		if n == 0 {
			return "–"
		}
		return bot.Wait(a.o.Phrases, st.lang, d)
	}
	p := &deskFigures{deskFrame: a.deskFrame(st), DeskFigures: f, Spans: figureDays, Wait: long(f.Waiting, f.Longest)}
	p.Title = t("desk.figures")
	for _, s := range []struct {
		what string
		bot.Spread
	}{{"answer", f.Answer}, {"solve", f.Solve}} {
		p.Times = append(p.Times, figureTime{t("desk.figures." + s.what), long(s.N, s.Median), long(s.N, s.Ninth), s.N, s.Missed})
	}
	for rating := len(f.Ratings) - 1; rating > 0; rating-- {
		p.Rated = append(p.Rated, figureLine{Label: t("desk.figures.rated." + strconv.Itoa(rating)), N: f.Ratings[rating]})
	}
	p.ByStep, p.ByWhy = a.figureLines(st.lang, "step", f.Steps), a.figureLines(st.lang, "reason", f.Reasons)
	for _, list := range [][]figureLine{p.Rated, p.ByStep, p.ByWhy} {
		bars(list)
	}
	for i := range p.ByStep {
		if l := &p.ByStep[i]; l.Week > 1 && l.Name != "" && (p.Busiest == nil || l.Week > p.Busiest.Week) {
			p.Busiest = l
		}
	}
	for _, d := range f.ByDay {
		p.Most = max(p.Most, d.Opened, d.Solved)
	}
	for i, d := range f.ByDay {
		p.Chart = append(p.Chart, figureDay{d.Day, 10 * i, d.Opened, d.Solved, 100 * d.Opened / max(1, p.Most), 100 * d.Solved / max(1, p.Most)})
	}
	a.deskPage(w, r, http.StatusOK, "desk_figures", st.lang, p.Title, p)
}

// figureLines are the first of some counts, in words.
func (a *Adapter) figureLines(lang, kind string, list []bot.DeskCount) (lines []figureLine) {
	for i := range list[:min(len(list), figureRows)] {
		c := &list[i]
		l := figureLine{ID: kind + "-" + strconv.Itoa(i+1), Label: c.Title, Name: c.Name(), Text: c.Text, N: c.N, Week: c.Week}
		if l.Label == "" {
			l.Label = bot.ErrorWords(a.o.Phrases, lang, l.Name)
		}
		if l.Label == "" {
			l.Label = a.words.in(lang)("desk.figures." + kind + ".none")
		}
		lines = append(lines, l)
	}
	return lines
}

// bars gives lines the length of their bars.
func bars(lines []figureLine) {
	most := 1
	for i := range lines {
		most = max(most, lines[i].N)
	}
	for i := range lines {
		lines[i].Bar = 100 * lines[i].N / most
	}
}

// deskFiguresCSV gives all figures as a file.
func (a *Adapter) deskFiguresCSV(w http.ResponseWriter, r *http.Request) {
	_, f, ok := a.atFigures(w, r)
	if !ok {
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="desk-`+strconv.Itoa(f.Days)+`-days.csv"`)
	if err := f.WriteCSV(w); err != nil && r.Context().Err() == nil {
		a.o.Log.Debug("web: the figures of the desk are cut off", "err", err)
	}
}
