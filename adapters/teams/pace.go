package teams

import (
	"time"

	"golang.org/x/time/rate"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// sends is the budget of all calls to the connector: Teams counts them together.
const sends = "connector"

// newPace keeps the rates of Teams. Per app and tenant: 30 in 1 s. Source: the
// page on rate limits; newer copies say 50.
func newPace(o *Options) *chat.Pace {
	return &chat.Pace{
		Name: "teams", Off: o.Emulator, Tenant: o.Tenant,
		Rate: func(string) bot.Rate { return bot.Rate{PerSecond: 25, Burst: 5} }, Here: newHere,
	}
}

// newHere keeps the rates of one conversation: 7 messages in 1 s, 8 in 2 s, 60 in
// 30 s, 1800 in an hour. A bucket of b that fills with r a second lets b + r·t
// through in any time t, so 6 and 1 keep the first three, and 600 and 1/3 the
// last.
func newHere() []*rate.Limiter {
	return []*rate.Limiter{rate.NewLimiter(1, 6), rate.NewLimiter(rate.Every(3*time.Second), 600)}
}
