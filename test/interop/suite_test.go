package interop

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/test/harness"
	"github.com/herald-network/herald/test/interop/daemon"
	"github.com/herald-network/herald/test/lab/router"
	"github.com/herald-network/herald/test/lab/topology"
)

// Environment variables of the suite.
const (
	// dirVariable names the directory of a lab that is up and stays up.
	dirVariable = "HERALD_INTEROP_DIR"
	// writeVariable, where it is not empty, has the result written to the document.
	writeVariable = "HERALD_INTEROP_WRITE"
)

// Nodes of the lab: cells run on quiet ones side by side, and those that disturb their node take turns on another.
var (
	quietNodes = []string{"node-1", "node-2"}
	loudNode   = "node-3"
)

// suite is the lab and what runs on its routers.
type suite struct {
	*harness.Lab
	api     client.WithWatch
	plan    topology.Rack
	columns []*column
}

// column is a router.
type column struct {
	kind   router.Kind
	host   topology.Host
	daemon daemon.Daemon
	// linkLocal is the router's address on its port in the rack.
	linkLocal netip.Addr

	mu         sync.Mutex
	neighbours []daemon.Neighbour
}

// title is the daemon's name as its own people write it.
func (c *column) title() string {
	return map[router.Kind]string{router.BIRD: "BIRD", router.FRR: "FRR", router.OpenBGPD: "OpenBGPD", router.GoBGP: "GoBGP"}[c.kind]
}

// add gives the router a neighbour beside those that it has.
func (c *column) add(ctx context.Context, n daemon.Neighbour) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.neighbours = append(c.neighbours, n)
	return c.daemon.Configure(ctx, c.neighbours)
}

// remove takes a neighbour away.
func (c *column) remove(ctx context.Context, n daemon.Neighbour) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.neighbours = slices.DeleteFunc(c.neighbours, func(other daemon.Neighbour) bool { return other.Address == n.Address })
	return c.daemon.Configure(ctx, c.neighbours)
}

// newSuite brings the lab up, or attaches to the one that is named.
func newSuite(t *testing.T) *suite {
	t.Helper()
	scratch := t.TempDir()
	binaries, err := harness.Build(t.Context(), scratch)
	must(t, err)
	s := &suite{}
	s.plan, err = topology.New(topology.Options{Nodes: len(quietNodes) + 1, Routers: len(router.Kinds()), IPv6: true})
	must(t, err)
	if dir := os.Getenv(dirVariable); dir != "" {
		s.Lab = harness.Attach(binaries, dir)
	} else {
		s.Lab, err = harness.Up(t.Context(), binaries, filepath.Join(scratch, "rack"), labOptions()...)
		must(t, err)
		t.Cleanup(func() { must(t, s.Down(context.Background())) })
	}
	s.api, err = s.Client(t.Context())
	must(t, err)
	for i, host := range s.plan.With(topology.RoleRouter) {
		kind := router.Kinds()[i]
		on := daemon.On{Lab: s.Lab, Host: host.Name, Addresses: host.Addresses()}
		on.LinkLocal, err = s.linkLocal(t.Context(), host.Name)
		must(t, err)
		s.columns = append(s.columns, &column{kind: kind, host: host, linkLocal: on.LinkLocal, daemon: daemon.New(kind, on)})
	}
	return s
}

