package gobgp_test

import (
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"

	"github.com/herald-network/herald/internal/adapter/gobgp"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/speaker"
)

const noAnswer = "NoAnswer: the host resolves but the port does not answer: a password or a filter differs"

// listener returns the answers of a router that takes connections from this address with a password only.
func guarded(from, password string) routerConfig {
	config := helper(64512)
	config.Socket = onEachSocket(signed(from, password))
	return config
}

func withPassword(password string) func(*bgp.Peer) {
	return func(p *bgp.Peer) { p.Password = bgp.PasswordOf(password) }
}

// from sets the source address; "" leaves it to the kernel.
func from(address string) func(*bgp.Peer) {
	return func(p *bgp.Peer) { p.SourceAddress, _ = netip.ParseAddr(address) }
}

func TestPasswordOfADialledPeer(t *testing.T) {
	longest := strings.Repeat("p", bgp.MaxPasswordLength)
	for name, test := range map[string]struct {
		router, node, password string
	}{
		"IPv4":    {"127.0.0.2", "127.0.0.1", "secret"},
		"IPv6":    {"::1", "::1", "secret"},
		"longest": {"127.0.0.2", "127.0.0.1", longest},
	} {
		t.Run(name, func(t *testing.T) {
			router := newRouter(t, test.router, guarded(test.node, test.password))
			s := newSpeaker(t, gobgp.Options{})
			peer := peerOf("tor", router, withPassword(test.password), from(test.node))
			run(t, s, addPeers(peer), plan.Routes(hostRoutes(2), nil))
			eventuallyConsistent(t, s, router, peer, hostRoutes(2))
		})
	}
}

// Neither side is told of a wrong password: nothing answers, and the others live on.
func TestWrongPasswordIsNoAnswer(t *testing.T) {
	t.Parallel()
	for name, password := range map[string]string{"another": "hunter2", "none": ""} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log records
			router := newRouter(t, "127.0.0.2", guarded("127.0.0.1", "secret"))
			good := newRouter(t, "127.0.0.3", helper(64512))
			s := gobgp.New(gobgp.Options{Log: funcr.New(log.add, funcr.Options{Verbosity: 9})})
			t.Cleanup(func() { _ = s.Close(t.Context(), speaker.KeepRoutes) })
			run(t, s, addPeers(peerOf("good", good), peerOf("tor", router, withPassword(password))))
			got := eventuallyCause(t, s, "tor", noAnswer)
			eventuallyEstablished(t, s, "good", 0)
			if err := s.Close(t.Context(), speaker.KeepRoutes); err != nil {
				t.Fatal(err)
			}
			if all := log.String() + fmt.Sprintf("%+v %#v", got, got); password != "" && strings.Contains(all, password) {
				t.Errorf("the password shows: %s", all)
			}
		})
	}
}

func TestPasswordThatNoSocketTakesIsRefused(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	secret := strings.Repeat("p", bgp.MaxPasswordLength+1)
	err := s.Run(t.Context(), addPeers(peerOf("tor", router, withPassword(secret))))
	if err == nil || !strings.Contains(err.Error(), "Password: want at most 80 bytes") || strings.Contains(err.Error(), secret) {
		t.Errorf("error %v", err)
	}
}

// records is what was logged.
type records struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *records) add(prefix, args string) { _, _ = r.Write([]byte(prefix + args)) }

func (r *records) Write(text []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(text)
}

func (r *records) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// GTSM, RFC 5082: who demands a TTL that only a neighbor can have gets it from the first packet on, and the other way round.
func TestTTLOfADialledPeer(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		router []func(int) error
		edit   func(*bgp.Peer)
		up     bool
	}{
		"the router demands 255 and gets it": {[]func(int) error{minimumTTL(255)}, withTTL(255, 0), true},
		"the router demands 255":             {[]func(int) error{minimumTTL(255)}, withTTL(0, 0), false},
		"the node demands 255 and gets it":   {[]func(int) error{ttl(255)}, withTTL(255, 255), true},
		"the node demands 255":               {[]func(int) error{ttl(254)}, withTTL(255, 255), false},
		"one hop less is two hops":           {[]func(int) error{ttl(254)}, withTTL(255, 254), true},
		"multihop":                           {[]func(int) error{minimumTTL(2)}, withTTL(2, 0), true},
		"not far enough":                     {[]func(int) error{minimumTTL(2)}, withTTL(1, 0), false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := helper(64512)
			config.Socket = onEachSocket(test.router...)
			router := newRouter(t, "127.0.0.2", config)
			s := newSpeaker(t, gobgp.Options{})
			run(t, s, addPeers(peerOf("tor", router, test.edit)))
			if test.up {
				eventuallyEstablished(t, s, "tor", 0)
			} else {
				eventuallyCause(t, s, "tor", noAnswer)
			}
		})
	}
}

func withTTL(ttl, minimum uint8) func(*bgp.Peer) {
	return func(p *bgp.Peer) { p.TTL, p.MinimumTTL = ttl, minimum }
}

// Changed TTLs hold for the connection that is up.
func TestTTLOfALiveSessionChangesInPlace(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer := peerOf("tor", router)
	run(t, s, addPeers(peer))
	eventuallyEstablished(t, s, "tor", 0)

	secured := peer
	withTTL(255, 255)(&secured)
	run(t, s, plan.Peers([]bgp.Peer{peer}, []bgp.Peer{secured}))
	socket(t, router.last().conn, minimumTTL(255))
	run(t, s, plan.Routes(hostRoutes(2), nil))
	eventuallyConsistent(t, s, router, secured, hostRoutes(2)) // Or the router would have dropped the UPDATEs.
	if got := session(s, "tor"); got.Flaps != 0 || len(router.all()) != 1 {
		t.Errorf("the session was reset: %+v", got)
	}
}

func TestMinimumTTLOfALiveSessionChangesInPlace(t *testing.T) {
	t.Parallel()
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	peer := peerOf("tor", router, shortHoldTime, withTTL(255, 0))
	run(t, s, addPeers(peer))
	eventuallyEstablished(t, s, "tor", 0)

	secured := peer
	secured.MinimumTTL = 255
	run(t, s, plan.Peers([]bgp.Peer{peer}, []bgp.Peer{secured}))
	eventuallyCause(t, s, "tor", "hold timer expired") // What the router sends comes with a TTL of 64.
}

func TestMissingInterfaceIsACause(t *testing.T) {
	router := newRouter(t, "127.0.0.2", helper(64512))
	s := newSpeaker(t, gobgp.Options{})
	run(t, s, addPeers(peerOf("tor", router, func(p *bgp.Peer) {
		p.Address, p.SourceAddress = netip.MustParseAddrPort("[fe80::1%eth9]:179"), netip.Addr{}
	})))
	got := eventuallyCause(t, s, "tor", "the node has no interface eth9")
	if got.LastError != "the node has no interface eth9" || time.Since(got.Since) > patience {
		t.Errorf("session %+v", got)
	}
}
