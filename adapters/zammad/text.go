package zammad

import (
	"strings"

	"golang.org/x/net/html"

	"latchkey/bot"
)

// maxFirst is how many runes a first name has at most.
const maxFirst = 40

// firstName is the first name in what Zammad says that an article is from: a name,
// "Maria Braun via Help <help@example.org>", or an address, of which there is none.
func firstName(from string) string {
	name, _, _ := strings.Cut(strings.TrimSpace(bot.Harmless(from)), " ")
	name = strings.Trim(name, `"',<>`)
	if strings.Contains(name, "@") || len([]rune(name)) > maxFirst || name == "-" {
		return ""
	}
	return name
}

// plain is the body of an article as text. What it quotes and its signature are left
// out, and so are pictures.
func plain(body, kind string) string {
	if !strings.Contains(kind, "html") {
		return strings.TrimSpace(body)
	}
	var b strings.Builder
	out := 0 // elements that are open and left out
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch tt := z.Next(); tt {
		case html.ErrorToken:
			return tidy(b.String())
		case html.TextToken:
			if out == 0 {
				b.WriteString(strings.Join(strings.FieldsFunc(string(z.Text()), func(r rune) bool { return r == '\n' || r == '\r' }), " "))
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			t := z.Token()
			switch {
			case out > 0 && !alone[t.Data] && tt == html.StartTagToken, out == 0 && leftOut(&t) && tt == html.StartTagToken:
				out++
			case out == 0 && t.Data == "li":
				b.WriteString("\n- ")
			case out == 0 && breaks[t.Data]:
				b.WriteByte('\n')
			}
		case html.EndTagToken:
			t := z.Token()
			switch {
			case out > 0:
				out--
			case breaks[t.Data] && t.Data != "br":
				b.WriteByte('\n')
			}
		}
	}
}

// alone are elements without an end, breaks those that begin a line.
var (
	alone  = map[string]bool{"br": true, "img": true, "hr": true, "input": true, "wbr": true, "col": true}
	breaks = map[string]bool{"br": true, "p": true, "div": true, "hr": true, "tr": true, "ul": true, "ol": true, "h1": true, "h2": true, "h3": true, "pre": true}
)

// leftOut reports whether an element is not for the person.
func leftOut(t *html.Token) bool {
	switch t.Data {
	case "blockquote", "style", "script":
		return true
	}
	for _, a := range t.Attr {
		if a.Key == "data-signature" {
			return true
		}
	}
	return false
}

// tidy takes out of a text what only kept its elements apart.
func tidy(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		line = strings.Join(strings.Fields(line), " ")
		if line != "" || len(lines) > 0 && lines[len(lines)-1] != "" {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines, "\n"))
}
