package agent_test

import (
	"context"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/go-logr/logr/funcr"
	"github.com/go-logr/logr/testr"
	. "github.com/onsi/gomega"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/adapter/bootmarker"
	"github.com/herald-network/herald/internal/adapter/kube"
	"github.com/herald-network/herald/internal/adapter/statefile"
	"github.com/herald-network/herald/internal/agent"
	"github.com/herald-network/herald/internal/agent/input"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/loopguard"
	"github.com/herald-network/herald/internal/core/saved"
	"github.com/herald-network/herald/internal/metrics"
	"github.com/herald-network/herald/internal/speaker/speakertest"
	"github.com/herald-network/herald/test/envtest/apiserver"
)

// rig is a cluster with one node, node-1, and an agent on it that has the rights of the manifests and no others.
type rig struct {
	*WithT

	t       *testing.T
	server  *apiserver.Server
	gate    *gate
	speaker *speakertest.Fake
	agent   *agent.Agent
	// stop ends the agent as SIGTERM does.
	stop func()
}

// newCluster starts an API server with the agent's rights and a Node.
func newCluster(t *testing.T) *apiserver.Server {
	t.Helper()
	server := apiserver.Start(t)
	for _, file := range []string{"namespace/namespace.yaml", "rbac/agent.yaml"} {
		server.MustKubectl(t, "", "apply", "-f", filepath.Join(server.Root, "config", file))
	}
	server.MustKubectl(t, nodeManifest, "apply", "-f", "-")
	server.MustKubectl(t, "", "patch", "node", "node-1", "--subresource=status", "--type=merge", "-p",
		`{"status":{"addresses":[{"type":"InternalIP","address":"192.168.1.11"}]}}`)
	return server
}

// startAgent starts an agent on node-1 that reaches the API server through a gate, and waits until it is ready. What it logs
// goes to the sink, where there is one.
func startAgent(t *testing.T, server *apiserver.Server, sinks ...*sink) *rig {
	t.Helper()
	r := launchAgent(t, server, "", false, sinks...)
	r.Eventually(r.agent.Ready).WithArguments(t.Context()).Should(Succeed())
	return r
}

// launchAgent is startAgent for an agent with a state directory, which does not wait: the gate may be shut, so that the
// agent starts while the API server is away.
func launchAgent(t *testing.T, server *apiserver.Server, directory string, isShut bool, sinks ...*sink) *rig {
	t.Helper()
	g := NewWithT(t)
	g.SetDefaultEventuallyTimeout(30 * time.Second)
	host, err := url.Parse(server.Config.Host)
	g.Expect(err).NotTo(HaveOccurred())
	r := &rig{WithT: g, t: t, server: server, gate: newGate(t, host.Host), speaker: &speakertest.Fake{}}

	config := rest.CopyConfig(server.Config)
	host.Host = r.gate.address
	config.Host = host.String()
	config.Impersonate.UserName = "system:serviceaccount:herald-system:herald-agent"
	config.Impersonate.Groups = []string{"system:serviceaccounts", "system:authenticated"}
	clients, err := kube.NewClients(config)
	g.Expect(err).NotTo(HaveOccurred())
	if directory == "" {
		directory = t.TempDir()
	}
	marker, err := bootmarker.New(directory, bootmarker.BootIDFile)
	g.Expect(err).NotTo(HaveOccurred())

	log := testr.New(t)
	for _, sink := range sinks {
		log = funcr.New(sink.add, funcr.Options{})
	}
	loop := metrics.NewLoop(prometheus.NewRegistry())
	if isShut {
		r.gate.Shut()
	}
	keeper := agent.NewKeeper(statefile.New(directory, saved.Identity{Node: "node-1", Boot: marker.BootID()}), clients, loop, log)
	loops := agent.NewLoopGuard(nowhere{}, nowhere{}, metrics.NewLoopPrevention(prometheus.NewRegistry(), nowhere{}.packets), log)
	inputs, warnings, bgpNode := input.NewQueue(), make(chan agent.Warning, 16), clients.BGPNode("node-1")
	secrets := clients.Secrets("herald-system", inputs.Push)
	r.agent = agent.New(agent.Config{
		Node: "node-1", Namespace: "herald-system", Version: "v1", Log: log, Inputs: inputs, Secrets: secrets, Speaker: r.speaker, Marker: marker,
		Workload: clients.DaemonSet("herald-system", "herald-agent"), BGPNode: bgpNode, Warnings: warnings, Metrics: loop,
		Loops: loops, Keeper: keeper, Host: nowhere{},
	})
	reporter := &agent.Reporter{Agent: r.agent, Node: bgpNode, Metrics: loop, Log: log}
	heartbeat := &agent.Heartbeat{Agent: r.agent, Lease: clients.Lease("herald-system", "node-1"), Log: log}

	ctx, cancel := context.WithCancel(logr.NewContext(context.WithoutCancel(t.Context()), log))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return r.agent.Run(ctx) })
	group.Go(func() error { kube.Follow(ctx, clients, "node-1", inputs.Push); return nil })
	group.Go(func() error { secrets.Run(ctx); return nil })
	group.Go(func() error { clients.WriteEvents(ctx, "node-1", warnings); return nil })
	group.Go(func() error { reporter.Run(ctx); return nil })
	group.Go(func() error { heartbeat.Run(ctx); return nil })
	group.Go(func() error { loops.Run(ctx); return nil })
	group.Go(func() error { keeper.Run(ctx); return nil })
	r.stop = sync.OnceFunc(func() {
		cancel()
		if err := group.Wait(); err != nil {
			t.Errorf("the agent ended with: %v", err)
		}
	})
	t.Cleanup(r.stop)
	return r
}

