package discord

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"regexp"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// House is what the adapter asks of the house.
type House interface {
	bot.TicketDesk
	// Recent lists conversations of the channel, the last used first, with ID,
	// User and Address.
	Recent(ctx context.Context, ch bot.ChannelID, limit int) ([]bot.Conversation, error)
}

// Options configure an adapter.
type Options struct {
	chat.Options
	House House

	ApplicationID string      // of the developer portal, "General Information"
	Token         bot.Secrets // of the bot; newest first; asked at each use
	PublicKey     string      // 64 hex digits; set: interactions come to Handler by HTTP
	Guild         string      // id of a server; set: slash commands are registered there only
	PublicURL     string      // under which Handler is reached, for Examine; may be empty
	// APIURL is another address of Discord's API: "http://127.0.0.1:8081/api".
	// A version at its end is not looked at. Without TLS only on the loopback
	// address.
	APIURL string
}

// API is where Discord's API is.
const API = "https://discord.com/api"

// version of the API that is spoken, see the Reference.
const version = "v10"

var versioned = regexp.MustCompile(`(/v[0-9]+)?/*$`)

// check fills in what is optional and refuses what cannot work.
func (o *Options) check() (api *url.URL, key ed25519.PublicKey, err error) {
	if err := o.Fill("discord"); err != nil {
		return nil, nil, err
	}
	switch {
	case o.House == nil:
		return nil, nil, errors.New("discord: no house")
	case o.Token == nil:
		return nil, nil, errors.New("discord: no token; set token to the one of the developer portal, page Bot")
	case !snowflake(o.ApplicationID):
		return nil, nil, errors.New("discord: application_id is not a number; copy it from the developer portal, page General Information")
	case o.Guild != "" && !snowflake(o.Guild):
		return nil, nil, errors.New("discord: guild is not a number; copy the server's id, or leave it out")
	}
	if o.PublicKey != "" {
		raw, err := hex.DecodeString(o.PublicKey)
		if err != nil || len(raw) != ed25519.PublicKeySize {
			return nil, nil, errors.New("discord: public_key is not 64 hexadecimal digits; copy it from the developer portal, page General Information")
		}
		key = raw
	}
	o.APIURL = cmp.Or(o.APIURL, API)
	api, err = url.Parse(versioned.ReplaceAllString(o.APIURL, ""))
	if err != nil || api.Host == "" || api.User != nil || api.RawQuery != "" || api.Fragment != "" {
		return nil, nil, errors.New("discord: api_url is no address such as " + API)
	}
	switch {
	case api.Scheme == "https":
	case api.Scheme == "http" && dial.Local(api.Hostname()):
	default:
		return nil, nil, fmt.Errorf("discord: api_url %s would send the token unprotected; use https, or a loopback address", o.APIURL)
	}
	return api, key, nil
}
