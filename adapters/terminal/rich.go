package terminal

import (
	"context"
	"errors"
	"fmt"
	"sync"

	tea "github.com/charmbracelet/bubbletea"
	"github.com/charmbracelet/lipgloss"

	"latchkey/bot"
)

// rich shows the conversation on the full screen. It runs the program and
// passes messages between it and the adapter; model holds what is shown.
type rich struct {
	a      *Adapter
	events chan bot.Event // in the order typed; one goroutine hands them in

	mu      sync.Mutex
	prog    *tea.Program
	waiting []tea.Msg // came before the program started
	over    bool
}

func newRich(a *Adapter) *rich {
	return &rich{a: a, events: make(chan bot.Event, 64)}
}

// Messages of the program.
type (
	shownMsg    struct{ m *shown }
	retractMsg  struct{ receipt string }
	itemMsg     struct{ it bot.PhoneItem }
	failedMsg   struct{}
	revealedMsg struct {
		form   *bot.Form
		shown  []bot.Secret
		failed bool
	}
	tickMsg struct{}
)

// run implements face.
func (r *rich) run(ctx context.Context, in bot.Inbox) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	style := lipgloss.NewRenderer(r.a.o.Out)
	m := newModel(ctx, r, style)
	prog := tea.NewProgram(m, tea.WithInput(r.a.o.In), tea.WithOutput(r.a.o.Out),
		tea.WithAltScreen(), tea.WithMouseCellMotion(), tea.WithoutSignalHandler())

	var done sync.WaitGroup
	done.Go(func() { r.handIn(ctx, in, prog) })
	// Not tea.WithContext: that kills the program beside its own reader, which
	// may take what is typed to whatever comes next on this terminal.
	done.Go(func() { <-ctx.Done(); prog.Quit() })
	r.mu.Lock()
	r.prog = prog
	m.early = append(m.early, r.waiting...)
	r.waiting = nil
	r.mu.Unlock()
	if d := r.a.o.Device; d != nil {
		defer d.Watch(func(it bot.PhoneItem) { go prog.Send(itemMsg{it}) })()
	}
	r.events <- r.a.event(bot.Open)

	_, err := prog.Run()
	r.mu.Lock()
	r.over = true
	r.mu.Unlock()
	stop()
	// A program that ran, however it ended, says killed; without that it never began.
	unbegun := err != nil && !errors.Is(err, tea.ErrProgramKilled)
	if unbegun {
		prog.Kill() // else it would wait for messages that are sent to it
	}
	done.Wait()
	if unbegun {
		return fmt.Errorf("terminal: full screen: %w; try --plain", err)
	}
	if errors.Is(err, tea.ErrProgramPanic) {
		return errors.New("terminal: the full screen broke down; please report it, and use --plain meanwhile")
	}
	return nil
}

// handIn hands events in, one after the other.
func (r *rich) handIn(ctx context.Context, in bot.Inbox, prog *tea.Program) {
	for {
		select {
		case <-ctx.Done():
			return
		case ev := <-r.events:
			if err := in.Accept(ctx, ev); err != nil && ctx.Err() == nil {
				r.a.o.Log.Error("event not accepted", "event", ev.ID, "err", err)
				prog.Send(failedMsg{})
			}
		}
	}
}

// post gives a message to the program, in the order of the calls.
func (r *rich) post(msg tea.Msg) error {
	r.mu.Lock()
	prog := r.prog
	if prog == nil {
		r.waiting = append(r.waiting, msg)
	}
	over := r.over
	r.mu.Unlock()
	if over {
		return errors.New("the screen is closed")
	}
	if prog != nil {
		prog.Send(msg)
	}
	return nil
}

// show implements face.
func (r *rich) show(m *shown) error { return r.post(shownMsg{m}) }

// retract implements face.
func (r *rich) retract(receipt string, _ bool) { r.post(retractMsg{receipt}) }
