package supervisor

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"
)

// Message is what a lab that comes up tells the one that waits for it, as a stream of JSON objects.
type Message struct {
	// Progress is a line to show.
	Progress string `json:",omitempty"`
	// Error says why the lab does not come up. It is the last message.
	Error string `json:",omitempty"`
	// Ready says that the lab is up. It is the last message.
	Ready bool `json:",omitempty"`
}

// Reporter sends messages. Its methods may be called from any goroutine.
type Reporter struct {
	mu    sync.Mutex
	out   *json.Encoder
	start time.Time
}

// NewReporter returns a reporter that writes to out.
func NewReporter(out io.Writer) *Reporter {
	return &Reporter{out: json.NewEncoder(out), start: time.Now()}
}

// progress tells what was reached. That nobody listens is noticed elsewhere.
func (r *Reporter) progress(format string, args ...any) {
	text := fmt.Sprintf("%5.1fs  ", time.Since(r.start).Seconds()) + fmt.Sprintf(format, args...)
	_ = r.send(Message{Progress: text})
}

func (r *Reporter) ready() error { return r.send(Message{Ready: true}) }

// Fail tells why the lab does not come up.
func (r *Reporter) Fail(err error) error { return r.send(Message{Error: err.Error()}) }

func (r *Reporter) send(m Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out.Encode(m)
}

// Follow reads messages until the lab is up, and returns the error of one that does not come up. A lab that ends without
// saying why is io.ErrUnexpectedEOF.
func Follow(in io.Reader, progress io.Writer) error {
	decoder := json.NewDecoder(in)
	for {
		var m Message
		err := decoder.Decode(&m)
		switch {
		case errors.Is(err, io.EOF):
			return io.ErrUnexpectedEOF
		case err != nil:
			return fmt.Errorf("listen to the lab: %w", err)
		case m.Error != "":
			return errors.New(m.Error)
		case m.Ready:
			return nil
		}
		fmt.Fprintln(progress, m.Progress)
	}
}
