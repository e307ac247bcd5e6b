package outbox

import (
	"strings"

	"latchkey/bot"
)

// Explain says, for operators, why a row was given up and what to do about it.
func Explain(row *bot.OutboxRow) (why, remedy string) {
	const retry = "`latchkey outbox retry` says it again at the end of the conversation"
	class, code, _ := strings.Cut(row.Error, ":")
	if row.Op != bot.OpSay {
		if why, remedy, ok := explainChange(row, class, code); ok {
			return why, remedy
		}
	}
	if row.State == bot.OutboxUnknown {
		return "the platform did not say whether it was sent", "look into the conversation; if it is not there, " + retry
	}
	if why, remedy, ok := closedFor(code); ok && (class == classUnreachable || class == classGone) {
		return why, remedy
	}
	switch class {
	case classContent:
		return "the platform refused what it carries, and it was left out", "the log and `latchkey doctor` tell what is missing; then " + retry
	case classPermanent:
		return "the platform refused it for good", "the log tells why; when that is mended, " + retry
	case classGone:
		return "the person cannot be reached there any more", "`latchkey outbox drop` takes it off the list"
	case classExpired:
		return "no attempt succeeded in time", "see `latchkey doctor` for the channel; then " + retry
	case classUnreadable:
		return "the stored message cannot be read", "`latchkey outbox drop` takes it off the list"
	}
	return "it was given up", retry
}

// explainChange says it of an edit or a take-back, where that differs.
func explainChange(row *bot.OutboxRow, class, code string) (why, remedy string, ok bool) {
	what, done := "change", "changed"
	if row.Op == bot.OpTakeBack {
		what, done = "take-back", "taken back"
	}
	switch {
	case code == codeTarget:
		return "the message that was to be " + done + " was not seen to be sent, or is not there any more", "look into the conversation, and mend it by hand; then `latchkey outbox drop` takes this off the list", true
	case row.State == bot.OutboxUnknown:
		return "the platform did not say whether the message was " + done, "look into the conversation; if it was not, `latchkey outbox retry` tries the " + what + " again", true
	case class == classPermanent:
		return "the platform refused the " + what + " of a message for good", "mend it by hand if you can; `latchkey outbox drop` takes this off the list", true
	}
	return "", "", false
}

// closedFor says why nobody can be written to there; code is one of
// bot.Unreachable or codeHead.
func closedFor(code string) (why, remedy string, ok bool) {
	const (
		show  = "`latchkey people show` tells what the platform says of them; "
		after = "`latchkey outbox retry` says it again after that"
	)
	switch code {
	case bot.WhyNotInstalled:
		return "the bot is not there for this person, or not in this room", "install or invite it there; " + show + after, true
	case bot.WhyNotFound:
		return "the platform has no such account, or no such room", "check the person's address in the directory, or the room's id; " + show + after, true
	case bot.WhyDeactivated:
		return "the account is switched off there", "switch it on, or reach the person elsewhere; " + after, true
	case bot.WhyClosed:
		return "the person, or the room, takes no messages of the bot", "let them allow it; " + show + after, true
	case bot.WhyNoLicence:
		return "the account has no licence for the platform", "assign one; " + after, true
	case bot.WhyNotOurs:
		return "the account is a bot's, a guest's, of another organisation, or linked to somebody else", "check the address in the directory; " + show + after, true
	case bot.WhyNotLinked:
		return "no account of this person is known there, and the platform finds nobody by what the directory has", "let them write to the bot first; " + after, true
	case bot.WhyNoPush:
		return "nobody can be written to first there", "reach the person elsewhere; `latchkey outbox drop` takes it off the list", true
	case codeHead:
		return "the message that it was to stand under was not sent, or is not there any more", "say both again; `latchkey outbox drop` takes it off the list", true
	}
	return "", "", false
}

// Gone reports whether a row was given up because the person left the channel or
// blocked the bot there: that needs nobody's attention.
func Gone(row *bot.OutboxRow) bool {
	class, _, _ := strings.Cut(row.Error, ":")
	return row.State.GivenUp() && class == classGone
}
