package gobgp_test

import (
	"fmt"
	"net/netip"
	"testing"

	packet "github.com/osrg/gobgp/v3/pkg/packet/bgp"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/speaker"
	"github.com/herald-network/herald/internal/speaker/speakertest"
)

func TestSpeakerPassesTheSuite(t *testing.T) {
	speakertest.Suite(t, func(t *testing.T) speakertest.Lab {
		t.Helper()
		return &suiteLab{speaker: newSpeaker(t, gobgp.Options{ForwardingPreserved: true})}
	})
}

// suiteLab gives each router an address of its own.
type suiteLab struct {
	speaker *gobgp.Speaker
	routers int
}

func (l *suiteLab) Speaker() speaker.Speaker { return l.speaker }

func (l *suiteLab) NewRouter(t *testing.T, name string) (bgp.Peer, speakertest.Router) {
	t.Helper()
	l.routers++
	router := newRouter(t, fmt.Sprintf("127.0.0.%d", 1+l.routers), helper(64513))
	return peerOf(name, router), suiteRouter{testRouter: router, t: t, lab: l, name: name}
}

type suiteRouter struct {
	*testRouter
	t    *testing.T
	lab  *suiteLab
	name string
}

// Accept has nothing to do where the peer is dialled: the router always takes connections.
func (r suiteRouter) Accept() {
	if peer := session(r.lab.speaker, r.name).Peer; peer.Passive {
		r.keepCalling(r.t, netip.AddrPortFrom(peer.SourceAddress, peer.ListenPort))
	}
}

func (r suiteRouter) Break() { r.reset() }

func (r suiteRouter) Routes() map[netip.Prefix]bgp.Advertisement {
	if c := r.last(); c != nil && c.end() == nil {
		return c.table()
	}
	return nil
}

func (r suiteRouter) Ceased() bool {
	last := r.last().lastWords()
	return last != nil && last.ErrorCode == packet.BGP_ERROR_CEASE
}
