package slack

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/slack-go/slack"

	"latchkey/adapters/chat"
	"latchkey/adapters/dial"
	"latchkey/bot"
)

// Send implements bot.Adapter.
func (a *Adapter) Send(ctx context.Context, d bot.Delivery) (bot.Receipt, error) {
	r, err := a.send(ctx, &d)
	if err != nil {
		return bot.Receipt{}, err
	}
	return bot.Receipt{ID: r.String()}, nil
}

func (a *Adapter) send(ctx context.Context, d *bot.Delivery) (receipt, *bot.SendError) {
	if err := ctx.Err(); err != nil {
		return receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: %w", err)}
	}
	if to := readAddress(d.Address); to.Room != "" {
		return a.say(ctx, d, to)
	}
	if !userID.MatchString(d.User) {
		return receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: errors.New("slack: the conversation is with nobody of Slack")}
	}
	// What cannot be shown is found before anything is done for it.
	x := Extras{Page: d.Page, Revealed: d.Revealed, Lang: a.o.Lang}
	secret := d.Revealed != nil && len(d.Revealed.PNG) > 0
	if secret {
		x.File = "F0"
	}
	if _, err := Render(&d.Message, x, a.o.Phrases); err != nil {
		return receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	room := readAddress(d.Address).Channel
	if room == "" {
		var err *bot.SendError
		if room, err = a.room(ctx, d.User); err != nil {
			return receipt{}, err
		}
	}
	mark := deliveryMark(d.Key)
	if err := a.turn(ctx, "chat.postMessage", room); err != nil {
		return receipt{}, err
	}
	x.File = ""
	left, _ := a.loose.Drop(mark) // by an attempt before this one
	switch {
	case secret && left != "":
		x.File = left
	case secret:
		var refused bool
		var err *bot.SendError
		if x.File, refused, err = a.uploadPNG(ctx, d.Revealed.PNG, bot.Harmless(a.alt(&d.Message))); refused {
			return a.sendWithout(ctx, d, err)
		} else if err != nil {
			return receipt{}, err
		}
	case left != "": // there is nothing to reveal any more
		a.later(func(ctx context.Context) { _ = a.dropFile(ctx, left) })
	}
	if p := d.Message.Picture; !secret && p != nil && p.Name != "" {
		x.File = a.drawing(ctx, p)
	}
	w, err := Render(&d.Message, x, a.o.Phrases)
	if err != nil {
		return receipt{}, &bot.SendError{Kind: bot.SendPermanent, Err: err}
	}
	r := receipt{channel: room}
	if secret {
		r.file = x.File
	}
	// A file is there some moments after it was completed
	// (https://github.com/slackapi/java-slack-sdk/issues/1349).
	for pause := 250 * time.Millisecond; ; pause *= 2 {
		failed := a.post(ctx, &r, "", d.Key, w)
		if failed == nil {
			break
		}
		if x.File != "" && strings.HasSuffix(failed.Err.Error(), ": invalid_blocks") {
			if pause <= 2*time.Second && bot.Sleep(ctx, pause) {
				continue
			}
			if !secret { // it is told in words, then
				a.drawings.Drop(d.Message.Picture.Name)
				x.File = ""
				if w, err = Render(&d.Message, x, a.o.Phrases); err == nil {
					continue
				}
			}
			if secret && ctx.Err() == nil { // Slack has the file and does not show it
				file := x.File
				a.later(func(ctx context.Context) { _ = a.dropFile(ctx, file) })
				return a.sendWithout(ctx, d, failed)
			}
			failed.Kind, failed.Code = bot.SendRetry, ""
		}
		switch file := x.File; {
		case secret && failed.Kind == bot.SendUncertain:
			a.loose.Set(mark, file)
		case secret:
			a.later(func(ctx context.Context) { _ = a.dropFile(ctx, file) })
		}
		return receipt{}, failed
	}
	if !dmID.MatchString(r.channel) || !stamp.MatchString(r.ts) {
		return receipt{}, errNameless()
	}
	a.rooms.Set(d.User, r.channel)
	a.answered(d.User, d.Message.Prompt)
	return r, nil
}

// post makes one call that says something in the channel of r, or in a thread there,
// and takes down where Slack has put it. The message carries its key, and r's file.
func (a *Adapter) post(ctx context.Context, r *receipt, thread, key string, w Wire) *bot.SendError {
	payload := map[string]any{"key": deliveryMark(key)}
	if r.file != "" {
		payload["file"] = r.file
	}
	options := []slack.MsgOption{
		slack.MsgOptionText(w.Text, false), slack.MsgOptionBlocks(w.Blocks...), quiet,
		slack.MsgOptionMetadata(slack.SlackMetadata{EventType: metaType, EventPayload: payload}),
	}
	if thread != "" {
		options = append(options, slack.MsgOptionTS(thread))
	}
	return a.call(ctx, "chat.postMessage", func(ctx context.Context, api *slack.Client) error {
		channel, ts, err := api.PostMessageContext(ctx, r.channel, options...)
		if err == nil {
			r.channel, r.ts = channel, ts
		}
		return err
	})
}

func errNameless() *bot.SendError {
	return &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("slack: chat.postMessage: the answer names no message")}
}

