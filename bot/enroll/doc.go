// Package enroll is in charge of the methods that a person has: who signs in,
// which method is next, beginning one, making it active, replacing and removing
// it, and telling the person elsewhere that it happened.
//
// It must not decide whether a code is right; package verify does, and calls
// Activate here. It sends nothing itself but the notices of the job Notify, and
// it knows no platform.
//
// # What holds
//
// A change of methods asks for its proof where it happens: every check that adds,
// replaces, saves, removes or brings into use a method says so in its CheckSpec,
// and a turn asks Gate before it, in the same transaction (see
// bot.CheckSpec.Ask). A check that declares no change cannot make one. Whoever
// has, or ever had, a method that proves a person must have proven one in this
// very conversation within ProofFresh; nothing that is changed meanwhile renews
// that, and only the very first method of a person is a proof by itself. Nothing
// is changed for an account that is disabled, stopped or frozen. Through a link
// that is held, and while the tripwire is pulled, a sign-in of the last minutes in
// the person's own window or form is asked for as well. Whoever had a method
// once and has none that proves anything now never takes the path of newcomers:
// they sign in with a second factor in our own window (L3), or go to a person of
// the help desk. The same sign-in, made after a freeze, ends it; nothing less
// does, but an operator.
//
// A pending method belongs to the conversation that began it and lives as long
// as its code. It never counts, never locks anybody out, and nobody else
// finishes it. A person has at most one pending method of a kind: a newer one
// voids the others, and their conversations say where it went on. A method
// becomes active in one place, Activate, which also retires what it replaces,
// moves the person's stage, writes the audit line and enqueues the notices. What
// is set up through a held link is held as long: it counts, and proves nothing
// in another conversation.
//
// A method that failed too often is suspended. It stays the person's and proves
// nothing until it is switched on by a proof with another one, or replaced;
// proofs of a moment ago are void then. Every change, every method that is begun
// beside others, every third wrong proof and every lock is told to every address
// that the person had before or has after it.
//
// # Who signs in
//
// People sign in with the directory's password in a private form, or at the
// organisation's identity provider. Either way a chat account is linked to a
// person once, by the directory's id, and the person is told. Where the
// provider's sign-in happens outside the conversation, on a one-time page, the
// page shows a code that is good in that conversation only: otherwise whoever
// sends somebody a link would get that person linked to their own chat. Wrong
// codes and wrong passwords are counted together.
//
// # What counts
//
// Authenticator, phone, private e-mail and recovery codes count one each
// towards policy Required and Recommended. Answers count only beside at least
// one of those: they are never enough alone. Text and call to one number are
// one method.
//
// # Numbers and addresses
//
// ReadNumber and ReadAddress live here, because what they accept becomes a
// pending method. A person's own office number may be called, since an office
// phone is often the only phone that somebody wants to use; a text to it is
// refused when it is surely a land-line. Where a numbering plan does not tell
// land-lines from mobiles (North America) the provider's answer to the first
// text does.
//
// Both find the only candidate in a sentence (package typed). What was found
// there, or rewritten, is pending like any other and is confirmed by the person,
// who sees it in full, once: the message holds its masked form and an Echo.
package enroll
