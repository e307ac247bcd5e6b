package zammad

import "testing"

// What agents write in Zammad's editor is text for the person.
func TestPlain(t *testing.T) {
	for _, c := range []struct{ body, kind, want string }{
		{"It is <b>not</b>\n here", "text/plain", "It is <b>not</b>\n here"},
		{"Hello<br>Ann &lt;3<br><br>Bye", "text/html", "Hello\nAnn <3\n\nBye"},
		{"<div>one</div><div>two</div>", "text/html", "one\n\ntwo"},
		{"Do:<ul><li>this</li><li>that</li></ul>", "text/html; charset=utf-8", "Do:\n\n- this\n- that"},
		{"new<blockquote>old <img src=x> <br>older <p>x</p></blockquote> end", "text/html", "new end"},
		{`text<div data-signature="true" data-signature-id="1">Maria<br>--</div>`, "text/html", "text"},
		{"<style>p{}</style><script>alert(1)</script>x", "text/html", "x"},
		{`<img src="cid:1">`, "text/html", ""},
		{"a<blockquote>never closed", "text/html", "a"},
		{"</blockquote></div>a", "text/html", "a"},
	} {
		if got := plain(c.body, c.kind); got != c.want {
			t.Errorf("%q: got %q, want %q", c.body, got, c.want)
		}
	}
	for from, want := range map[string]string{
		"Maria Braun": "Maria", "Maria Braun via Help <help@example.org>": "Maria", "help@example.org": "", `"Braun, Maria"`: "Braun", "": "", "- ": "", "\u202eMaria": "Maria",
		"Mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm Braun": "",
	} {
		if got := firstName(from); got != want {
			t.Errorf("from %q: %q, want %q", from, got, want)
		}
	}
}
