package teams

// The parts of the Bot Framework's activities and of Adaptive Cards that are
// sent, in the order in which they are written. Sources: the Bot Framework
// activity schema; adaptivecards.io/explorer, schema 1.5.

const (
	cardType   = "application/vnd.microsoft.card.adaptive"
	cardSchema = "http://adaptivecards.io/schemas/adaptive-card.json"
)

// outgoing is an activity of ours.
type outgoing struct {
	Type         string       `json:"type"`
	From         *party       `json:"from,omitempty"`
	Recipient    *party       `json:"recipient,omitempty"`
	Conversation *party       `json:"conversation,omitempty"`
	Locale       string       `json:"locale,omitempty"`
	TextFormat   string       `json:"textFormat,omitempty"`
	Text         string       `json:"text,omitempty"`
	Summary      string       `json:"summary,omitempty"` // for the notification and the list of chats
	Attachments  []attachment `json:"attachments,omitempty"`
}

type party struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

type attachment struct {
	ContentType string `json:"contentType"`
	Content     *card  `json:"content"`
}

type card struct {
	Type     string `json:"type"`
	Schema   string `json:"$schema"`
	Version  string `json:"version"`
	Lang     string `json:"lang,omitempty"`
	Fallback string `json:"fallbackText,omitempty"` // for a client that cannot show the card
	Body     []any  `json:"body"`
	Actions  []any  `json:"actions,omitempty"`
}

// msteams asks Teams for more than a button does elsewhere.
type msteams struct {
	Type string `json:"type"`
}

// richText is a line: text runs have no markup, unlike a TextBlock.
type richText struct {
	Type    string `json:"type"`
	Spacing string `json:"spacing,omitempty"`
	Inlines []run  `json:"inlines"`
}

type run struct {
	Type   string `json:"type"`
	Text   string `json:"text"`
	Subtle bool   `json:"isSubtle,omitempty"`
	Italic bool   `json:"italic,omitempty"`
	Size   string `json:"size,omitempty"`
	Weight string `json:"weight,omitempty"`
	Font   string `json:"fontType,omitempty"`
}

type shownImage struct {
	Type  string `json:"type"`
	URL   string `json:"url"`
	Alt   string `json:"altText"`
	Width string `json:"width,omitempty"`
	Back  string `json:"backgroundColor,omitempty"`
}

type input struct {
	Type        string `json:"type"`
	ID          string `json:"id"`
	Label       string `json:"label"`
	Placeholder string `json:"placeholder,omitempty"` // clients before 1.3 show no label
	Style       string `json:"style,omitempty"`
	MaxLength   int    `json:"maxLength,omitempty"`
	Multiline   bool   `json:"isMultiline,omitempty"`

	Choices  []choiceIn `json:"choices,omitempty"` // of an Input.ChoiceSet
	Required bool       `json:"isRequired,omitempty"`
	Error    string     `json:"errorMessage,omitempty"`
}

type choiceIn struct {
	Title string `json:"title"`
	Value string `json:"value"`
}

type actionSet struct {
	Type    string `json:"type"`
	Actions []any  `json:"actions"`
}

type submit struct {
	Type   string  `json:"type"`
	Title  string  `json:"title"`
	Verb   string  `json:"verb,omitempty"` // of an Action.Execute
	Style  string  `json:"style,omitempty"`
	Inputs string  `json:"associatedInputs,omitempty"`
	Data   sending `json:"data"`
}

// sending is the data of a button.
type sending struct {
	Ours  *pressed `json:"latchkey"`
	Teams *msteams `json:"msteams,omitempty"`
}

type openURL struct {
	Type  string `json:"type"`
	Title string `json:"title"`
	Style string `json:"style,omitempty"`
	URL   string `json:"url"`
}

func newCard(lang string) *card {
	return &card{Type: "AdaptiveCard", Schema: cardSchema, Version: "1.5", Lang: lang}
}

func (c *card) line(spacing string, r run) {
	r.Type = "TextRun"
	c.Body = append(c.Body, richText{Type: "RichTextBlock", Spacing: spacing, Inlines: []run{r}})
}

func (c *card) activity(summary string) *outgoing {
	return &outgoing{Type: "message", Locale: c.Lang, Summary: summary, Attachments: []attachment{{ContentType: cardType, Content: c}}}
}
