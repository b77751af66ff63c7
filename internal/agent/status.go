package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/wording"
)

// The API's limits on what a BGPNode holds.
const (
	maxAdvertisements = 200
	maxSessions       = 256
	maxBFDError       = 256
	maxLastError      = 1024
)

// errNotReady says that there is no status to report yet.
var errNotReady = errors.New("the agent does not know what to do yet")

// Status returns what this node does now. Its condition has no transition time: that depends on what was said before.
func (a *Agent) Status(ctx context.Context) (v1alpha1.BGPNodeStatus, error) {
	status, err := ask(ctx, a, a.status)
	switch {
	case err != nil:
		return v1alpha1.BGPNodeStatus{}, err
	case status == nil:
		return v1alpha1.BGPNodeStatus{}, errNotReady
	}
	return *status, nil
}

// status returns the status; nil before the first turn that was carried out, and before the rules against loops were tried.
func (a *Agent) status() *v1alpha1.BGPNodeStatus {
	if !a.hasSpoken || !a.Loops.hasTried() {
		return nil
	}
	observed := a.Speaker.Observe()
	sent := a.sent(observed)
	return &v1alpha1.BGPNodeStatus{
		ASNumber:       int64(a.intent.ASN),
		RouterID:       a.intent.RouterID.String(),
		AgentVersion:   a.Version,
		Conditions:     []metav1.Condition{a.readiness(observed), a.Loops.condition(a.intent.LoopPrevention)},
		Sessions:       nodeSessions(a.intent, observed, a.leavingCause()),
		Routes:         v1alpha1.RouteCounts{IPv4: int32(observed.RoutesIPv4), IPv6: int32(observed.RoutesIPv6)},
		Advertisements: nodeAdvertisements(sent),
		Truncated:      observed.RoutesIPv4+observed.RoutesIPv6 > len(sent),
	}
}

// sent returns the first of the routes that are on the wire.
func (a *Agent) sent(observed bgp.Speaker) []advertise.Route {
	if observed.RoutesIPv4+observed.RoutesIPv6 == 0 {
		return nil
	}
	return a.table.Routes(maxAdvertisements, func(prefix netip.Prefix) bool { return a.Speaker.Advertised(prefix) > 0 })
}

func nodeAdvertisements(routes []advertise.Route) []v1alpha1.NodeAdvertisement {
	var advertisements []v1alpha1.NodeAdvertisement
	for _, r := range routes {
		a := v1alpha1.NodeAdvertisement{Prefix: r.Prefix.String(), Kind: v1alpha1.AdvertisementKind(r.Kind.String())}
		for _, s := range r.Services {
			a.Services = append(a.Services, s.String())
		}
		advertisements = append(advertisements, a)
	}
	return advertisements
}

// nodeSessions returns a session for each BGPPeer that selects the node: those that are not run are Idle, with the reason,
// which where the node leaves is the cause of that. Last come those that are still taken leave of.
func nodeSessions(want intent.Intent, observed bgp.Speaker, cause string) []v1alpha1.NodeSession {
	running := make(map[string]bgp.Session, len(observed.Sessions))
	for _, s := range observed.Sessions {
		running[s.Peer.Name] = s
	}
	desired := make(map[string]bgp.Peer, len(want.Peers))
	for _, p := range want.Peers {
		desired[p.Name] = p
	}
	var sessions []v1alpha1.NodeSession
	for _, object := range want.Selected[:min(len(want.Selected), maxSessions)] {
		session := v1alpha1.NodeSession{Peer: object.Name, PeerUID: object.UID, Session: notRun(want, object, cause)}
		s, runs := running[object.Name]
		delete(running, object.Name)
		if runs {
			describe(&session, s)
		}
		if !runs || s.Peer == desired[object.Name] {
			session.PeerGeneration = object.Generation
		}
		sessions = append(sessions, session)
	}
	for _, s := range observed.Sessions {
		if _, left := running[s.Peer.Name]; left && s.Peer.Draining && len(sessions) < maxSessions {
			session := v1alpha1.NodeSession{Peer: s.Peer.Name}
			describe(&session, s)
			sessions = append(sessions, session)
		}
	}
	return sessions
}

// notRun is the session with a peer that the node does not run.
func notRun(want intent.Intent, peer intent.Object, cause string) v1alpha1.Session {
	var reasons []string
	for _, p := range want.Problems {
		if p.Object == peer {
			reasons = append(reasons, p.Field+": "+p.Message)
		}
	}
	if cause != "" {
		reasons = append(reasons, cause)
	}
	return v1alpha1.Session{State: v1alpha1.SessionIdle, LastError: wording.Cut(strings.Join(reasons, "; "), maxLastError)}
}

// describe enters what was observed of a session.
func describe(session *v1alpha1.NodeSession, s bgp.Session) {
	session.Session = v1alpha1.Session{
		State:      v1alpha1.SessionState(s.State.String()),
		Since:      metav1.NewTime(s.Since.Truncate(time.Second)), // What the API keeps.
		Advertised: int32(s.Advertised),
		Received:   int32(s.Received),
		Flaps:      int32(s.Flaps),
		LastError:  wording.Cut(s.LastError, maxLastError),
		BFD:        v1alpha1.BFDState(s.BFD.String()),
		BFDError:   wording.Cut(s.BFDCause, maxBFDError),
	}
	if s.State != bgp.Established {
		return
	}
	session.LocalAddress = s.LocalAddress.String()
	session.HoldTimeSeconds = new(int32(s.HoldTime / time.Second))
	session.GracefulRestart = v1alpha1.Disabled
	if s.GracefulRestart {
		session.GracefulRestart = v1alpha1.Enabled
	}
	for family := range s.Families.All() {
		session.AddressFamilies = append(session.AddressFamilies, v1alpha1.AddressFamily(family.String()))
	}
}

