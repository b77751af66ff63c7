package agent_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-logr/logr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/internal/core/plan"
	"github.com/herald-network/herald/internal/core/saved"
	"github.com/herald-network/herald/internal/metrics"
	"github.com/herald-network/herald/internal/speaker"
	"github.com/herald-network/herald/internal/speaker/speakertest"
)

// world is an agent with everything around it, in a bubble of its own time.
type world struct {
	*WithT

	t        *testing.T
	agent    *agent.Agent
	inputs   *input.Queue
	speaker  *speakertest.Fake
	marker   *marker
	workload *workload
	host     *host
	bgpNode  *nodeStatus
	registry *prometheus.Registry
	loop     *metrics.Loop
	warnings chan agent.Warning
	firewall *firewall
	uplinks  *uplinks
	file     *file
	server   *apiServer
	secrets  *secrets

	// stop ends the agent as SIGTERM does, and returns what it ended with.
	stop func() error
}

// inBubble runs a story about an agent that has just started; wrap, where given, comes between it and the fake speaker.
func inBubble(t *testing.T, story func(w *world), wrap ...func(speaker.Speaker) speaker.Speaker) {
	t.Helper()
	inBubbleWith(t, func(*world, *agent.Config) {}, story, wrap...)
}

// inBubbleWith is inBubble for an agent that starts after something has happened.
func inBubbleWith(
	t *testing.T, before func(*world, *agent.Config), story func(w *world), wrap ...func(speaker.Speaker) speaker.Speaker,
) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{
			WithT:    NewWithT(t),
			t:        t,
			inputs:   input.NewQueue(),
			speaker:  &speakertest.Fake{},
			marker:   &marker{},
			workload: &workload{},
			host:     &host{},
			bgpNode:  &nodeStatus{},
			registry: prometheus.NewRegistry(),
			warnings: make(chan agent.Warning, 10),
			firewall: &firewall{},
			uplinks:  &uplinks{names: []string{"eth0"}, changed: make(chan struct{}, 1)},
			file:     &file{err: fs.ErrNotExist},
			server:   &apiServer{},
			secrets:  &secrets{},
		}
		w.loop = metrics.NewLoop(w.registry)
		var spoken speaker.Speaker = w.speaker
		for _, with := range wrap {
			spoken = with(spoken)
		}
		loops := agent.NewLoopGuard(w.firewall, w.uplinks, metrics.NewLoopPrevention(w.registry, w.firewall.packets), logr.Discard())
		keeper := agent.NewKeeper(w.file, w.server, w.loop, logr.Discard())
		config := agent.Config{
			Node: "node-1", Namespace: "herald-system", Version: "v1", Log: logr.Discard(),
			Inputs: w.inputs, Secrets: w.secrets, Speaker: spoken, Marker: w.marker, Workload: w.workload, Host: w.host,
			BGPNode:  w.bgpNode,
			Warnings: w.warnings, Metrics: w.loop, Loops: loops, Keeper: keeper,
		}
		before(w, &config)
		w.agent = agent.New(config)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		var beside sync.WaitGroup
		working, rest := context.WithCancel(t.Context())
		beside.Go(func() { loops.Run(working) })
		beside.Go(func() { keeper.Run(working) })
		go func() { ended <- w.agent.Run(ctx) }()
		w.stop = sync.OnceValue(func() error {
			cancel()
			defer beside.Wait()
			defer rest()
			return <-ended
		})
		defer func() { w.Expect(w.stop()).To(Succeed()) }()
		story(w)
	})
}

// hear has the agent take in events, and waits until it has acted on them.
func (w *world) hear(events ...input.Event) {
	w.inputs.Push(events...)
	synctest.Wait()
}

// hearAll has the agent take in events after which all kinds are known.
func (w *world) hearAll(events ...input.Event) {
	for _, kind := range input.Kinds() {
		events = append(events, input.Synced{Kind: kind})
	}
	w.hear(events...)
}

