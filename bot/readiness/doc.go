// Package readiness says who will still get in after Microsoft's own texts and
// calls end on 1 February 2027.
//
// It is in charge of the verdict on one person (Judge), of why it is so, and of
// the counts over many (Counts, Tally). It reads what was read already
// (bot.Registration, bot.TenantPolicy) and asks nobody. It must not touch a
// clock, a database or a network. A Service tells a person of their own verdict in
// a chat, from what the turn's transaction reads.
//
// There are two judgements, because passkeys rescue the sign-in and not the
// reset of a password. Where something is not known, the verdict says so; it
// never says "fine" on a guess.
package readiness
