package teams

import (
	"context"
	"encoding/json"
	"errors"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"latchkey/bot"
)

// repliesWait is how long a response is held back for the answer that it is to
// carry. Who got nothing gets the answer by the connector.
const repliesWait = 5 * time.Second

var errReply = errors.New("teams: the response that was to carry the message could not be written")

// replies are the responses that wait to carry an answer: a client may ask for
// it in the response (deliveryMode expectReplies) instead of by the connector.
// Only an emulator does so here. Source: the activity schema, deliveryMode.
type replies struct {
	mu sync.Mutex
	of map[bot.ConversationID]*carrier
	n  atomic.Int64
}

// A carrier is one such response.
type carrier struct {
	message chan []byte // the answer, once
	written chan bool   // whether it has left
}

// begin says that the next message of a conversation goes into a response.
func (r *replies) begin(conv bot.ConversationID) *carrier {
	c := &carrier{make(chan []byte, 1), make(chan bool, 1)}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of == nil {
		r.of = map[bot.ConversationID]*carrier{}
	}
	r.of[conv] = c
	return c
}

// end says that it carries nothing any more.
func (r *replies) end(conv bot.ConversationID, c *carrier) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[conv] == c {
		delete(r.of, conv)
	}
}

// carry gives a message to the response that waits for it, and waits until that
// has left. ok is false when none waits.
func (r *replies) carry(ctx context.Context, conv bot.ConversationID, body []byte) (id string, ok bool, err error) {
	r.mu.Lock()
	c := r.of[conv]
	delete(r.of, conv)
	r.mu.Unlock()
	if c == nil {
		return "", false, nil
	}
	c.message <- body
	select {
	case good := <-c.written:
		if !good {
			return "", true, &bot.SendError{Kind: bot.SendUncertain, Err: errReply}
		}
		return "reply-" + strconv.FormatInt(r.n.Add(1), 10), true, nil
	case <-ctx.Done():
		return "", true, &bot.SendError{Kind: bot.SendUncertain, Err: ctx.Err()}
	}
}

// pass lets the response that waits go without a message: who gets one in a
// response tells no id of it, and what has none cannot be taken back.
func (r *replies) pass(conv bot.ConversationID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.of[conv]; c != nil {
		delete(r.of, conv)
		close(c.message)
	}
}

// carried is a response with what was said, and who waits to hear that it left.
type carried struct {
	Activities []json.RawMessage `json:"activities"`
	written    chan bool
}

// wait gives what was said in time.
func (r *replies) wait(ctx context.Context, conv bot.ConversationID, c *carrier) *carried {
	t := time.NewTimer(repliesWait)
	defer t.Stop()
	var body []byte
	select {
	case body = <-c.message:
	case <-t.C:
	case <-ctx.Done():
	}
	r.end(conv, c)
	if body == nil {
		select {
		case body = <-c.message: // in the same moment
		default:
		}
	}
	if body == nil {
		return &carried{[]json.RawMessage{}, make(chan bool, 1)}
	}
	return &carried{[]json.RawMessage{body}, c.written}
}
