package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// SessionState is a state of the BGP finite state machine (RFC 4271, section
// 8.2.2), or Unknown.
// +kubebuilder:validation:Enum=Idle;Connect;Active;OpenSent;OpenConfirm;Established;Unknown
type SessionState string

// The states of a session.
const (
	SessionIdle        SessionState = "Idle"
	SessionConnect     SessionState = "Connect"
	SessionActive      SessionState = "Active"
	SessionOpenSent    SessionState = "OpenSent"
	SessionOpenConfirm SessionState = "OpenConfirm"
	SessionEstablished SessionState = "Established"
	// SessionUnknown is the state of a session whose node's agent is silent, or has
	// not reported it yet.
	SessionUnknown SessionState = "Unknown"
)

// Session is what was observed of one node's connection to one peer.
type Session struct {
	// state is the state of the BGP finite state machine (RFC 4271, section
	// 8.2.2), or Unknown where the node's agent is silent or has not reported the
	// session yet.
	// +required
	State SessionState `json:"state"`

	// since is when the session entered its state; for Unknown, when the node's
	// agent was last heard, if it is silent.
	// +optional
	Since metav1.Time `json:"since,omitzero"`

	// localAddress is the node's address of an established session: the next hop
	// of the routes of its own family.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	LocalAddress string `json:"localAddress,omitempty"`

	// advertised is the number of prefixes that were sent on the present session
	// and not withdrawn since.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Advertised int32 `json:"advertised"`

	// received is the number of prefixes that the peer sends. None of them is ever
	// used.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Received int32 `json:"received"`

	// flaps is how often the session was established and lost again since the
	// agent started.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Flaps int32 `json:"flaps"`

	// bfd is the state of the peer's BFD session (RFC 5880, section 4.1). Empty
	// without BFD, and before the session was first established.
	// +optional
	BFD BFDState `json:"bfd,omitempty"`

	// bfdError says in words why BFD is not up. Empty where it is.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	BFDError string `json:"bfdError,omitempty"`

	// lastError says in words why the session is not established, or why it was
	// last lost. Empty where it never failed.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	LastError string `json:"lastError"`
}

// PeerSession is a session as a BGPPeer lists it, by node.
type PeerSession struct {
	// node is the name of the node.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Node string `json:"node"`

	Session `json:",inline"`
}

// NodeSession is a session as a BGPNode lists it, by peer, with what was
// negotiated.
type NodeSession struct {
	// peer is the name of the BGPPeer.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +required
	Peer string `json:"peer"`

	// peerUID is the UID of the BGPPeer that the session runs: another object of
	// the same name has another.
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=64
	// +optional
	PeerUID types.UID `json:"peerUID,omitempty"`

	// peerGeneration is the generation of the BGPPeer that the session runs.
	// +kubebuilder:validation:Minimum=0
	// +optional
	PeerGeneration int64 `json:"peerGeneration,omitempty"`

	Session `json:",inline"`

	// holdTimeSeconds is the negotiated hold time in seconds: the smaller of both
	// sides' offers, 0 where there are no keepalives (RFC 4271, section 4.2).
	// Absent unless the session is established.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	// +optional
	HoldTimeSeconds *int32 `json:"holdTimeSeconds,omitempty"`

	// addressFamilies are the families that both sides offered. Empty unless the
	// session is established.
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	// +optional
	AddressFamilies []AddressFamily `json:"addressFamilies,omitempty"`

	// gracefulRestart is Enabled where both sides offered graceful restart (RFC
	// 4724). Empty unless the session is established.
	// +optional
	GracefulRestart Mode `json:"gracefulRestart,omitempty"`
}