// readiness is the condition Ready: whether the node advertises what it should, on all of its sessions. A node that leaves
// is not ready although its sessions are established.
func (a *Agent) readiness(observed bgp.Speaker) metav1.Condition {
	switch a.presentPhase() {
	case draining:
		return notReady(v1alpha1.ReasonDraining, a.drainingMessage())
	case outOfService:
		return notReady(v1alpha1.ReasonNodeExcluded, a.leavingCause())
	default:
	}
	switch {
	case a.saved != nil:
		return notReady(v1alpha1.ReasonSpeakingFromSavedState, fmt.Sprintf(
			"the agent started and could not read everything yet (%v): it advertises what the agent before it did", a.objects.unknown))
	case a.proxy != nil && len(a.intent.Peers) > 0:
		return notReady(v1alpha1.ReasonWaitingForServiceProxy, errWaitingForProxy.Error())
	}
	return serviceability(a.intent, observed)
}

// errWaitingForProxy says why no session is opened yet.
var errWaitingForProxy = errors.New("the node has just booted, and sessions wait for its service proxy to be healthy")

// serviceability is the condition Ready of a node in service.
func serviceability(want intent.Intent, observed bgp.Speaker) metav1.Condition {
	notAccepted := problemsWith(want, v1alpha1.ConditionAccepted)
	down, partial := shortcomings(want, observed)
	switch {
	case len(notAccepted) > 0:
		return notReady(v1alpha1.ReasonInvalid, strings.Join(notAccepted, "; "))
	case !want.Configured:
		return notReady(v1alpha1.ReasonNoConfiguration, "there is no BGPConfiguration named default, so no Service is advertised")
	case len(want.Selected) == 0:
		return notReady(v1alpha1.ReasonNoPeers, "no BGPPeer selects the node")
	case len(down) > 0:
		established := len(want.Selected) - len(down)
		return notReady(v1alpha1.ReasonSessionsDown,
			fmt.Sprintf("%d of %d sessions are established: %s", established, len(want.Selected), strings.Join(down, "; ")))
	case len(partial) > 0:
		return ready(v1alpha1.ReasonFamilyNotNegotiated, strings.Join(partial, "; "))
	}
	if ignored := problemsOf(want, v1alpha1.ReasonExportIgnored); len(ignored) > 0 {
		return ready(v1alpha1.ReasonExportIgnored, strings.Join(ignored, "; "))
	}
	if ignored := problemsWith(want, v1alpha1.ConditionAdvertised); len(ignored) > 0 {
		return ready(v1alpha1.ReasonPrependIgnored, strings.Join(ignored, "; "))
	}
	return ready(v1alpha1.ReasonAllEstablished, "every session is established")
}

// shortcomings says which peers have no established session, and which have one without all the families asked for.
func shortcomings(want intent.Intent, observed bgp.Speaker) (down, partial []string) {
	established := map[string]bgp.Session{}
	causes := map[string]string{}
	for _, s := range observed.Sessions {
		causes[s.Peer.Name] = s.LastError
		if s.State == bgp.Established {
			established[s.Peer.Name] = s
		}
	}
	for _, object := range want.Selected {
		s, up := established[object.Name]
		switch {
		case !up && causes[object.Name] == "":
			down = append(down, object.Name)
		case !up:
			down = append(down, object.Name+": "+causes[object.Name])
		case s.Families != s.Peer.Families:
			partial = append(partial, partly(s))
		}
	}
	return down, append(partial, problemsOf(want, v1alpha1.ReasonFamilyNotNegotiated)...)
}

// partly says what an established session lacks of the families asked for. Where IPv4 routes need an IPv6 next hop, what
// lacks it is the peer's offer to take one.
func partly(s bgp.Session) string {
	text := fmt.Sprintf("%s carries %s instead of %s", s.Peer.Name, cmp.Or(s.Families.String(), "nothing"), s.Peer.Families)
	if s.Peer.NeedsExtendedNextHop() && !s.Families.Has(bgp.IPv4) {
		text += ": the node has no IPv4 InternalIP as the next hop of IPv4 routes, and the peer did not offer to take an IPv6 one (RFC 8950): " +
			"give the node one, enable extended next hop on the router, or leave IPv4 out"
	}
	return text
}

func problemsWith(want intent.Intent, condition v1alpha1.ConditionType) []string {
	return problems(want, func(p intent.Problem) bool { return p.Condition == condition })
}

func problemsOf(want intent.Intent, reason v1alpha1.ConditionReason) []string {
	return problems(want, func(p intent.Problem) bool { return p.Reason == reason })
}

func problems(want intent.Intent, match func(intent.Problem) bool) []string {
	var texts []string
	for _, p := range want.Problems {
		if match(p) {
			texts = append(texts, p.String())
		}
	}
	return texts
}

func ready(reason v1alpha1.ConditionReason, message string) metav1.Condition {
	return condition(metav1.ConditionTrue, reason, message)
}

func notReady(reason v1alpha1.ConditionReason, message string) metav1.Condition {
	return condition(metav1.ConditionFalse, reason, message)
}

func condition(status metav1.ConditionStatus, reason v1alpha1.ConditionReason, message string) metav1.Condition {
	return metav1.Condition{
		Type:    string(v1alpha1.ConditionReady),
		Status:  status,
		Reason:  string(reason),
		Message: wording.Cut(message, maxLastError),
	}
}
