package speakertest

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

// Lab is a speaker that has not been used, with routers for it.
type Lab interface {
	Speaker() speaker.Speaker
	// NewRouter returns a router that takes connections, and a peer for it, sound in every field, with both families and
	// graceful restart.
	NewRouter(t *testing.T, name string) (bgp.Peer, Router)
}

// Router is the other side of a session, as its operator sees it.
type Router interface {
	// Accept lets the session come up: the router takes connections, or connects where the peer is Passive. It is called
	// after the peer was added.
	Accept()
	// Routes returns what the router has from the speaker; empty while no session is established.
	Routes() map[netip.Prefix]bgp.Advertisement
	// Break ends the session without a NOTIFICATION; the next connection is taken.
	Break()
	// Ceased reports whether the last session ended with a Cease.
	Ceased() bool
}

// patience is how long an expected event may take.
const patience = 10 * time.Second

// Suite holds a speaker to what the port promises.
func Suite(t *testing.T, newLab func(t *testing.T) Lab) {
	t.Helper()
	for name, test := range map[string]func(*bench){
		"paths that were there before the peer are sent when the session comes up": (*bench).pathsBeforePeers,
		"paths follow the table while the session is up":                           (*bench).pathsFollowTheTable,
		"steps can be repeated":                              (*bench).stepsAreIdempotent,
		"attributes change without a withdrawal or a reset":  (*bench).attributesChange,
		"a peer gets the routes of its families only":        (*bench).familiesAreFiltered,
		"export rules decide what a peer gets":               (*bench).exportRulesDecide,
		"a path that comes to be rejected is withdrawn":      (*bench).rejectedPathsAreWithdrawn,
		"each field of a peer costs what the plan says":      (*bench).updatesCostTheirImpact,
		"a lost session comes back with all routes":          (*bench).lostSessionComesBack,
		"a passive peer is waited for":                       (*bench).passivePeerIsWaitedFor,
		"a removed peer is told, and the others live on":     (*bench).removedPeerIsTold,
		"what is on the wire is counted by session and once": (*bench).countsAreOfTheWire,
		"every change nudges":                                (*bench).changesNudge,
		"a bad step fails and keeps no other from running":   (*bench).badStepsFailAlone,
		"closing may keep the routes":                        (*bench).closeKeepsRoutes,
		"closing may withdraw the routes":                    (*bench).closeWithdrawsRoutes,
	} {
		t.Run(name, func(t *testing.T) {
			lab := newLab(t)
			test(&bench{T: t, WithT: gomega.NewWithT(t), lab: lab, speaker: lab.Speaker()})
		})
	}
}

// bench is one test of the suite.
type bench struct {
	*testing.T
	*gomega.WithT
	lab     Lab
	speaker speaker.Speaker
}

func prefix(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func paths(prefixes ...string) []bgp.Path {
	var out []bgp.Path
	for _, p := range prefixes {
		out = append(out, bgp.Path{Prefix: prefix(p)})
	}
	return out
}

func (b *bench) run(groups ...[]plan.Step) {
	b.Helper()
	b.Expect(b.speaker.Run(b.Context(), plan.Order(groups...))).To(gomega.Succeed())
}

// update goes over from what the speaker observes to the given peers.
func (b *bench) update(desired ...bgp.Peer) {
	b.Helper()
	var observed []bgp.Peer
	for _, s := range b.speaker.Observe().Sessions {
		observed = append(observed, s.Peer)
	}
	b.run(plan.Peers(observed, desired))
}

// add adds a peer with a router that accepts it, and waits for the session.
func (b *bench) add(name string, edits ...func(*bgp.Peer)) (bgp.Peer, Router) {
	b.Helper()
	peer, router := b.lab.NewRouter(b.T, name)
	for _, edit := range edits {
		edit(&peer)
	}
	b.run(plan.Peers(nil, []bgp.Peer{peer}))
	router.Accept()
	b.eventuallyEstablished(name, 0)
	return peer, router
}

func (b *bench) session(name string) bgp.Session {
	for _, s := range b.speaker.Observe().Sessions {
		if s.Peer.Name == name {
			return s
		}
	}
	return bgp.Session{}
}

func (b *bench) eventuallyEstablished(name string, flaps int) {
	b.Helper()
	b.Eventually(func(g gomega.Gomega) {
		s := b.session(name)
		g.Expect(s.State).To(gomega.Equal(bgp.Established), "cause: %s", s.LastError)
		g.Expect(s.Flaps).To(gomega.Equal(flaps))
	}, patience, time.Millisecond).Should(gomega.Succeed())
}

// eventuallyRoutes waits until the router has exactly what a session with the peer exports of the paths, and until the
// speaker says so.
func (b *bench) eventuallyRoutes(router Router, peer bgp.Peer, paths ...bgp.Path) {
	b.Helper()
	want := map[netip.Prefix]bgp.Advertisement{}
	for _, path := range paths {
		if out, ok := bgp.Export(peer, path); ok {
			want[path.Prefix] = out
		}
	}
	diff := func() string {
		return cmp.Diff(want, router.Routes(), cmpopts.EquateComparable(netip.Prefix{}, netip.Addr{}, bgp.Communities{}))
	}
	b.Eventually(diff, patience, time.Millisecond).Should(gomega.BeEmpty(), "routes (-want +got)")
	b.Eventually(func() int { return b.session(peer.Name).Advertised }, patience, time.Millisecond).Should(gomega.Equal(len(want)))
}
