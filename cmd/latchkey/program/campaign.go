package program

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"time"

	"latchkey/bot"
	"latchkey/bot/campaign"
	"latchkey/bot/outbox"
	"latchkey/bot/turn"
	"latchkey/flows"
)

// newCampaigns makes the campaigns. set gives the scripts as they are.
func (p *Program) newCampaigns(phrases bot.Phrases, set func() *flows.Set) *campaign.Service {
	c := p.Config
	var rooms []campaign.Room
	for _, v := range c.Campaigns.Channels {
		account, id, _ := strings.Cut(v, " ")
		rooms = append(rooms, campaign.Room{Channel: bot.ChannelID(account), ID: id})
	}
	busy := turn.Busy
	if p.Connections.device != nil {
		busy = nil // whoever tries the demo is in the middle of a script, and waits for no half hour
	}
	return campaign.New(campaign.Options{
		Store: p.DB, Phrases: phrases, Facts: Facts(c), Channels: p.campaignChannels(), Rooms: rooms, Notifier: p.Connections.Notifier,
		Zone: c.Desk.Zone, Holidays: c.Desk.Holidays, Lang: c.Org.Language, Where: p.where, Busy: busy,
		Title:  func(flow, step, lang string) string { return set().Title(flow, step, lang) },
		Logger: p.Log.With("component", "campaign"),
	})
}

// campaignChannels are those on which people may be written to unasked: Discord
// forbids it, and nobody reads a web chat that is closed; the demo has no other chat.
func (p *Program) campaignChannels() (chs []campaign.Channel) {
	for id, a := range p.Connections.channels {
		if kind, _, _ := strings.Cut(string(id), "-"); kind == "discord" || id == webChannel && p.Connections.device == nil {
			continue
		}
		_, opens := a.(bot.Opener)
		opens = opens && id != webChannel
		chs = append(chs, campaign.Channel{ID: id, Opens: opens, Limits: a.Limits()})
	}
	slices.SortFunc(chs, func(a, b campaign.Channel) int { return strings.Compare(string(a.ID), string(b.ID)) })
	return chs
}

// Campaigns are the campaigns of the running service, or of a command that only
// writes to the store. Such a command knows the channels and writes on none: what it
// leaves in the store goes out by the service.
func (p *Program) Campaigns() (_ *campaign.Service, err error) {
	if p.campaigns != nil {
		return p.campaigns, nil
	}
	if p.Scripts, err = flows.NewLive(func() (*flows.Set, error) { return LoadScripts(p.Config, p.Log) }); err != nil {
		return nil, err
	}
	ways := []Integration{{"smtp", connectSMTP}}
	for _, x := range Platforms() {
		ways = append(ways, Integration{x.Name, x.connect})
	}
	for _, x := range ways {
		if err := x.Connect(p); err != nil {
			return nil, x.failed(err)
		}
	}
	p.campaigns = p.newCampaigns(p.Scripts, p.Scripts.Set)
	return p.campaigns, nil
}

// CampaignTexts are a message as the channels show it, those together that show the
// same. Without a channel it is as it was written.
func CampaignTexts(t *campaign.Text, chs []campaign.Channel) (list []bot.CampaignText) {
	add := func(ch bot.ChannelID, parts []bot.Message) {
		for i := range list {
			if reflect.DeepEqual(list[i].Parts, parts) {
				list[i].Channels = append(list[i].Channels, ch)
				return
			}
		}
		list = append(list, bot.CampaignText{Lang: t.Lang, Channels: []bot.ChannelID{ch}, Parts: parts})
	}
	for _, ch := range chs {
		add(ch.ID, outbox.Degrade(t.Message, ch.Limits))
	}
	if t.Mail != nil {
		add("mail", []bot.Message{{Text: t.Mail.Subject + "\n\n" + t.Mail.Body, Lang: t.Lang}})
	}
	if len(list) == 0 {
		list = append(list, bot.CampaignText{Lang: t.Lang, Parts: []bot.Message{t.Message}})
	}
	return list
}

// campaignsEvery is how often the clockwork of the campaigns looks.
const campaignsEvery = 5 * time.Second

// runCampaigns runs the clockwork of the campaigns until ctx ends.
func (p *Program) runCampaigns(ctx context.Context) error {
	tick := time.NewTicker(campaignsEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := p.campaigns.Tick(ctx); err != nil && ctx.Err() == nil {
				p.Log.Error("campaigns: what is due goes out later", "err", err)
			}
		}
	}
}
