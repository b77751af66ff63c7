package drain_test

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/drain"
)

// TestWhateverHappens lets peers come and go, sessions rise and fall, and a speaker fail, and holds every look against what
// leaving promises.
func TestWhateverHappens(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := time.Duration(rapid.IntRange(0, 10).Draw(t, "time")) * time.Second
		var d drain.Drain
		now := start
		running := map[string]bgp.Session{}
		unwanted := map[string]time.Time{} // since when a peer that was established is no longer wanted
		for range rapid.IntRange(1, 40).Draw(t, "looks") {
			now = now.Add(time.Duration(rapid.IntRange(0, 4000).Draw(t, "pass")) * time.Millisecond)
			wanted := rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b"}), 0, 2, rapid.ID).Draw(t, "wanted")
			in := drain.Input{Now: now, Time: limit, Peers: peersOf(wanted...)}
			for _, name := range []string{"a", "b"} {
				s, runs := running[name]
				if !runs {
					continue
				}
				s.State = rapid.SampledFrom([]bgp.SessionState{bgp.Established, bgp.Established, bgp.Active}).Draw(t, "state of "+name)
				in.Sessions = append(in.Sessions, s)
			}
			out := d.Next(in)
			for _, s := range in.Sessions {
				holdPromise(t, in, out, s, unwanted)
			}
			checkWanted(t, in, out)
			if rapid.IntRange(0, 4).Draw(t, "fails") > 0 {
				running = map[string]bgp.Session{}
				for _, p := range out.Peers {
					running[p.Name] = bgp.Session{Peer: p}
				}
			}
			for name := range unwanted {
				if _, runs := running[name]; !runs {
					delete(unwanted, name)
				}
			}
		}
		// Left alone, it ends.
		out := d.Next(drain.Input{Now: now.Add(limit), Time: limit, Sessions: sessionsOf(running)})
		out = d.Next(drain.Input{Now: now.Add(2 * limit), Time: limit, Sessions: sessionsOfPeers(out.Peers)})
		if len(out.Peers) != 0 {
			t.Errorf("%v still run", names(out.Peers))
		}
	})
}

// holdPromise checks what becomes of one session that runs.
func holdPromise(t *rapid.T, in drain.Input, out drain.Outcome, s bgp.Session, unwanted map[string]time.Time) {
	name := s.Peer.Name
	if slices.ContainsFunc(in.Peers, func(p bgp.Peer) bool { return p.Name == name }) {
		delete(unwanted, name)
		return
	}
	since, known := unwanted[name]
	if !known {
		since = in.Now
		if s.State != bgp.Established {
			since = in.Now.Add(-in.Time)
		}
		unwanted[name] = since
	}
	i := slices.IndexFunc(out.Peers, func(p bgp.Peer) bool { return p.Name == name })
	over := !in.Now.Before(since.Add(in.Time))
	switch {
	case over && i >= 0:
		t.Errorf("%s runs on %s after it should be gone", name, in.Now.Sub(since.Add(in.Time)))
	case !over && i < 0:
		t.Errorf("%s is gone %s before the time is over", name, since.Add(in.Time).Sub(in.Now))
	case i >= 0 && !out.Peers[i].Draining:
		t.Errorf("%s leaves without being marked", name)
	}
}

// checkWanted checks that what is wanted runs exactly as it is wanted, and that the next look comes in time.
func checkWanted(t *rapid.T, in drain.Input, out drain.Outcome) {
	for _, p := range in.Peers {
		if !slices.Contains(out.Peers, p) {
			t.Errorf("%s does not run as it is wanted", p.Name)
		}
	}
	if len(out.Peers) != len(in.Peers)+len(out.Leaves) {
		t.Errorf("%d run, %d are wanted, %d leave", len(out.Peers), len(in.Peers), len(out.Leaves))
	}
	if len(out.Leaves) > 0 && (!out.First().After(in.Now) || out.Last().Sub(in.Now) > in.Time || out.Last().Before(out.First())) {
		t.Errorf("at %s it looks again at %s, and is through at %s", in.Now, out.First(), out.Last())
	}
}

func sessionsOf(running map[string]bgp.Session) []bgp.Session {
	var sessions []bgp.Session
	for _, s := range running {
		sessions = append(sessions, bgp.Session{Peer: s.Peer, State: bgp.Established})
	}
	return sessions
}

func sessionsOfPeers(peers []bgp.Peer) []bgp.Session {
	var sessions []bgp.Session
	for _, p := range peers {
		sessions = append(sessions, bgp.Session{Peer: p, State: bgp.Established})
	}
	return sessions
}
