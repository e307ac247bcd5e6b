package twilio

import (
	"strconv"

	"latchkey/bot"
)

// A verdict is what one of Twilio's error codes means to us
// (https://www.twilio.com/docs/api/errors).
type verdict struct {
	kind     bot.SendErrorKind
	code     string // bot.SendError.Code
	operator string // what the operator should do; empty: it is no fault of ours
}

func dead(code string, err error) *bot.SendError {
	return &bot.SendError{Kind: bot.SendPermanent, Code: code, Err: err}
}

// verdictOf maps an error code of a refused request or of a status callback.
func verdictOf(code int) verdict {
	switch code {
	case 20003: // authentication failed
		return verdict{bot.SendRetry, "", "check account_sid and the auth token"}
	case 20429, 30001, 60207, 60212: // too many requests, queue overflow
		return verdict{bot.SendThrottled, "", ""}
	case 30002: // account suspended
		return verdict{bot.SendRetry, "", "the account is suspended; see the console"}
	case 21614, 21635, 60205, 30006: // no mobile number, landline, landline or unreachable carrier
		return verdict{bot.SendPermanent, "landline", ""}
	case 21610: // STOP was sent from this number
		return verdict{bot.SendPermanent, "opted_out", ""}
	case 30003, 30005: // handset off or out of reach, handset unknown
		return verdict{bot.SendPermanent, "unreachable", ""}
	case 30008: // unknown error on the way
		return verdict{bot.SendPermanent, "", ""}
	case 21408, 13227, 21215: // region not permitted
		return verdict{bot.SendPermanent, "refused", "allow the country under geo permissions, or take it out of the allowed countries"}
	case 21608: // trial account
		return verdict{bot.SendPermanent, "refused", "a trial account sends to verified numbers only; upgrade it"}
	case 30034: // A2P 10DLC
		return verdict{bot.SendPermanent, "refused", "register the sender for A2P 10DLC"}
	case 60410: // fraud guard
		return verdict{bot.SendPermanent, "refused", "fraud guard blocked the prefix; look for pumping"}
	case 21212, 21603, 21606, 21703, 21705, 21712, 21210, 20404:
		return verdict{bot.SendPermanent, "refused", "the sender is not yours or not set up; check from, voice_from and messaging_service_sid"}
	}
	// 21211 21201 13224 60200 invalid number; 30004 60238 21216 blocked;
	// 30007 filtered; 60220 60223 channel closed; and what comes new.
	return verdict{bot.SendPermanent, "refused", ""}
}

// Outcome reads a status callback: the state of the send (bot.SendQueued for a
// status that says nothing) and, when it failed, the word for the script:
// "landline", "opted_out", "unreachable", "refused", or empty for a failure
// without a known reason; and what an operator can do where the fault is not the
// number's, or empty. States only grow and callbacks come out of order and
// twice: bot.ChallengeTx.MarkSend takes care of that.
//
// Text: accepted, scheduled, queued, sending, sent -> handed over; delivered,
// read; undelivered, failed, canceled -> failed. Call: queued, ringing,
// in-progress -> handed over; completed -> delivered; busy, no-answer, failed,
// canceled -> failed.
func Outcome(status, errorCode string) (state bot.SendState, code, fix string) {
	switch status {
	case "accepted", "scheduled", "queued", "sending", "sent", "initiated", "ringing", "in-progress", "answered":
		return bot.SendHandedOver, "", ""
	case "delivered", "read", "completed":
		return bot.SendDelivered, "", ""
	case "busy", "no-answer", "canceled":
		return bot.SendFailed, "", ""
	case "undelivered", "failed":
		n, err := strconv.Atoi(errorCode)
		if err != nil || n == 0 {
			return bot.SendFailed, "", ""
		}
		v := verdictOf(n)
		return bot.SendFailed, v.code, v.operator
	}
	return bot.SendQueued, "", ""
}
