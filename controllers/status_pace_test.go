package controllers

import (
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/herald-network/herald/api/v1alpha1"
)

// A minute in which all sessions of all nodes flap: each object is written once a second and no more often, the first change
// at once, and what stands in the end is how things are.
func TestAMinuteOfFlaps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const nodes, peers = 3, 3
		rig := newClusterRig(t, nodes, peers)
		rig.start()
		rig.pass(10 * time.Second)
		for i := range peers {
			if got := rig.peer(i).Nodes.Ready; got != "3/3" {
				t.Fatalf("%s is %q before anything flaps, want 3/3", peerName(i), got)
			}
		}
		quiet := len(rig.written(peerName(0)))

		begin := time.Now()
		states := []v1alpha1.SessionState{v1alpha1.SessionActive, v1alpha1.SessionEstablished}
		for turn := range 240 {
			for node := range nodes {
				rig.reports(report(node, peers, states[(turn+node)%2], int32(turn/2)))
			}
			rig.pass(250 * time.Millisecond)
			if first := rig.written(peerName(0)); turn == 0 && len(first) != quiet+1 {
				t.Error("the first change did not go out at once")
			}
		}
		for node := range nodes {
			rig.reports(report(node, peers, states[min(node, 1)], 300))
		}
		rig.pass(2 * time.Second)

		for i := range peers {
			if got := rig.peer(i).Nodes.Ready; got != "2/3" {
				t.Errorf("%s is %q in the end, want 2/3", peerName(i), got)
			}
			writes := rig.written(peerName(i))[quiet:]
			if len(writes) < 55 || len(writes) > 62 {
				t.Errorf("%s was written %d times in a minute", peerName(i), len(writes))
			}
			for w := 1; w < len(writes); w++ {
				if gap := writes[w].Sub(writes[w-1]); gap < writeInterval {
					t.Errorf("%s was written again after %v", peerName(i), gap)
				}
			}
		}
		if down := rig.eventsOf("SessionDown"); len(down) == 0 || len(down) > 7*peers {
			t.Errorf("%d events SessionDown on %d peers in %v", len(down), peers, time.Since(begin))
		}

		written := len(rig.written(peerName(0)))
		rig.pass(10 * time.Minute)
		if again := len(rig.written(peerName(0))) - written; again != 0 {
			t.Errorf("%d writes while nothing changed", again)
		}
	})
}

func TestAWriteThatFailsIsTriedAgainAndHoldsUpNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 3, 2)
		refused := true
		rig.refuse = func(name string) error {
			if name == peerName(0) && refused {
				return errors.New("etcdserver: request timed out")
			}
			return nil
		}
		rig.start()
		rig.pass(time.Minute)
		if got := rig.peer(1).Nodes.Ready; got != "3/3" {
			t.Errorf("%s is %q, want 3/3 whatever happens to %s", peerName(1), got, peerName(0))
		}
		if tries := len(rig.written(peerName(0))); tries < 4 || tries > 8 {
			t.Errorf("%d tries in a minute, want some that get rarer", tries)
		}
		rig.set(func() { refused = false })
		rig.pass(maxRetryAfter + time.Second)
		if got := rig.peer(0).Nodes.Ready; got != "3/3" {
			t.Errorf("%s is %q after the API server is well again, want 3/3", peerName(0), got)
		}
	})
}

// The cache shows an object as it was before our own write. What was changed and changed back meanwhile has to be written all
// the same: the status that the cache shows is not the one that stands.
func TestACacheThatLagsBehindOurOwnWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 1, 1)
		rig.start()
		rig.pass(2 * time.Second)
		before := &v1alpha1.BGPPeer{}
		if err := rig.Get(t.Context(), client.ObjectKey{Name: peerName(0)}, before); err != nil {
			t.Fatal(err)
		}
		rig.set(func() { rig.stale[peerName(0)] = before })
		rig.reports(report(0, 1, v1alpha1.SessionActive, 0))
		rig.pass(2 * time.Second)
		rig.reports(report(0, 1, v1alpha1.SessionEstablished, 0))
		rig.pass(2 * time.Second)
		if writes := len(rig.written(peerName(0))); writes != 3 {
			t.Errorf("%d writes, want 3: up, down and up again", writes)
		}
		rig.set(func() { delete(rig.stale, peerName(0)) })
		if got := rig.peer(0).Nodes.Ready; got != "1/1" {
			t.Errorf("it is %q in the end, want 1/1", got)
		}
	})
}

func TestAnAgentThatFallsSilentAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rig := newClusterRig(t, 2, 1)
		rig.start()
		rig.pass(time.Second)
		since := time.Now()
		established := func() metav1.Condition {
			return *meta.FindStatusCondition(rig.peer(0).Conditions, string(v1alpha1.ConditionEstablished))
		}
		rig.set(func() { rig.silent[nodeName(1)] = true })
		rig.pass(30 * time.Second)
		if c := established(); c.Status != metav1.ConditionTrue {
			t.Errorf("30 s after the last sign of life it is %s, %s", c.Status, c.Message)
		}
		rig.pass(12 * time.Second)
		if c := established(); c.Status != metav1.ConditionUnknown || c.Reason != string(v1alpha1.ReasonAgentSilent) {
			t.Errorf("after it is %s, %s: %s", c.Status, c.Reason, c.Message)
		}
		session := rig.peer(0).Sessions[0]
		if session.Node != nodeName(1) || session.State != v1alpha1.SessionUnknown || session.Since.After(since) {
			t.Errorf("the first session listed is %+v, want that of the silent agent with the time it was last heard", session)
		}
		if written := rig.written(peerName(0)); len(written) != 2 {
			t.Errorf("%d writes, want 2", len(written))
		}
		rig.set(func() { rig.silent[nodeName(1)] = false })
		rig.pass(12 * time.Second)
		if c := established(); c.Status != metav1.ConditionTrue {
			t.Errorf("after the agent came back it is %s, %s", c.Status, c.Message)
		}
	})
}