// pass lets time pass, and everything happen that happens in it.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// steps returns what the speaker was asked to do, plan by plan, in words.
func (w *world) steps() [][]string {
	var plans [][]string
	for _, p := range w.speaker.Plans() {
		var steps []string
		for _, step := range p {
			steps = append(steps, step.String())
		}
		plans = append(plans, steps)
	}
	return plans
}

// prefixes returns what a peer's router has from the agent.
func (w *world) prefixes(peer string) []string {
	prefixes := []string{}
	for prefix := range w.speaker.Routes(peer) {
		prefixes = append(prefixes, prefix.String())
	}
	return prefixes
}

func (w *world) status() v1alpha1.BGPNodeStatus {
	status, err := w.agent.Status(w.t.Context())
	w.Expect(err).NotTo(HaveOccurred())
	return status
}

// counter returns the value of a counter with at most one series.
func (w *world) counter(name string) float64 {
	families, err := w.registry.Gather()
	w.Expect(err).NotTo(HaveOccurred())
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	return 0
}

// marker remembers whether it is set.
type marker struct {
	set bool
	err error
}

func (m *marker) Set() error   { m.set = true; return m.err }
func (m *marker) Clear() error { m.set = false; return m.err }

// workload says whether the agent has left for good, after a while.
type workload struct {
	hasLeft bool
	err     error
	after   time.Duration
	// asked are the labels that it was last asked about.
	asked map[string]string
}

func (w *workload) HasLeft(ctx context.Context, labels map[string]string) (bool, error) {
	w.asked = labels
	select {
	case <-ctx.Done():
		return false, ctx.Err()
	case <-time.After(w.after):
		return w.hasLeft, w.err
	}
}

// host is a machine that shows after a while that it shuts down, if it does.
type host struct {
	down  bool
	after time.Duration
}

func (h *host) IsGoingDown(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(h.after):
		return h.down
	}
}

// secrets remembers which keys are followed, each with its occasion.
type secrets struct {
	keys map[v1alpha1.SecretKeyRef]string
}

func (s *secrets) Follow(keys map[v1alpha1.SecretKeyRef]string) { s.keys = keys }

// flaky is a speaker that fails, or panics, as often as a test says.
type flaky struct {
	speaker.Speaker

	mu             sync.Mutex
	errors, panics int
}

// wrap puts the flaky speaker before the sound one.
func (f *flaky) wrap(s speaker.Speaker) speaker.Speaker {
	f.Speaker = s
	return f
}

// fail has the next run fail.
func (f *flaky) fail() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.errors++
}

func (f *flaky) Run(ctx context.Context, steps []plan.Step) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.panics > 0:
		f.panics--
		panic("a bug")
	case f.errors > 0:
		f.errors--
		return errors.New("the engine is busy")
	}
	return f.Speaker.Run(ctx, steps)
}

// firewall remembers the rules, and fails as a test says.
type firewall struct {
	mu      sync.Mutex
	guard   loopguard.Guard
	uplinks []string
	err     error
	applied int
}

func (f *firewall) Apply(guard loopguard.Guard, uplinks []string) (changed bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.applied++
	if f.err != nil {
		return false, f.err
	}
	changed = !f.guard.Equal(guard) || !slices.Equal(f.uplinks, uplinks)
	f.guard, f.uplinks = guard, uplinks
	return changed, nil
}

// rules returns what stands, in words: the mode, the blocks and the uplinks.
func (f *firewall) rules() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return fmt.Sprint(f.guard.Mode, f.guard.Blocks, f.uplinks)
}

// change changes the fake as somebody else would.
func (f *firewall) change(how func(f *firewall)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	how(f)
}

func (f *firewall) packets() (map[netip.Prefix]uint64, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	packets := map[netip.Prefix]uint64{}
	for _, block := range f.guard.Blocks {
		packets[block] = 7
	}
	return packets, f.err
}

// uplinks are the names of interfaces, whatever the addresses.
type uplinks struct {
	mu      sync.Mutex
	names   []string
	asked   []netip.Addr
	err     error
	changed chan struct{}
}