// nowhere is a node that has no network of its own, and no kubelet.
type nowhere struct{}

func (nowhere) IsGoingDown(context.Context) bool { return false }

func (nowhere) Apply(loopguard.Guard, []string) (bool, error) { return false, nil }
func (nowhere) Find([]netip.Addr) ([]string, error)           { return nil, nil }
func (nowhere) Changed() <-chan struct{}                      { return nil }
func (nowhere) packets() (map[netip.Prefix]uint64, error)     { return nil, nil }
func (nowhere) Follow(ctx context.Context) error              { <-ctx.Done(); return nil }

func (r *rig) apply(manifest string) { r.server.MustKubectl(r.t, manifest, "apply", "-f", "-") }

func (r *rig) kubectl(args ...string) string { return r.server.MustKubectl(r.t, "", args...) }

// paths returns the prefixes in the speaker's table.
func (r *rig) paths() []string {
	prefixes := []string{}
	for prefix := range r.speaker.Paths() {
		prefixes = append(prefixes, prefix.String())
	}
	return prefixes
}

// establish lets the session of a peer come up, as soon as the speaker has the peer: paths come before it.
func (r *rig) establish(peer string) {
	r.t.Helper()
	r.Eventually(func() []bgp.Session { return r.speaker.Observe().Sessions }).
		Should(ContainElement(HaveField("Peer.Name", peer)), "the peers of the speaker")
	r.speaker.Establish(peer)
}

// has reports whether a prefix is in the speaker's table.
func (r *rig) has(prefix string) func() bool {
	return func() bool {
		_, found := r.speaker.Paths()[netip.MustParsePrefix(prefix)]
		return found
	}
}

// status returns what the agent reported, which is nothing before its first report.
func (r *rig) status() v1alpha1.BGPNodeStatus {
	var n v1alpha1.BGPNode
	r.Expect(yaml.Unmarshal([]byte(r.kubectl("get", "bgpnode", "node-1", "--ignore-not-found", "-o", "yaml")), &n)).To(Succeed())
	return n.Status
}

func TestMain(m *testing.M) {
	// As the DaemonSet has it: a connection on which nothing comes back is given up within seconds.
	_ = os.Setenv("HTTP2_READ_IDLE_TIMEOUT_SECONDS", "2")
	_ = os.Setenv("HTTP2_PING_TIMEOUT_SECONDS", "1")
	os.Exit(m.Run())
}
