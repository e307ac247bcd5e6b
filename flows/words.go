package flows

import (
	"latchkey/bot/typed"
)

// read gives typed text as the input of a check and reports whether it may be
// an answer of a kind at all; anything else may be a question.
func read(k AnswerKind, text string) (input string, ok bool) {
	switch k {
	case Digits6:
		return typed.Digits6(text)
	case Code8:
		return typed.Code8(text)
	case PhoneText:
		return text, typed.LooksLikeNumber(text)
	case EmailText:
		return text, typed.LooksLikeAddress(text)
	case LoginText:
		_, ok = typed.Login(text)
		return text, ok
	case AnyText:
		return text, true
	}
	return "", false
}