// sendWithout sends a message whose picture Slack refuses: what it leads to stands
// in words, and nothing that follows waits for somebody to mend it.
func (a *Adapter) sendWithout(ctx context.Context, d *bot.Delivery, why *bot.SendError) (receipt, *bot.SendError) {
	a.o.Log.Warn("slack: a picture is refused; the message goes without it", "err", why)
	bare := d.WithoutPicture(a.o.Phrases, a.o.Lang)
	return a.send(ctx, &bare)
}

// alt is what a screen reader says for the QR picture.
func (a *Adapter) alt(m *bot.Message) string {
	if m.Picture != nil && m.Picture.Alt != "" {
		return m.Picture.Alt
	}
	return a.o.Say(m.Lang, "chat.picture.alt")
}

// uploadPNG gives Slack a picture in the three steps that it documents
// (https://docs.slack.dev/messaging/working-with-files) and returns the file's
// id. It is shared with nobody: the message whose block names it shows it
// (https://slack.com/blog/developers/uploading-private-images-blockkit). The bytes
// go raw; slack-go's own helper ends its body with the boundary twice, which
// strict parsers refuse, and would send the token to the upload address.
//
// refused says that Slack is there and does not take the picture (a scope is
// missing, the workspace is full, uploads are off, its storage fails): a message
// would go out all the same. Health tells, until a picture is taken.
func (a *Adapter) uploadPNG(ctx context.Context, png []byte, alt string) (file string, refused bool, err *bot.SendError) {
	name := rand.Text() + ".png" // says nothing
	var to *slack.GetUploadURLExternalResponse
	err = a.ask(ctx, "files.getUploadURLExternal", func(ctx context.Context, api *slack.Client) (err error) {
		to, err = api.GetUploadURLExternalContext(ctx, slack.GetUploadURLExternalParameters{FileName: name, FileSize: len(png), AltTxt: chat.Cut(alt, 1000)})
		return err
	})
	if err == nil && !fileID.MatchString(to.FileID) {
		err = &bot.SendError{Kind: bot.SendUncertain, Err: errors.New("slack: files.getUploadURLExternal: the answer names no file")}
	}
	if err == nil {
		if err = a.put(ctx, to.UploadURL, png); err != nil {
			err.Kind = bot.SendUncertain // of the storage; messages go elsewhere
		}
	}
	if err == nil {
		err = a.ask(ctx, "files.completeUploadExternal", func(ctx context.Context, api *slack.Client) error {
			_, err := api.CompleteUploadExternalContext(ctx, slack.CompleteUploadExternalParameters{Files: []slack.FileSummary{{ID: to.FileID, Title: name}}})
			return err
		})
	}
	if err == nil {
		a.Trouble.End(pictures)
		return to.FileID, false, nil
	}
	var said *answered
	switch {
	case ctx.Err() != nil, err.Kind == bot.SendThrottled:
	case errors.As(err.Err, &said):
		refused = !slices.Contains(refusedTokens, said.code) // without a token, nothing goes out
	case err.Kind == bot.SendUncertain:
		refused = true
	}
	if err.Kind == bot.SendUncertain { // nobody has seen it
		err.Kind = bot.SendRetry
	}
	if refused {
		a.Trouble.Begin(pictures, pictureTrouble(err))
	}
	return "", refused, err
}

// pictureTrouble tells an operator why pictures are refused.
func pictureTrouble(err *bot.SendError) string {
	text := "Slack refuses pictures, and people get the key to type instead (" + err.Err.Error() + ")"
	var said *answered
	if errors.As(err.Err, &said) && verdictOf(said.code).fix != "" {
		text += "; " + verdictOf(said.code).fix
	}
	return text
}

// put sends the bytes. The address is Slack's; it is as good as a key.
func (a *Adapter) put(ctx context.Context, to string, png []byte) *bot.SendError {
	retry := func(err error) *bot.SendError {
		return &bot.SendError{Kind: bot.SendRetry, Err: fmt.Errorf("slack: upload: %w", dial.Bare(err))}
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(png))
	if err != nil {
		return retry(errors.New("no address to upload to"))
	}
	if q.URL.Scheme != "https" && !dial.Local(q.URL.Hostname()) {
		return retry(errors.New("the address to upload to is not https"))
	}
	q.Header.Set("Content-Type", "application/octet-stream")
	res, err := a.upload.Do(q)
	if err != nil {
		return retry(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, 4096))
	if res.StatusCode != http.StatusOK {
		return retry(fmt.Errorf("status %d", res.StatusCode))
	}
	return nil
}

// Delete implements bot.Deleter: the file goes first, then the message. What is
// gone already is no error.
func (a *Adapter) Delete(ctx context.Context, d bot.Delivery, id string) error {
	r, wrong := readAddress(d.Address).of(id, "delete")
	if wrong != nil {
		return wrong
	}
	if r.file != "" {
		if err := a.dropFile(ctx, r.file); err != nil {
			return err
		}
	}
	err := a.ask(ctx, "chat.delete", func(ctx context.Context, api *slack.Client) error {
		_, _, err := api.DeleteMessageContext(ctx, r.channel, r.ts)
		if c := slackCode(err); c == "message_not_found" || c == "channel_not_found" {
			return nil
		}
		return err
	})
	return chat.Error(err)
}

func (a *Adapter) dropFile(ctx context.Context, file string) error {
	err := a.ask(ctx, "files.delete", func(ctx context.Context, api *slack.Client) error {
		err := api.DeleteFileContext(ctx, file)
		if c := slackCode(err); c == "file_not_found" || c == "file_deleted" {
			return nil
		}
		return err
	})
	return chat.Error(err)
}
