package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
)

// callsOfBurst counts, in the API server's audit log, which calls are made from the creation of many Services until all are
// routed and Herald is at rest, by whom.
func callsOfBurst(ctx context.Context, r *rack, o *options) (_ []row, err error) {
	defer func() { err = errors.Join(err, r.deleteAssigned(context.WithoutCancel(ctx))) }()
	log, err := os.Open(r.AuditLog())
	if err != nil {
		return nil, err
	}
	defer log.Close()
	if _, err := log.Seek(0, io.SeekEnd); err != nil {
		return nil, err
	}
	if _, err := r.assignAtOnce(ctx, o.services); err != nil {
		return nil, err
	}
	counts, err := countCalls(log)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.AuditLog(), err)
	}
	return callRows(counts, o.services), nil
}

// call is what requests to the API server have in common.
type call struct {
	// program made them, verb and resource are what it did to what.
	program, verb, resource string
	// status is what the API server answered, where it refused; else 0.
	status int
}

func (c call) String() string {
	text := c.program + ": " + c.verb + " " + c.resource
	if c.status != 0 {
		text += fmt.Sprintf(" (refused: %d)", c.status)
	}
	return text
}

// countCalls reads the lines of an audit log.
func countCalls(log io.Reader) (map[call]int, error) {
	counts := map[call]int{}
	for lines := json.NewDecoder(log); ; {
		var line struct {
			Verb, UserAgent string
			ObjectRef       struct{ Resource, Subresource string }
			ResponseStatus  struct{ Code int }
			RequestURI      string
		}
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) { // The API server may be in the middle of a line.
			return counts, nil
		}
		if err != nil {
			return nil, err
		}
		c := call{verb: line.Verb, resource: line.ObjectRef.Resource}
		c.program, _, _ = strings.Cut(line.UserAgent, "/")
		if line.ObjectRef.Subresource != "" {
			c.resource += "/" + line.ObjectRef.Subresource
		}
		if c.resource == "" {
			c.resource, _, _ = strings.Cut(line.RequestURI, "?")
		}
		if line.ResponseStatus.Code >= http.StatusBadRequest {
			c.status = line.ResponseStatus.Code
		}
		counts[c]++
	}
}

// few is how many calls for each Service are too few to be a line of their own.
const few = 0.05

// callRows returns the calls for each of so many Services, the most frequent first, refused ones always. Leases are renewed as
// time goes by, whatever else happens.
func callRows(counts map[call]int, services int) []row {
	calls := slices.SortedFunc(maps.Keys(counts), func(a, b call) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), strings.Compare(a.String(), b.String()))
	})
	var rows []row
	var rest int
	for _, c := range calls {
		if each := float64(counts[c]) / float64(services); c.status != 0 || each >= few && c.resource != "leases" {
			rows = append(rows, row{"calls per Service: " + c.String(), fmt.Sprintf("%.2f", each), ""})
			continue
		}
		rest += counts[c]
	}
	return append(rows, row{"calls per Service: all others", fmt.Sprintf("%.2f", float64(rest)/float64(services)), ""})
}
