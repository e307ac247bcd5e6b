package readiness

import (
	"fmt"
	"strings"

	"latchkey/bot"
)

// Sentences for operators. What people read in a conversation comes from the
// scripts.

var reasonTexts = map[Reason]string{
	TextEnds:     "Microsoft's texts and calls end on 1 February 2027",
	CallEnds:     "Microsoft's calls end on 1 February 2027",
	QuestionEnds: "questions end in March 2027, and are no second factor",
	MailNoFactor: "e-mail resets a password, and is no second factor",
	Forbidden:    "forbidden by the tenant's policy",
	OldSettings:  "not in the policy; the old settings still count, and cannot be read",
	NotForReset:  "good for the sign-in, not for a reset",
	NoFactor:     "no second factor",
	SameClass:    "counted already: for a reset it is the same method",
	NoAlternate:  "second phones do not count for a reset",
	Temporary:    "a Temporary Access Pass ends by itself",
	UnknownWord:  "a word of Microsoft's that is not known here",
	PushAlone:    "where one method is asked for, the app's code counts and its notification does not",
	NotCapable:   "not today either, by Microsoft's own report",
	ResetOff:     "reset is switched off for the person",
	AdminsOff:    "reset is switched off for administrators",
	NotReported:  "Microsoft's report does not have the person",
	GuestElse:    "external users sign in at home, and have until 1 July 2027",
	FewerNeeded:  "Microsoft asks for fewer methods than entra.methods_needed says",
	ReportOlder:  "the person's own page is newer than Microsoft's report",
	Uncounted:    "Microsoft's figure leaves this kind of method out",
	NotListed:    "Microsoft counts something that its report does not list",
	OnlyGroups:   "the policy lets only some groups use it, and who is in them is not known here",
}

// Text is the reason in words, for an operator.
func (r Reason) Text() string {
	if t := reasonTexts[r]; t != "" {
		return t
	}
	return string(r)
}

var remedyTexts = map[Remedy]string{
	AddApp:     "add an authenticator app",
	AddMail:    "add a private e-mail address",
	AddPasskey: "add a passkey or security key",
	AddToken:   "get a device that shows codes (hardware token), where the tenant has these switched on",
	AddPhone:   "add a phone number",
	AskPerson:  "see the help desk: nothing that they can add themselves is left",
}

// Text is the remedy in words, for an operator: what a person has to do.
func (r Remedy) Text() string {
	if t := remedyTexts[r]; t != "" {
		return t
	}
	return string(r)
}

// Remedies are all that can be done, in the order of lists.
func Remedies() []Remedy {
	return []Remedy{AddApp, AddMail, AddPasskey, AddToken, AddPhone, AskPerson}
}

var kindTexts = [...]string{"not known here", "notification of Microsoft Authenticator", "phone sign-in with Microsoft Authenticator", "code of an authenticator app",
	"code of a hardware token", "passkey or security key", "Windows Hello for Business", "key of a Mac", "another company's factor", "mobile phone",
	"text to a mobile phone", "call to a mobile phone", "second phone", "office phone", "e-mail", "security questions", "app password",
	"Temporary Access Pass", "QR code"}

// MethodText is a word of the report in words.
func MethodText(word string) string { return kindTexts[kindOf(word)] }

// Nudging says what Microsoft does by itself about those who depend on texts
// and calls, and what that leaves: sentences for an operator. pol is nil when it
// was never read.
func Nudging(pol *bot.TenantPolicy, c *Counts) []string {
	if c.Prompted == 0 {
		return []string{"Nobody depends on texts and calls alone, so Microsoft's passkey prompt of 1 February 2027 stops nobody."}
	}
	return []string{
		until(pol),
		fmt.Sprintf("From 1 February 2027 Microsoft stops %s at the sign-in until a passkey is added: texts or calls are the only second factor. Nobody can opt out.", people(c.Prompted)),
		fmt.Sprintf("A passkey saves the sign-in, and never the password reset: %s of these could still not reset.", number(c.Left)),
		fmt.Sprintf("If all of these follow the prompt, %s %s still at risk. The prompt does not come on Linux, in apps on Android, inside single sign-on, or where Conditional Access forbids registration.",
			people(c.AtRisk-c.SavedByPrompt()), plural(c.AtRisk-c.SavedByPrompt(), "is", "are")),
	}
}