// linkLocal returns the link-local address of a host's port in the rack.
func (s *suite) linkLocal(ctx context.Context, host string) (netip.Addr, error) {
	text, err := s.Exec(ctx, host, "ip", "-brief", "-6", "address", "show", "dev", rackPort, "scope", "link")
	if err != nil {
		return netip.Addr{}, err
	}
	for field := range strings.FieldsSeq(text) {
		if prefix, err := netip.ParsePrefix(field); err == nil {
			return prefix.Addr(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("%s has no link-local address on %s: %s", host, rackPort, text)
}

// rackPort is every host's interface in the rack.
const rackPort = "eth0"

// labOptions are those of `lab up`.
func labOptions() []string {
	var kinds []string
	for _, kind := range router.Kinds() {
		kinds = append(kinds, string(kind))
	}
	return []string{
		"--nodes", fmt.Sprint(len(quietNodes) + 1), "--tors", fmt.Sprint(len(kinds)), "--tor", strings.Join(kinds, ","), "--ipv6",
	}
}

// configuration is what all nodes advertise: two blocks of each family, of which the second has every path attribute. Quiet
// nodes leave at once, since cells end with it; the loud one takes leave as nodes do.
const configuration = `---
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata:
  name: default
spec:
  asNumber: 64513
  listenPort: 179
  gracefulShutdown: {timeSeconds: 0}
  serviceClusterIPs:
  - cidr: 10.49.0.0/16
  - cidr: fd00:49::/112
  serviceExternalIPs:
  - cidr: 192.168.3.0/24
  - cidr: 2001:db8:3::/120
  prefixAdvertisements:
  - cidr: 192.168.3.0/24
    communities: ["64513:7", "64513:8:9"]
    localPreference: 200
    med: 10
    asPathPrepend: 2
---
apiVersion: herald.network/v1alpha1
kind: BGPConfiguration
metadata:
  name: loud
spec:
  nodeSelector:
    matchLabels: {kubernetes.io/hostname: node-3}
  gracefulShutdown: {timeSeconds: 4}
`

// The blocks that cells look at.
var (
	plain   = netip.MustParsePrefix("10.49.0.0/16")
	plainV6 = netip.MustParsePrefix("fd00:49::/112")
	marked  = netip.MustParsePrefix("192.168.3.0/24")
)

// prepare empties the routers and configures the nodes.
func (s *suite) prepare(t *testing.T) {
	t.Helper()
	must(t, s.Apply(t.Context(), configuration))
	must(t, client.IgnoreAlreadyExists(s.api.Create(t.Context(), secret())))
	for _, c := range s.columns {
		must(t, c.daemon.Configure(t.Context(), nil))
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// How long a session may take to come up, and how often the daemon is asked.
const (
	patience = 20 * time.Second
	interval = 200 * time.Millisecond
)

// TestMatrix runs every cell, and holds the document to the result.
func TestMatrix(t *testing.T) {
	s := newSuite(t)
	s.prepare(t)
	result := newResult()
	for _, c := range s.columns {
		version, err := c.daemon.Version(t.Context())
		must(t, err)
		result.versions[c.kind] = version
	}
	t.Run("cells", func(t *testing.T) { s.runCells(t, result) })
	if result.isWhole() {
		result.compareOrWrite(t)
	}
}

// runCells runs the cells of every column side by side: those that leave their node alone on quiet nodes, the others row
// by row on the loud one.
func (s *suite) runCells(t *testing.T, result *result) {
	t.Helper()
	var workers sync.WaitGroup
	for _, c := range s.columns {
		rows := make(chan row, len(capabilities))
		for _, r := range capabilities {
			if !r.disturbs {
				rows <- r
			}
		}
		close(rows)
		for _, node := range quietNodes {
			workers.Go(func() {
				for r := range rows {
					s.runCell(t, result, &cell{row: r, column: c, node: node})
				}
			})
		}
	}
	workers.Go(func() {
		for _, r := range capabilities {
			if r.disturbs {
				s.runTogether(t, result, r)
			}
		}
	})
	workers.Wait()
}

// runTogether runs a row's cells of all columns at once on the loud node.
func (s *suite) runTogether(t *testing.T, result *result, r row) {
	t.Helper()
	together := &meeting{}
	var cells []*cell
	for _, c := range s.columns {
		cells = append(cells, &cell{row: r, column: c, node: loudNode, meeting: together})
		if r.cannot[c.kind] == "" {
			together.expect()
		}
	}
	var workers sync.WaitGroup
	for _, c := range cells {
		workers.Go(func() { s.runCell(t, result, c) })
	}
	workers.Wait()
}

func (s *suite) runCell(t *testing.T, result *result, c *cell) {
	t.Helper()
	c.suite = s
	if why := c.row.cannot[c.column.kind]; why != "" {
		result.note(c, "no: "+why)
		return
	}
	// Whether it ran at all depends on -run.
	ran := false
	ok := t.Run(c.row.name+"/"+c.column.title(), func(t *testing.T) {
		ran = true
		c.run(t)
	})
	if !ran && c.meeting != nil {
		c.meeting.leave()
	}
	if ran {
		result.note(c, c.verdict(ok))
	}
}
