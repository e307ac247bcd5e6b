//go:build failpoints

package command

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"latchkey/adapters/localdir"
	"latchkey/bot"
	"latchkey/bot/vault"
	"latchkey/cmd/latchkey/demo"
	"latchkey/cmd/latchkey/program"
)

// testCommands adds the peer of the kill sweep. It exists in builds with the
// tag failpoints only: it prints what a message reveals.
func testCommands(s std) []*cobra.Command {
	cmd := &cobra.Command{Use: "sweep-peer", Hidden: true, Args: exactly(0, "")}
	dir := cmd.Flags().String("data", "", "data `FOLDER`")
	file := cmd.Flags().String("config", "", "serve with this configuration instead")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if *file != "" {
			cfg, err := loadConfig(cmd, s, *file)
			if err != nil {
				return err
			}
			return serve(cmd.Context(), s, cfg, connectPipe(s.in, s.out))
		}
		return sweepPeer(cmd.Context(), s.in, s.out, *dir)
	}
	return []*cobra.Command{cmd}
}

// wireIn is an event as the sweep's driver sends it: a platform that repeats an
// event, with the same id, until it is acknowledged.
type wireIn struct {
	ID     string            `json:"id"`
	Text   string            `json:"text,omitempty"`
	Form   string            `json:"form,omitempty"`
	Prompt uint32            `json:"prompt,omitempty"`
	Values map[string]string `json:"values,omitempty"`

	// Of many who talk: the conversation, or what an agent does. Empty: Ada's.
	Conv  string        `json:"conv,omitempty"`
	Agent *bot.AgentAct `json:"agent,omitempty"`
}

// wireOut is what the peer tells: an acknowledgement, or a message.
type wireOut struct {
	Ack    string `json:"ack,omitempty"`
	Error  string `json:"error,omitempty"`
	Key    string `json:"key,omitempty"`
	Conv   string `json:"conv,omitempty"`
	At     int64  `json:"at,omitempty"` // when it was told, in nanoseconds: of two processes
	Text   string `json:"text,omitempty"`
	Form   string `json:"form,omitempty"`
	Prompt uint32 `json:"prompt,omitempty"`
	URI    string `json:"uri,omitempty"`
}

// pipe is a chat platform over two pipes.
type pipe struct {
	p   *program.Program
	in  *bufio.Scanner
	mu  sync.Mutex
	out *json.Encoder
}

const pipeChannel bot.ChannelID = "pipe"

func (p *pipe) Channel() bot.ChannelID { return pipeChannel }

func (p *pipe) Limits() bot.Limits { return bot.Limits{} }

func (p *pipe) tell(o wireOut) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	o.At = time.Now().UnixNano()
	return p.out.Encode(o)
}

func (p *pipe) Run(ctx context.Context, in bot.Inbox) error {
	for p.in.Scan() {
		var w wireIn
		if err := json.Unmarshal(p.in.Bytes(), &w); err != nil {
			return err
		}
		if w.Conv != "" || w.Agent != nil {
			go p.talks(ctx, in, w)
			continue
		}
		ev := bot.Event{ID: w.ID, Channel: pipeChannel, Conversation: "pipe|ada", From: "ada", Kind: bot.Text, Text: w.Text}
		if w.Form != "" {
			ev.Kind, ev.Prompt, ev.Form = bot.Submit, w.Prompt, &bot.FormReply{Name: w.Form}
			for k, v := range w.Values {
				ev.Form.Values = append(ev.Form.Values, bot.FormValue{Name: k, Value: bot.Secret(v)})
			}
		}
		o := wireOut{Ack: w.ID}
		if err := in.Accept(ctx, ev); err != nil {
			o = wireOut{Error: err.Error()}
		}
		if err := p.tell(o); err != nil {
			return err
		}
	}
	return p.in.Err()
}

// talks takes what one of many says or, as an agent, does.
func (p *pipe) talks(ctx context.Context, in bot.Inbox, w wireIn) {
	var err error
	if w.Agent != nil {
		err = p.p.Desk.Do(ctx, bot.DeskAct{Key: w.ID, AgentAct: *w.Agent})
	} else {
		err = in.Accept(ctx, bot.Event{ID: w.ID, Channel: pipeChannel, Conversation: bot.ConversationID("pipe|" + w.Conv), From: w.Conv, Kind: bot.Text, Text: w.Text})
	}
	o := wireOut{Ack: w.ID}
	if err != nil {
		o.Error = err.Error()
	}
	p.tell(o) // a driver that is gone hears nothing
}

func (p *pipe) Send(_ context.Context, d bot.Delivery) (bot.Receipt, error) {
	conv, _ := strings.CutPrefix(string(d.Conversation), "pipe|")
	o := wireOut{Key: d.Key, Conv: conv, Text: d.Message.Text, Prompt: d.Message.Prompt}
	if d.Message.Form != nil {
		o.Form = d.Message.Form.Name
	}
	if d.Revealed != nil {
		o.URI = string(d.Revealed.URI)
	}
	if err := p.tell(o); err != nil {
		return bot.Receipt{}, &bot.SendError{Kind: bot.SendRetry, Err: err}
	}
	return bot.Receipt{ID: d.Key}, nil
}

// connectPipe connects the platform.
func connectPipe(in io.Reader, out io.Writer) program.Integration {
	return program.Integration{Name: "pipe", Connect: func(p *program.Program) error {
		p.Connections.AddChannel(&pipe{p: p, in: bufio.NewScanner(in), out: json.NewEncoder(out)})
		p.Connections.Attended, p.Connections.Unhurried = true, true
		return nil
	}}
}

func sweepPeer(ctx context.Context, in io.Reader, out io.Writer, dir string) error {
	if err := dataFolder(dir); err != nil {
		return err
	}
	cfg := demo.Config(dir)
	cfg.Policy.ResendWaits = nil
	if _, err := vault.Create(cfg.KeysFile); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	plugDemo := program.Integration{Name: "directory", Connect: func(p *program.Program) (err error) {
		p.Connections.Directory, err = localdir.New(localdir.Options{Demo: true})
		return err
	}}
	logFile, err := os.OpenFile(filepath.Join(dir, "peer.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer logFile.Close()
	log := slog.New(slog.NewTextHandler(logFile, &slog.HandlerOptions{Level: slog.LevelDebug}))
	p, err := program.New(ctx, cfg, log, program.Pretend(filepath.Clean(dir)), connectPipe(in, out), plugDemo)
	if err != nil {
		return err
	}
	defer p.Close()
	if err := demo.Import(ctx, p.DB); err != nil {
		return err
	}
	return runProgram(ctx, p)
}
