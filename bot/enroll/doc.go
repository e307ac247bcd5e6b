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
// A pending method never counts, never locks anybody out and is dropped when
// its time is over. A method becomes active in one place, Activate, which also
// retires what it replaces, drops what is pending beside it, moves the person's
// stage, writes the audit line and enqueues the notices. Whoever has a method
// that proves a person must have proven one in the same conversation within
// ProofFresh before anything changes. Every change tells every address that the
// person had before or has after it.
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
