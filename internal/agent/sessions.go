package agent

import (
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/logkey"
)

// noteSessions logs each session that was established or lost since it was last called, and has people warned of those
// that are closed for what their peer sends.
func (a *Agent) noteSessions() {
	before := a.sessions
	a.sessions = map[string]bgp.Session{}
	for _, s := range a.Speaker.Observe().Sessions {
		a.sessions[s.Peer.Name] = s
		log := a.Log.WithValues(logkey.Peer, s.Peer.Name, logkey.Address, s.Peer.Address)
		was := before[s.Peer.Name]
		if s.Flaps > was.Flaps || was.State == bgp.Established && s.State != bgp.Established {
			log.Info("Session is lost", logkey.Reason, s.LastError)
		}
		if s.State == bgp.Established && (was.State != bgp.Established || s.Flaps > was.Flaps) {
			log.Info("Session is established", "localAddress", s.LocalAddress)
		}
		if s.BFD != was.BFD {
			log.Info("BFD has changed", logkey.State, s.BFD.String(), logkey.Reason, s.BFDCause)
		}
		if s.LimitExceeded && !was.LimitExceeded {
			a.warn(Warning{Object: a.peerObject(s.Peer.Name), Reason: reasonPrefixLimit, Message: s.LastError})
		}
	}
}

// reasonPrefixLimit is the reason of the Warning event on a BGPPeer that sent more than maxReceivedPrefixes.
const reasonPrefixLimit = "ReceivedPrefixLimit"

// Warning is an event to be written on an object.
type Warning struct {
	Object intent.Object
	// Type of the event; "" is Warning.
	Type            string
	Reason, Message string
}

// warn passes a warning on, unless so many wait already that nobody reads them: the status says the same.
func (a *Agent) warn(w Warning) {
	select {
	case a.Warnings <- w:
	default:
	}
}

func (a *Agent) peerObject(name string) intent.Object {
	for _, object := range a.intent.Selected {
		if object.Name == name {
			return object
		}
	}
	return intent.Object{Kind: intent.KindBGPPeer, Name: name}
}
