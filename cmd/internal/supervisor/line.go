package supervisor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"sync"
)

// Answerer answers what the other side asks: the answer goes over as JSON, of an error its text. It is called from goroutines of its own; ctx ends with the
// other side.
type Answerer func(ctx context.Context, question json.RawMessage) (answer any, err error)

// message is what goes over the socket: the handover, once, what a child says, and what either side asks and answers.
type message struct {
	Handover json.RawMessage   `json:"handover,omitempty"`
	Kept     []json.RawMessage `json:"kept,omitempty"` // beside the handover: what the child before asked to keep
	Keep     json.RawMessage   `json:"keep,omitempty"`
	Count    int               `json:"count,omitempty"` // as how many that counts
	Ready    bool              `json:"ready,omitempty"`
	Failure  string            `json:"failure,omitempty"` // why it ends

	Call   uint64          `json:"call,omitempty"` // the asking side's number of a question, and of its answer
	Ask    json.RawMessage `json:"ask,omitempty"`
	Answer json.RawMessage `json:"answer,omitempty"`
	Error  string          `json:"error,omitempty"`
}

// errGone is that the other side ended before it answered.
var errGone = errors.New("it has ended")

// line is one side's end of the socket. Its methods are safe for concurrent use.
type line struct {
	conn net.Conn
	gone context.Context // ends when the other side is gone
	end  context.CancelFunc

	writing sync.Mutex

	mu      sync.Mutex
	calls   uint64
	waiting map[uint64]chan message
	answer  Answerer
}

func newLine(conn net.Conn) *line {
	l := &line{conn: conn, waiting: map[uint64]chan message{}}
	l.gone, l.end = context.WithCancel(context.Background())
	return l
}

// answerWith has questions answered from now on.
func (l *line) answerWith(f Answerer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answer = f
}

// say sends messages in one write.
func (l *line) say(messages ...message) error {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	for _, m := range messages {
		if err := encoder.Encode(m); err != nil {
			return err
		}
	}
	l.writing.Lock()
	defer l.writing.Unlock()
	_, err := l.conn.Write(b.Bytes())
	return err
}

// ask asks the other side and waits for its answer.
func (l *line) ask(ctx context.Context, question, answer any) error {
	q, err := json.Marshal(question)
	if err != nil {
		return err
	}
	reply := make(chan message, 1)
	l.mu.Lock()
	l.calls++
	call := l.calls
	l.waiting[call] = reply
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.waiting, call)
	}()
	if err := l.say(message{Call: call, Ask: q}); err != nil {
		return err
	}
	select {
	case m := <-reply:
		if m.Error != "" {
			return errors.New(m.Error)
		}
		return json.Unmarshal(m.Answer, answer)
	case <-l.gone.Done():
		return errGone
	case <-ctx.Done():
		return ctx.Err()
	}
}

// heard takes a question or an answer; other messages are not its.
func (l *line) heard(m message) {
	switch {
	case m.Ask != nil:
		go l.reply(m)
	case m.Call != 0:
		l.mu.Lock()
		reply := l.waiting[m.Call]
		l.mu.Unlock()
		if reply != nil {
			reply <- m
		}
	}
}

// reply answers a question. That the other side is gone is nothing that could be told it.
func (l *line) reply(m message) {
	l.mu.Lock()
	f := l.answer
	l.mu.Unlock()
	reply := message{Call: m.Call}
	err := errors.New("nothing can be asked here yet")
	if f != nil {
		var a any
		if a, err = f(l.gone, m.Ask); err == nil {
			reply.Answer, err = json.Marshal(a)
		}
	}
	if err != nil {
		reply.Error = fmt.Sprintf("%v", err)
	}
	_ = l.say(reply)
}
