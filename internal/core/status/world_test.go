package status_test

import (
	"fmt"
	"net/netip"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/crosscheck"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/status"
)

var (
	noon  = time.Date(2026, 11, 24, 12, 0, 0, 123456789, time.UTC)
	since = metav1.NewTime(time.Date(2026, 11, 24, 11, 0, 0, 0, time.UTC))
)

// tor returns a peer in its third generation.
func tor() *v1alpha1.BGPPeer {
	return &v1alpha1.BGPPeer{
		ObjectMeta: metav1.ObjectMeta{Name: "tor", UID: "uid-tor", Generation: 3},
		Spec:       v1alpha1.BGPPeerSpec{PeerIP: "192.168.1.1", ASNumber: 64512},
	}
}

// node returns a node whose agent reports sessions.
func node(number int, sessions ...v1alpha1.NodeSession) status.Node {
	return status.Node{
		Node: intent.Node{
			Name:        fmt.Sprintf("node-%d", number),
			Labels:      map[string]string{"rack": "a"},
			InternalIPs: []netip.Addr{netip.AddrFrom4([4]byte{192, 168, 1, byte(10 + number)})},
		},
		Report: &v1alpha1.BGPNodeStatus{RouterID: fmt.Sprintf("192.168.1.%d", 10+number), Sessions: sessions},
	}
}

func unreported(number int) status.Node {
	n := node(number)
	n.Report = nil
	return n
}

func silent(n status.Node) status.Node {
	n.Silent, n.LastHeard = true, noon.Add(-time.Minute)
	return n
}

func excluded(n status.Node) status.Node {
	n.Node.Labels = map[string]string{intent.ExcludeLabel: ""}
	return n
}

func maintained(n status.Node) status.Node {
	n.Node.Labels = map[string]string{intent.MaintenanceLabel: "true"}
	return n
}

// up is an established session of the present generation of tor.
func up() v1alpha1.NodeSession {
	return v1alpha1.NodeSession{
		Peer: "tor", PeerUID: "uid-tor", PeerGeneration: 3,
		Session:         v1alpha1.Session{State: v1alpha1.SessionEstablished, Since: since, LocalAddress: "192.168.1.11", Advertised: 4},
		AddressFamilies: []v1alpha1.AddressFamily{v1alpha1.IPv4},
	}
}

func withFamilies(session v1alpha1.NodeSession, families ...v1alpha1.AddressFamily) v1alpha1.NodeSession {
	session.AddressFamilies = families
	return session
}

// down is a session of the present generation that is not established, for a cause.
func down(cause string) v1alpha1.NodeSession {
	return v1alpha1.NodeSession{
		Peer: "tor", PeerUID: "uid-tor", PeerGeneration: 3,
		Session: v1alpha1.Session{State: v1alpha1.SessionConnect, Since: since, LastError: cause},
	}
}

func ofGeneration(session v1alpha1.NodeSession, generation int64) v1alpha1.NodeSession {
	session.PeerGeneration = generation
	return session
}

func flapped(session v1alpha1.NodeSession, flaps int32, cause string) v1alpha1.NodeSession {
	session.Flaps, session.LastError = flaps, cause
	return session
}

func withBFD(p *v1alpha1.BGPPeer) { p.Spec.BFD = &v1alpha1.BFD{} }

func watched(session v1alpha1.NodeSession, state v1alpha1.BFDState, cause string) v1alpha1.NodeSession {
	session.BFD, session.BFDError = state, cause
	return session
}

// finding is about a field of a spec.
func finding(reason v1alpha1.ConditionReason, path, detail string, nodes ...string) crosscheck.Finding {
	return crosscheck.Finding{Error: field.Forbidden(field.NewPath(path), detail), Reason: reason, Nodes: nodes}
}

func warning(reason v1alpha1.ConditionReason, path, detail string, nodes ...string) crosscheck.Finding {
	f := finding(reason, path, detail, nodes...)
	f.Warning = true
	return f
}

// say returns a condition as one line.
func say(conditions []metav1.Condition, kind v1alpha1.ConditionType) string {
	for _, c := range conditions {
		if c.Type == string(kind) {
			return fmt.Sprintf("%s %s: %s", c.Status, c.Reason, c.Message)
		}
	}
	return "none"
}