// SavedByPrompt is how many are at risk no more once they have followed
// Microsoft's prompt.
func (c *Counts) SavedByPrompt() int { return c.Prompted - c.Left }

// until says what the registration campaign does before the day
// (how-to-mfa-registration-campaign).
func until(pol *bot.TenantPolicy) string {
	if pol == nil {
		return "The tenant's policy was never read, so whether Microsoft nudges people before that day is not known."
	}
	what := "a passkey"
	if strings.EqualFold(pol.Campaign.Target, "microsoftAuthenticator") {
		what = "Microsoft Authenticator"
	}
	switch strings.ToLower(pol.Campaign.State) {
	case "disabled":
		return "Your registration campaign is switched off, so until that day Microsoft asks nobody."
	case "enabled":
		often := "put it off each time"
		if n := pol.Campaign.Snooze; n > 0 {
			often = fmt.Sprintf("put it off for %d %s at a time", n, plural(n, "day", "days"))
		}
		if pol.Campaign.Enforce {
			often += ", three times at most"
		}
		return fmt.Sprintf("Until that day your registration campaign asks people after the sign-in to add %s; they can %s.", what, often)
	}
	return "Until that day Microsoft's own campaign asks people after the sign-in to add a passkey; they can skip it as often as they like."
}

func people(n int) string { return number(n) + " " + plural(n, "person", "people") }

func plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}

// number writes a count with commas.
func number(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// Number writes a count as these sentences do: "1,500".
func Number(n int) string { return number(n) }

// Advice is what an operator can do about the settings: sentences, most people
// first by their kind; none where nothing is to be done.
func Advice(pol *bot.TenantPolicy, c *Counts) (all []string) {
	say := func(n int, format string, args ...any) {
		if n > 0 {
			all = append(all, people(n)+" "+fmt.Sprintf(format, args...))
		}
	}
	say(c.SignIn.Unprotected, "%s no second factor at all: nothing is lost on the day, and a password alone is what protects them.", plural(c.SignIn.Unprotected, "has", "have"))
	say(c.Reset.Off, "cannot reset because it is switched off for them: Microsoft Entra admin center, Password reset, Properties.")
	old := max(c.SignIn.Differs[OldSettings], c.Reset.Differs[OldSettings])
	say(old, "%s on methods that only the old settings may allow, which cannot be read: end the migration (Authentication methods, Policies, Manage migration).", plural(old, "depends", "depend"))
	say(c.Reset.Differs[FewerNeeded], "can reset today by Microsoft's figure and not by ours: see whether entra.methods_needed is the number of the tenant's reset policy.")
	say(c.Unsure, "%s counted as fine with a method that the policy gives to some groups only, or that rests on the old settings.", plural(c.Unsure, "is", "are"))
	say(c.Token, "%s a land-line only or may add no app: they need a hardware token.", plural(c.Token, "has", "have"))
	if c.Do[AddToken] > 0 && !TellsTokens(pol) {
		all = append(all, "Whether hardware tokens are switched on in the tenant is not known, since Microsoft's policy does not tell: see Authentication methods, Policies, Hardware OATH tokens, before you buy any. Where they are off, a token helps nobody.")
	}
	say(c.Admins, "at risk %s: global administrators have until 1 July 2027, the others do not.", plural(c.Admins, "is an administrator", "are administrators"))
	say(c.Unreported, "%s not in Microsoft's report: it leaves out accounts that are disabled or deleted, and is up to 36 hours old.", plural(c.Unreported, "is", "are"))
	if pol == nil {
		all = append(all, "The tenant's policy was never read: a method that it forbids may have been counted. `latchkey doctor` says which permission is missing.")
	}
	return all
}
