package discord

import (
	"net/http"
	"strings"
	"time"

	"github.com/bwmarrin/discordgo"

	"latchkey/bot"
)

// The slash command: /setup opens the direct conversation; with a word, it says
// that word there. Names of commands are Discord's own words, 1 to 32 lower-case
// letters.
const (
	commandName = "setup"
	optionName  = "what"
	start       = "start"
)

// A command is what is registered. Source: Application Commands.
type command struct {
	Type         int               `json:"type"` // 1: /name
	Name         string            `json:"name"`
	Description  string            `json:"description"` // 1 to 100 characters
	Descriptions map[string]string `json:"description_localizations,omitempty"`
	Options      []option          `json:"options,omitempty"`
	Contexts     []int             `json:"contexts,omitempty"`          // 0: servers, 1: the bot's direct messages; not for a command of one server
	Integrations []int             `json:"integration_types,omitempty"` // 0: servers that have the bot
}

type option struct {
	Type         int               `json:"type"` // 3: text
	Name         string            `json:"name"`
	Description  string            `json:"description"`
	Descriptions map[string]string `json:"description_localizations,omitempty"`
	Choices      []optionChoice    `json:"choices"`
}

type optionChoice struct {
	Name  string            `json:"name"`
	Names map[string]string `json:"name_localizations,omitempty"`
	Value string            `json:"value"`
}

// locales are Discord's names of our languages (Reference, Locales).
var locales = map[string][]string{
	"en": {"en-US", "en-GB"}, "es": {"es-ES", "es-419"}, "pt": {"pt-BR"}, "sv": {"sv-SE"}, "zh": {"zh-CN", "zh-TW"},
	"de": {"de"}, "fr": {"fr"}, "it": {"it"}, "nl": {"nl"}, "pl": {"pl"}, "da": {"da"}, "no": {"no"}, "fi": {"fi"}, "ja": {"ja"}, "ko": {"ko"},
	"cs": {"cs"}, "el": {"el"}, "hu": {"hu"}, "hr": {"hr"}, "lt": {"lt"}, "ro": {"ro"}, "ru": {"ru"}, "uk": {"uk"}, "vi": {"vi"}, "th": {"th"},
	"tr": {"tr"}, "bg": {"bg"}, "hi": {"hi"}, "id": {"id"},
}

// commands are all there are. guild: they are for one server.
func commands(phrases bot.Phrases, lang string, guild bool) []command {
	in := func(key string) (text string, others map[string]string) {
		text = cut(oneLine(phrases.Phrase(lang, key)), 100)
		for _, l := range phrases.Languages() {
			for _, name := range locales[l] {
				if l != lang {
					if others == nil {
						others = map[string]string{}
					}
					others[name] = cut(oneLine(phrases.Phrase(l, key)), 100)
				}
			}
		}
		return text, others
	}
	c := command{Type: 1, Name: commandName}
	c.Description, c.Descriptions = in("chat.command.about")
	o := option{Type: 3, Name: optionName}
	o.Description, o.Descriptions = in("chat.command.option")
	words, others := in("chat.command.hint")
	// What is sent is the English word, which is understood in every language.
	sent := strings.Split(oneLine(phrases.Phrase("en", "chat.command.hint")), "|")
	shown := strings.Split(words, "|")
	for n, v := range sent {
		x := optionChoice{Name: strings.TrimSpace(v), Value: strings.TrimSpace(v)}
		if x.Value == "" {
			continue
		}
		if len(shown) == len(sent) {
			x.Name = strings.TrimSpace(shown[n])
		}
		for l, all := range others {
			if w := strings.Split(all, "|"); len(w) == len(sent) {
				if x.Names == nil {
					x.Names = map[string]string{}
				}
				x.Names[l] = strings.TrimSpace(w[n])
			}
		}
		o.Choices = append(o.Choices, x)
	}
	c.Options = []option{o}
	if !guild {
		c.Contexts, c.Integrations = []int{0, 1}, []int{0}
	}
	return []command{c}
}

// register tells Discord the commands. Telling the same again changes nothing.
// Without them, people still write direct messages.
func (a *Adapter) register(r *run) {
	to := discordgo.EndpointApplicationGlobalCommands(a.o.ApplicationID)
	if a.o.Guild != "" {
		to = discordgo.EndpointApplicationGuildCommands(a.o.ApplicationID, a.o.Guild)
	}
	body := encode(commands(a.o.Phrases, a.o.Lang, a.o.Guild != ""))
	for try := 0; ; try++ {
		_, err := a.do(r.ctx, request{method: http.MethodPut, address: to, body: body})
		if err == nil {
			return
		}
		if r.ctx.Err() != nil {
			return
		}
		if try == 4 {
			a.o.Log.Error("the slash command could not be registered; people can still write direct messages", "err", err)
			return
		}
		if !bot.Sleep(r.ctx, time.Duration(try+1)*5*time.Second) {
			return
		}
	}
}
