package slack

import (
	"context"
	"errors"
	"net/mail"
	"net/url"

	"latchkey/adapters/chat"
	"latchkey/bot"
)

// Open implements bot.Opener. Who is linked is asked about by their id, anybody
// else by their work address: Slack knows no other directory. conversations.open
// gives the direct messages that there are, so it may be repeated
// (https://docs.slack.dev/reference/methods/conversations.open).
func (a *Adapter) Open(ctx context.Context, p bot.Recipient) (bot.Opened, error) {
	u, err := a.account(ctx, p)
	if err != nil {
		return bot.Opened{}, err
	}
	room, err := a.room(ctx, u.ID)
	if err != nil {
		return bot.Opened{}, unreachable(err)
	}
	return bot.Opened{Conversation: a.conversation(u.ID), User: u.ID, Address: address{Channel: room}.encode(), Locale: u.Locale}, nil
}

// account gives the account of a person that can be written to.
func (a *Adapter) account(ctx context.Context, p bot.Recipient) (*account, *bot.SendError) {
	var u *account
	var err *bot.SendError
	switch {
	case userID.MatchString(p.User):
		u, err = a.look(ctx, "users.info", url.Values{"user": {p.User}})
	case p.Email != "":
		if at, e := mail.ParseAddress(p.Email); e != nil || at.Address != p.Email {
			return nil, chat.NotReached("slack", bot.WhyNotFound, "what the directory has as this person's address is none; mend it there")
		}
		u, err = a.look(ctx, "users.lookupByEmail", url.Values{"email": {p.Email}})
	default:
		return nil, chat.NotReached("slack", bot.WhyNotFound, "Slack finds people by their work address, and the directory has none for this person; add it there")
	}
	switch {
	case err != nil:
		return nil, unreachable(err)
	case u.Deleted:
		return nil, chat.NotReached("slack", bot.WhyDeactivated, reasons["user_disabled"].Text)
	case a.standing(u, u.ID) != member, !userID.MatchString(u.ID):
		return nil, chat.NotReached("slack", bot.WhyNotOurs, "the account is a bot's, a guest's, or of another workspace, and only members are written to")
	}
	return u, nil
}

// reasons are Slack's codes for people that cannot be written to, by what they
// mean and what an operator is told
// (https://docs.slack.dev/reference/methods/users.lookupByEmail#errors and the
// like of users.info and conversations.open).
var reasons = map[string]chat.Reason{
	"users_not_found":    {Why: bot.WhyNotFound, Text: "no account of the workspace that is switched on has this address; check it in the directory, and that the person was invited to Slack"},
	"user_not_found":     {Why: bot.WhyNotFound, Text: "the workspace has no such account any more; the person has to be linked anew"},
	"user_disabled":      {Why: bot.WhyDeactivated, Text: "the account is switched off in Slack; the workspace's owner can switch it on"},
	"user_not_visible":   {Why: bot.WhyNotOurs, Text: "the account is not of this workspace, and cannot be written to from it"},
	"cannot_dm_bot":      {Why: bot.WhyNotOurs, Text: "the account is a bot's"},
	"user_is_bot":        {Why: bot.WhyNotOurs, Text: "the account is a bot's"},
	"user_is_restricted": {Why: bot.WhyNotOurs, Text: "the account is a guest's that may not be written to"},
	"restricted_action":  {Why: bot.WhyClosed, Text: "a setting of the workspace keeps apps from opening direct messages; its owner can change that"},
	"access_denied":      {Why: bot.WhyClosed, Text: "the workspace does not let this app write to the person; its owner can change that"},
}

// unreachable is an error of asking, as Open tells it.
func unreachable(err *bot.SendError) *bot.SendError {
	code := codeOf(err)
	return chat.Unreachable("slack", err, reasons[code], code)
}

// codeOf is Slack's code in an error of call, or "".
func codeOf(err *bot.SendError) string {
	var said *answered
	if errors.As(err.Err, &said) {
		return said.code
	}
	return ""
}
