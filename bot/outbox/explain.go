package outbox

import (
	"strings"

	"latchkey/bot"
)

// Explain says, for operators, why a row was given up and what to do about it.
func Explain(row *bot.OutboxRow) (why, remedy string) {
	const retry = "`latchkey outbox retry` says it again at the end of the conversation"
	class, _, _ := strings.Cut(row.Error, ":")
	if row.State == bot.OutboxUnknown {
		return "the platform did not say whether it was sent", "look into the conversation; if it is not there, " + retry
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

// Gone reports whether a row was given up because the person left the channel or
// blocked the bot there: that needs nobody's attention.
func Gone(row *bot.OutboxRow) bool {
	class, _, _ := strings.Cut(row.Error, ":")
	return row.State.GivenUp() && class == classGone
}
