package saved

import (
	"bytes"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"slices"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/loopguard"
)

// State is what a node's agent last wanted.
type State struct {
	// Node is the agent's Node as it was last heard of, with the router ID that was decided on.
	Node intent.Node
	// ASN, RouterID and Selected are those of intent.Intent.
	ASN      bgp.ASN
	RouterID netip.Addr
	Selected []intent.Object
	// Peers to run, by name, and Paths to advertise, in any order.
	Peers []bgp.Peer
	Paths []bgp.Path
	// Opened is that of intent.Intent: what peers' passwords were when they were last known.
	Opened map[string]intent.Opened
	// LoopPrevention and Guard are what to do about packets that loop.
	LoopPrevention loopguard.Mode
	Guard          loopguard.Guard
	// APIServer is where the API server listens itself, sorted: its Service may lead nowhere when the next agent looks for it.
	APIServer []string
}

// Identity is whose state it is: nobody else may use it.
type Identity struct {
	// Node is the node's name.
	Node string
	// Boot is the id of the present boot of the node; "" is unknown, for which nothing can be decoded.
	Boot string
}

// document is a state with all that tells whether it may be used.
type document struct {
	// Form says what the fields of State were when it was written.
	Form string
	Identity
	// Sum is the SHA-256 of State in hex.
	Sum   string
	State json.RawMessage
}

// content is State as it is written.
type content struct {
	State

	Peers  []peer
	Paths  []paths
	Opened map[string]opened
}

// opened is an intent.Opened whose password shows.
type opened struct {
	intent.Opened

	Password string
}

// peer is a bgp.Peer whose password shows.
type peer struct {
	bgp.Peer

	Password string `json:",omitempty"`
}

// paths are paths that differ in nothing but their prefixes, which is nearly all that there are.
type paths struct {
	bgp.Path

	Prefixes []netip.Prefix
}

// Encode returns the state as Decode reads it.
func Encode(state State, identity Identity) ([]byte, error) {
	c := content{State: state}
	for _, p := range state.Peers {
		c.Peers = append(c.Peers, peer{Peer: p, Password: p.Password.Reveal()})
	}
	for name, o := range state.Opened {
		if c.Opened == nil {
			c.Opened = map[string]opened{}
		}
		c.Opened[name] = opened{Opened: o, Password: o.Password.Reveal()}
	}
	groups := map[bgp.Path]int{}
	for _, path := range state.Paths {
		alike := path
		alike.Prefix = netip.Prefix{}
		i, known := groups[alike]
		if !known {
			i = len(c.Paths)
			groups[alike] = i
			c.Paths = append(c.Paths, paths{Path: alike})
		}
		c.Paths[i].Prefixes = append(c.Paths[i].Prefixes, path.Prefix)
	}
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode the state: %w", err)
	}
	return json.Marshal(document{Form: form(), Identity: identity, Sum: sum(body), State: body})
}

// Decode returns the state that Encode was given. The error says why it may not be used: it is damaged, or another
// node's, another boot's, or of an agent that keeps other things.
func Decode(text []byte, identity Identity) (State, error) {
	var d document
	if err := strict(text, &d); err != nil {
		return State{}, fmt.Errorf("it is damaged: %w", err)
	}
	switch {
	case d.Form != form():
		return State{}, errors.New("it was written by another version of the agent")
	case d.Node != identity.Node:
		return State{}, fmt.Errorf("it is of node %q", d.Node)
	case identity.Boot == "" || d.Boot != identity.Boot:
		return State{}, errors.New("it is of an earlier boot")
	case d.Sum != sum(d.State):
		return State{}, errors.New("it is damaged: its checksum is another")
	}
	var c content
	if err := strict(d.State, &c); err != nil {
		return State{}, fmt.Errorf("it is damaged: %w", err)
	}
	state := c.State
	for _, p := range c.Peers {
		p.Peer.Password = bgp.PasswordOf(p.Password)
		state.Peers = append(state.Peers, p.Peer)
	}
	for name, o := range c.Opened {
		if state.Opened == nil {
			state.Opened = map[string]intent.Opened{}
		}
		o.Opened.Password = bgp.PasswordOf(o.Password)
		state.Opened[name] = o.Opened
	}
	for _, group := range c.Paths {
		for _, prefix := range group.Prefixes {
			path := group.Path
			path.Prefix = prefix
			state.Paths = append(state.Paths, path)
		}
	}
	return state, nil
}

func strict(text []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	return decoder.Decode(into)
}

func sum(body []byte) string {
	s := sha256.Sum256(body)
	return hex.EncodeToString(s[:])
}

// form names the fields of State and of all that is in it: whatever is added to a peer or a path, or goes, makes another
// form. A field that an older agent did not know of would be empty, and empty may mean something.
func form() string {
	var fields []string
	describe(reflect.TypeFor[State](), "", &fields)
	describe(reflect.TypeFor[bgp.ExportRule](), "rule", &fields) // What a bgp.ExportPolicy is written as.
	slices.Sort(fields)
	var text bytes.Buffer
	for _, f := range fields {
		text.WriteString(f + "\n")
	}
	return sum(text.Bytes())
}

func describe(t reflect.Type, path string, fields *[]string) {
	isValue := t.Implements(reflect.TypeFor[json.Marshaler]()) || t.Implements(reflect.TypeFor[encoding.TextMarshaler]())
	if isValue { // Its fields are its own affair.
		*fields = append(*fields, path+" "+t.String())
		return
	}
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer, reflect.Map:
		describe(t.Elem(), path+"[]", fields)
	case reflect.Struct:
		for f := range t.Fields() {
			describe(f.Type, path+"."+f.Name, fields)
		}
		return
	default:
	}
	*fields = append(*fields, path+" "+t.String())
}
