// Package probe watches a lab from the inside: what a router's kernel routes to, event by event, and what a client's
// requests get, one by one. It writes what it sees as lines of JSON until its context ends.
package probe

import (
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"time"
)

// RouteEvent says what happened to a route.
type RouteEvent string

// The events of a route.
const (
	// Present is a route that was there before the watch began.
	Present RouteEvent = "Present"
	// Watching ends the routes that were there before; it names no route.
	Watching RouteEvent = "Watching"
	// Set is a route that came, or whose next hops changed to these.
	Set RouteEvent = "Set"
	// Deleted is a route that lost these next hops.
	Deleted RouteEvent = "Deleted"
)

// Route is one line of WatchRoutes: an event of a route that a routing daemon put into the kernel's main table.
type Route struct {
	Time     time.Time    `json:"time"`
	Event    RouteEvent   `json:"event"`
	Prefix   netip.Prefix `json:"prefix"`
	NextHops []netip.Addr `json:"nextHops,omitempty"`
}

// Request is one line of SendRequests: a request on a connection of its own.
type Request struct {
	// Time is when it began, Took how long it was until the answer was read or the request failed.
	Time time.Time     `json:"time"`
	Took time.Duration `json:"took"`
	URL  string        `json:"url"`
	// Body is the answer, at most its first 256 bytes; Error says why there is none.
	Body  string `json:"body,omitempty"`
	Error string `json:"error,omitempty"`
}

// String returns the request as a line of a report.
func (r Request) String() string {
	became := r.Body
	if r.Error != "" {
		became = r.Error
	}
	return fmt.Sprintf("%s %s after %s: %s", r.Time.Format(time.StampMilli), r.URL, r.Took.Round(time.Millisecond), became)
}

// write returns an error when nobody reads any more, which is how a probe ends.
func write(out io.Writer, record any) error { return json.NewEncoder(out).Encode(record) }