func (u *uplinks) Find(addresses []netip.Addr) ([]string, error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.asked = addresses
	return u.names, u.err
}

func (u *uplinks) Follow(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

func (u *uplinks) Changed() <-chan struct{} { return u.changed }

// become changes the interfaces, and says so.
func (u *uplinks) become(err error, names ...string) {
	u.mu.Lock()
	u.names, u.err = names, err
	u.mu.Unlock()
	u.changed <- struct{}{}
}

// apiServer is where the API server listens.
type apiServer struct {
	mu        sync.Mutex
	endpoints []string
}

func (s *apiServer) APIServerEndpoints() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.endpoints
}

func (s *apiServer) RecallAPIServer(endpoints []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints = endpoints
}

// file is a saved state that is encoded as the real one is.
type file struct {
	mu     sync.Mutex
	text   []byte
	err    error
	writes int
}

var whose = saved.Identity{Node: "node-1", Boot: "this"}

func (f *file) Load() (saved.State, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return saved.State{}, f.err
	}
	return saved.Decode(f.text, whose)
}

func (f *file) Save(state saved.State) (err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	f.text, err = saved.Encode(state, whose)
	f.err = err
	return err
}

func (f *file) Remove() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text, f.err = nil, fs.ErrNotExist
	return nil
}

// written returns how often the file was written.
func (f *file) written() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

// Objects of the stories.

func node(change ...func(*intent.Node)) input.Node {
	n := &intent.Node{Name: "node-1", InternalIPs: []netip.Addr{netip.MustParseAddr("192.168.1.11")}}
	for _, c := range change {
		c(n)
	}
	return input.Node{Node: n}
}

func excluded(n *intent.Node) { n.Labels = map[string]string{intent.ExcludeLabel: ""} }

func maintained(n *intent.Node) { n.Labels = map[string]string{intent.MaintenanceLabel: "true"} }

func peer(name, address string, change ...func(*v1alpha1.BGPPeer)) input.Peer {
	p := &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: "uid-of-tor", Generation: 1},
		Spec:       v1alpha1.BGPPeerSpec{PeerIP: address, ASNumber: 64512},
	}
	for _, c := range change {
		c(p)
	}
	return input.Peer{Name: name, Peer: p}
}

// tor is the peer of most stories.
func tor(change ...func(*v1alpha1.BGPPeer)) input.Peer { return peer("tor", "192.168.1.1", change...) }

// blocks is the base configuration, with blocks of ClusterIPs.
func blocks(cidrs ...v1alpha1.CIDR) input.Configuration {
	c := &v1alpha1.BGPConfiguration{ObjectMeta: metav1.ObjectMeta{Name: v1alpha1.DefaultConfigurationName}}
	for _, cidr := range cidrs {
		c.Spec.ServiceClusterIPs = append(c.Spec.ServiceClusterIPs, v1alpha1.Block{CIDR: cidr})
	}
	return input.Configuration{Name: c.Name, Configuration: c}
}

// local is a Service with the policy Local: a host route from where its endpoints are.
func local(name, clusterIP string) input.Service {
	return input.Service{
		Key: advertise.ServiceKey{Namespace: "default", Name: name},
		Spec: &advertise.Service{
			Type:                  advertise.TypeNodePort,
			ExternalTrafficPolicy: advertise.Local,
			Addresses:             []advertise.Address{{Addr: netip.MustParseAddr(clusterIP), Kind: advertise.ClusterIP}},
		},
	}
}

// endpointHere is a slice of a Service with a ready endpoint on the agent's node.
func endpointHere(service string) input.Slice {
	return input.Slice{
		Key: advertise.SliceKey{Namespace: "default", Name: service + "-1"},
		Slice: &advertise.Slice{
			Service: service, Family: bgp.IPv4, Endpoints: advertise.Endpoints{Ready: 1, ReadyHere: 1},
		},
	}
}

func prefixes(texts ...string) []netip.Prefix {
	var list []netip.Prefix
	for _, text := range texts {
		list = append(list, netip.MustParsePrefix(text))
	}
	return list
}
