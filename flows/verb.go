package flows

// A verb is a word that works at every step.
type verb uint8

const (
	noVerb verb = iota
	verbHelp
	verbWhy
	verbBack
	verbSkip
	verbLater
	verbRepeat
	verbResend
	verbCancel
	verbStartOver
	verbStatus
	verbLanguage
	verbHuman
	verbMenu
)

var verbNames = [...]string{"", "help", "why", "back", "skip", "later", "repeat", "resend", "cancel", "start_over", "status", "language", "human", "menu"}

var verbByName = func() map[string]verb {
	m := map[string]verb{}
	for i, n := range verbNames[1:] {
		m[n] = verb(i + 1)
	}
	return m
}()

// verbFlow names the script behind a verb; the others are the engine's own.
var verbFlow = [...]string{
	verbHelp: "help", verbLater: "later", verbCancel: "cancel", verbStartOver: "start_over",
	verbStatus: "status", verbLanguage: "language", verbHuman: "human", verbMenu: "menu",
}

// A sentence is something the engine says by itself. The keys stand under
// "system" in the language files.
type sentence uint8

const (
	sayMiss1       sentence = iota // not understood, first time
	sayMiss2                       // second time: rephrased
	sayMiss3                       // from the third time on: offers a person
	sayTooLong                     // text over bot.MaxText
	sayTooFast                     // more messages than may be read
	sayEmpty                       // nothing readable in it
	sayNotHere                     // typed into the chat what belongs into the private form
	sayStale                       // a button or form of an earlier step
	sayOver                        // a button after everything has ended
	sayNoBack                      // nothing before this
	sayNoSkip                      // this step cannot be skipped
	sayNoResend                    // nothing was sent
	sayNoWhy                       // no reason given in the script
	sayError                       // something failed on our side
	sayChanged                     // the script changed
	sayWelcomeBack                 // the prompt again after "later" or after a while
	sayStopped                     // cancelled
	sayIdle                        // nothing running and nothing understood
	sayFormLeft                    // a private form was closed without an answer
	sayProgress                    // "Step {n} of {m}"
	sayPickFirst                   // a typed answer where only a button counts
	sayMoved                       // the person went on in another conversation, on {channel}
	sayBackHere                    // the help desk has left; the assistant answers again
	sayDidYouMean                  // what is offered may be what was meant
	sayKept                        // nothing here understood it, and the help desk keeps it
	sayBeside                      // beside a wish that comes first there was an answer to the step
	sentences
)

var sentenceKeys = [sentences]string{
	"miss1", "miss2", "miss3", "too_long", "too_fast", "empty", "not_here", "stale", "over", "no_back", "no_skip", "no_resend",
	"no_why", "error", "changed", "welcome_back", "stopped", "idle", "form_left", "progress", "pick_first", "moved", "back_here", "did_you_mean", "kept", "beside",
}
