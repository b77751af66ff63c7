//go:build bird

// These tests need BIRD 2 (Debian's bird2) and a port of 127.0.0.0/8: go test -tags bird ./internal/adapter/bfd

package bfd_test

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	. "github.com/onsi/gomega"

	"github.com/herald-network/herald/internal/adapter/bfd"
	"github.com/herald-network/herald/internal/core/bgp"
)

const birdConfig = `
log stderr all;
debug protocols { states, events };
router id 192.168.1.1;
protocol device {}
protocol bfd {
	strict bind;
	multihop { min rx interval %[3]d ms; min tx interval %[3]d ms; multiplier 3; };
	neighbor %[2]s local %[1]s multihop yes;
}
`

// birdWith starts a BIRD at one address that has BFD with another, as over several hops: with an address of its own host it has
// no other. The end-to-end tests are over one.
func birdWith(t *testing.T, at, peer netip.Addr, interval time.Duration) (ask func(string) string) {
	t.Helper()
	dir := t.TempDir()
	config, socket := filepath.Join(dir, "bird.conf"), filepath.Join(dir, "ctl")
	if err := os.WriteFile(config, fmt.Appendf(nil, birdConfig, at, peer, interval.Milliseconds()), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), "bird", "-f", "-c", config, "-s", socket)
	command.Stdout, command.Stderr = t.Output(), t.Output()
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	if err := command.Start(); err != nil {
		t.Fatalf("start bird, of Debian's bird2: %v", err)
	}
	t.Cleanup(func() { _ = command.Wait() })
	return func(question string) string {
		answer, _ := exec.CommandContext(context.WithoutCancel(t.Context()), "birdc", "-s", socket, question).CombinedOutput()
		return string(answer)
	}
}

// usual takes a TTL of 64: over several hops BIRD sends with that of the kernel.
func usual() bgp.BFD {
	return bgp.BFD{
		Enabled: true, Multihop: true, Transmit: 300 * time.Millisecond, Receive: 300 * time.Millisecond, DetectMultiplier: 3, MinimumTTL: 64,
	}
}

func TestBIRDComesUpAndIsToldOfTheEnd(t *testing.T) {
	here, there := addresses()
	m, ask := bfd.New(), birdWith(t, there, here, 300*time.Millisecond)
	session, h := watch(t, m, usual(), here, there)
	eventuallyUp(t, h)
	g := NewWithT(t)
	ups := func() int { return strings.Count(ask("show bfd sessions"), " Up ") }
	g.Eventually(ups, patience, 20*tick).Should(Equal(1), func() string { return ask("show bfd sessions") })

	slower := usual()
	slower.Transmit = time.Second
	session.Set(slower)
	g.Eventually(func() string { return ask("show bfd sessions") }, patience, 20*tick).Should(ContainSubstring("3.000"), "BIRD's detection time")
	if h.state() != bgp.BFDUp || h.failures() > 0 {
		t.Errorf("a change of timers: %+v", h.all())
	}

	session.Close()
	g.Eventually(ups, patience, 20*tick).Should(BeZero())
	m.Close(t.Context())
}

// soakTime is how long TestBFDSoak runs: with HERALD_BFD_SOAK=10m what `make soak-bfd` does.
func soakTime(t *testing.T) time.Duration {
	t.Helper()
	text := os.Getenv("HERALD_BFD_SOAK")
	if text == "" {
		return 5 * time.Second
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestBFDSoak holds a session with a BIRD at 300 ms x 3 while two processes compute for each core, and this one makes garbage as
// an agent does that has much to do: neither side may take the other for dead.
func TestBFDSoak(t *testing.T) {
	duration := soakTime(t)
	here, there := addresses()
	m, ask := bfd.New(), birdWith(t, there, here, 300*time.Millisecond)
	session, h := watch(t, m, usual(), here, there)
	eventuallyUp(t, h)

	ctx, cancel := context.WithTimeout(t.Context(), duration)
	defer cancel()
	for range 2 * runtime.NumCPU() {
		other := exec.CommandContext(ctx, "sh", "-c", "while :; do :; done")
		if err := other.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Wait() })
	}
	go makeGarbage(ctx)
	// How late this process is: what a timer of 10 ms finds.
	var worst atomic.Int64
	go func() {
		for ctx.Err() == nil {
			begun := time.Now()
			<-time.After(10 * time.Millisecond)
			worst.Store(max(worst.Load(), int64(time.Since(begun)-10*time.Millisecond)))
		}
	}()
	begun, sentBefore := time.Now(), session.Counters()
	<-ctx.Done()
	load, _ := os.ReadFile("/proc/loadavg")
	c := session.Counters()
	t.Logf("%s at 300 ms x 3, load %s: sent %d, received %d, flaps %d; a timer was up to %s late; %d cores",
		time.Since(begun).Round(time.Second), strings.Fields(string(load))[0], c.Sent-sentBefore.Sent, c.Received-sentBefore.Received, c.Flaps,
		time.Duration(worst.Load()), runtime.NumCPU())
	if n := len(h.all()); n > 3 {
		t.Errorf("a false alarm, here or there: %+v", h.all())
	}
	if answer := ask("show bfd sessions"); strings.Count(answer, " Up ") != 1 {
		t.Errorf("BIRD shows %s", answer)
	}
}

// makeGarbage allocates some 50 MB a second.
func makeGarbage(ctx context.Context) {
	ticker := time.NewTicker(time.Millisecond)
	defer ticker.Stop()
	var keep [][]byte
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			keep = append(keep, make([]byte, 50<<10))
			if len(keep) > 1<<10 {
				keep = nil
			}
		}
	}
}
