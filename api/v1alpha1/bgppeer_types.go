package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BGPPeerSpec describes a BGP neighbour and the sessions that nodes hold with
// it.
//
// A change that resets a session opens the new one while the old one is up
// where both sides agreed on graceful restart: the router takes it for a
// restart and keeps the routes. Without graceful restart they are withdrawn
// until the new session is established.
type BGPPeerSpec struct {
	// nodeSelector selects the nodes that hold a session with the peer. Absent or
	// empty selects every node. Changing it opens and closes the sessions of the
	// nodes that come and go, and does nothing to the others.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="nodeSelector.matchLabels must have at most 64 entries"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="nodeSelector.matchExpressions must have at most 64 entries"
	// +optional
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`

	// peerIP is the peer's address, IPv4 or IPv6. Where two BGPPeers have one
	// address and port on a node, the older one holds there; a passive peer is
	// told by its address alone. Changing it resets the session.
	// +kubebuilder:validation:MaxLength=45
	// +kubebuilder:validation:XValidation:rule="isIP(self)",message="peerIP must be an IPv4 or IPv6 address without a zone, such as 192.168.1.1 or 2001:db8::1"
	// +kubebuilder:validation:XValidation:rule="!isIP(self) || (!ip(self).isUnspecified() && !cidr('224.0.0.0/4').containsIP(self) && !cidr('ff00::/8').containsIP(self))",message="peerIP must be the address of one host: unicast, and neither 0.0.0.0 nor ::"
	// +required
	PeerIP string `json:"peerIP"`

	// interface is the node's network interface through which a link-local IPv6
	// peerIP (fe80::/10) is reached. Such a peer needs it, and no other may have
	// it. The session's own link-local address is its source and the next hop of
	// IPv6 routes; that of IPv4 routes is the node's InternalIP. A node that lacks
	// the interface says so as the cause of the session. Changing it resets the
	// session.
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="self.matches('^[^/:%[:space:]]+$') && self != '.' && self != '..'",message="interface must be the name of a network interface, such as eth0: 1 to 15 characters without '/', ':', '%' or white space"
	// +optional
	Interface string `json:"interface,omitempty"`

	// peerPort is the TCP port on which the peer listens: 1 to 65535. It has no
	// effect with connectionMode Passive. Defaults to 179. Changing it resets the
	// session.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	PeerPort int32 `json:"peerPort,omitempty"`

	// asNumber is the peer's AS number: 1 to 4294967295 (RFC 6793), but not 23456,
	// which is reserved. The session is iBGP where it is the node's own. Changing
	// it resets the session.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	// +kubebuilder:validation:XValidation:rule="self != 23456",message="asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the peer's own AS number"
	// +required
	ASNumber int64 `json:"asNumber"`

	// localASNumber is the node's own AS number on this peer's sessions: 1 to
	// 4294967295 (RFC 6793), but not 23456. The AS path shows only it, which
	// routers call local-as with no-prepend and replace-as. Defaults to the
	// asNumber of the node's BGPConfiguration. Changing it resets the session.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	// +kubebuilder:validation:XValidation:rule="self != 23456",message="localASNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the AS number that the peer expects of the nodes"
	// +optional
	LocalASNumber int64 `json:"localASNumber,omitempty"`

	// sourceAddress is the address that a node connects from, and the only one at
	// which a passive peer reaches it: NodeIP is its InternalIP of peerIP's family,
	// Any leaves the choice to the node's routing table, or to the peer that
	// dials. With a link-local peerIP it is that of interface. Defaults to NodeIP.
	// Changing it resets the session.
	// +optional
	SourceAddress SourceAddress `json:"sourceAddress,omitempty"`

	// password is the password of TCP MD5 signatures (RFC 2385). Where its Secret
	// is missing the session is not opened, never without the password; one that
	// runs keeps the password that it has. A link-local peer can't have one.
	// Another value in the Secret is a change too; the router's may change before
	// or after it. Defaults to none. Changing it resets the session.
	// +optional
	Password *Password `json:"password,omitempty"`

	// holdTimeSeconds is the hold time offered to the peer (RFC 4271, section
	// 4.2): 3 to 65535 s. The lower one of both sides holds, a peer's 0 (no
	// keepalives) included. Defaults to 90. Changing it resets the session.
	// +kubebuilder:validation:Minimum=3
	// +kubebuilder:validation:Maximum=65535
	// +optional
	HoldTimeSeconds int32 `json:"holdTimeSeconds,omitempty"`

	// keepaliveTimeSeconds is the time between keepalives (RFC 4271, section 4.4):
	// at least 1 s and below the hold time. Defaults to a third of the hold time.
	// Changing it resets the session.
	// +kubebuilder:validation:Minimum=1
	// +optional
	KeepaliveTimeSeconds int32 `json:"keepaliveTimeSeconds,omitempty"`

	// connectRetryTimeSeconds is the time between attempts to connect (RFC 4271,
	// section 8.1.3): 1 to 65535 s. It has no effect with connectionMode Passive.
	// Defaults to 5. Changing it does nothing to
	// sessions: the next attempt heeds it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ConnectRetryTimeSeconds int32 `json:"connectRetryTimeSeconds,omitempty"`

	// ebgpMultihopTTL is the TTL of what is sent to an eBGP peer that is more than
	// one hop away: 1 to 255. It excludes ttlSecurityHops, and iBGP sessions have
	// no such limit. Defaults to 1. Changing it does nothing to sessions: the
	// running connection takes it over.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=255
	// +optional
	EBGPMultihopTTL int32 `json:"ebgpMultihopTTL,omitempty"`

	// ttlSecurityHops is the most hops that the peer may be away under TTL
	// security (GTSM, RFC 5082): 1 to 254. What comes with a lower TTL than 256
	// less this is dropped. It excludes ebgpMultihopTTL. Defaults to no TTL
	// security. Changing it does nothing to sessions: the running connection takes
	// it over.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=254
	// +optional
	TTLSecurityHops int32 `json:"ttlSecurityHops,omitempty"`

	// maxReceivedPrefixes is how many prefixes the peer may send by family: 1 to
	// 2147483647. None is ever used, but each takes memory; past the limit the
	// session is closed and tried again after 1, 2, 4 and up to 30 minutes.
	// Defaults to 100000. Changing it does nothing to sessions.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=10000000
	// +optional
	MaxReceivedPrefixes int32 `json:"maxReceivedPrefixes,omitempty"`

	// connectionMode says who opens the connection: with Active the node dials and
	// never listens, with Passive it listens on the listenPort of its
	// BGPConfiguration and never dials. Defaults to Active. Changing it resets the
	// session.
	// +optional
	ConnectionMode ConnectionMode `json:"connectionMode,omitempty"`

	// addressFamilies are the families whose routes the session carries (RFC
	// 4760), IPv4, IPv6 or both, whatever the family of peerIP. One that the peer
	// does not negotiate is a condition, not a failure. Defaults to the family of
	// peerIP. Changing it resets the session.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=2
	// +listType=set
	// +optional
	AddressFamilies []AddressFamily `json:"addressFamilies,omitempty"`

	// gracefulRestart overrides that of the node's BGPConfiguration (RFC 4724).
	// Each of its fields that is absent inherits alone. Changing it resets the
	// session.
	// +optional
	GracefulRestart GracefulRestart `json:"gracefulRestart,omitzero"`

	// export is which of the nodes' routes the peer gets, and with which
	// attributes: at most 32 rules, the first of which that matches a route
	// decides. A route that none matches is sent as it is. Defaults to sending
	// every route. Changing it re-advertises or withdraws the routes that differ,
	// and resets nothing.
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Export []ExportRule `json:"export,omitempty"`

	// bfd watches the path to the peer with bidirectional forwarding detection
	// (RFC 5880), and ends the session as soon as it fails; {} is BFD with its
	// defaults. Defaults to none, which leaves it to the hold time. Changing it
	// does nothing to the BGP session, nor does adding it. Removing it tells the
	// peer that BFD is shut down (AdminDown), which some routers take for a
	// failure, unless it is removed there first.
	// +optional
	BFD *BFD `json:"bfd,omitempty"`
}

// SourceAddress says what a node connects from.
// +kubebuilder:validation:Enum=NodeIP;Any
type SourceAddress string

// The source addresses.
const (
	SourceNodeIP SourceAddress = "NodeIP"
	SourceAny    SourceAddress = "Any"
)

// ConnectionMode says who opens the TCP connection.
// +kubebuilder:validation:Enum=Active;Passive
type ConnectionMode string

// The connection modes.
const (
	ConnectionActive  ConnectionMode = "Active"
	ConnectionPassive ConnectionMode = "Passive"
)

// Password says where a session's password is: 1 to 80 bytes, taken byte for
// byte, so a line break at the end of the value is part of it.
type Password struct {
	// secretKeyRef names the key of a Secret in Herald's own namespace, of type
	// Opaque or kubernetes.io/basic-auth. Changing it resets the session.
	// +required
	SecretKeyRef SecretKeyRef `json:"secretKeyRef"`
}

// SecretKeyRef names a key of a Secret in Herald's own namespace.
type SecretKeyRef struct {
	// name is the Secret's name. Changing it resets the session.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="!format.dns1123Subdomain().validate(self).hasValue()",message="name must be the name of a Secret: lower-case letters, digits, '-' and '.', such as tor"
	// +required
	Name string `json:"name"`

	// key is the key in the Secret's data whose value is the password. Changing it
	// resets the session.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule="self.matches('^[-._a-zA-Z0-9]+$')",message="key must be a key of a Secret: letters, digits, '-', '_' and '.', such as password"
	// +required
	Key string `json:"key"`
}

// BGPPeerStatus is what the nodes' sessions with a peer are doing.
type BGPPeerStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Accepted and Established.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// nodes counts the sessions.
	// +optional
	Nodes PeerNodes `json:"nodes,omitzero"`

	// sessions are the sessions of the nodes that are counted, those that are not
	// established first: at most 100.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=node
	// +optional
	Sessions []PeerSession `json:"sessions,omitempty"`

	// truncated is true where sessions was cut.
	// +optional
	Truncated bool `json:"truncated,omitempty"`
}

// PeerNodes counts a peer's sessions.
type PeerNodes struct {
	// desired is the number of nodes that the peer selects and that are in
	// service: neither being deleted nor excluded from load balancers.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Desired int32 `json:"desired"`

	// established is how many of them report an established session of the peer's
	// present generation.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Established int32 `json:"established"`

	// ready is established and desired as one text, such as 3/3.
	// +kubebuilder:validation:MaxLength=21
	// +optional
	Ready string `json:"ready,omitempty"`
}

// BGPPeer describes a BGP neighbour, such as a top-of-rack router, and the
// nodes that hold a session with it.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=herald,shortName=bgpp
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Peer IP",type=string,JSONPath=`.spec.peerIP`
// +kubebuilder:printcolumn:name="AS",type=integer,JSONPath=`.spec.asNumber`
// +kubebuilder:printcolumn:name="Sessions",type=string,JSONPath=`.status.nodes.ready`
// +kubebuilder:printcolumn:name="Established",type=string,JSONPath=`.status.conditions[?(@.type=="Established")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Local AS",type=integer,priority=1,JSONPath=`.spec.localASNumber`
// +kubebuilder:printcolumn:name="Node Selector",type=string,priority=1,JSONPath=`.spec.nodeSelector`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Established")].reason`
type BGPPeer struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec describes the neighbour and the sessions that nodes hold with it.
	// +kubebuilder:validation:XValidation:rule="!has(self.keepaliveTimeSeconds) || self.keepaliveTimeSeconds < (has(self.holdTimeSeconds) ? self.holdTimeSeconds : 90)",fieldPath=".keepaliveTimeSeconds",message="keepaliveTimeSeconds must be below holdTimeSeconds, which defaults to 90: a third of it is usual"
	// +kubebuilder:validation:XValidation:rule="!has(self.ttlSecurityHops) || !has(self.ebgpMultihopTTL)",fieldPath=".ttlSecurityHops",reason=FieldValueForbidden,message="ttlSecurityHops and ebgpMultihopTTL exclude each other: with TTL security the TTL sent is always 255, so keep only ttlSecurityHops"
	// +kubebuilder:validation:XValidation:rule="!isIP(self.peerIP) || !cidr('fe80::/10').containsIP(self.peerIP) || has(self.interface)",fieldPath=".interface",reason=FieldValueRequired,message="interface is required with a link-local peerIP (fe80::/10): name the node's interface that leads to it"
	// +kubebuilder:validation:XValidation:rule="!has(self.password) || !isIP(self.peerIP) || !cidr('fe80::/10').containsIP(self.peerIP)",fieldPath=".password",reason=FieldValueForbidden,message="password must not be set with a link-local peerIP (fe80::/10): a signature is tied to an address, and a link-local one is another host on each link; use a global address of the peer, or ttlSecurityHops in place of the password"
	// +kubebuilder:validation:XValidation:rule="!has(self.interface) || !isIP(self.peerIP) || cidr('fe80::/10').containsIP(self.peerIP)",fieldPath=".interface",reason=FieldValueForbidden,message="interface must be set only with a link-local peerIP (fe80::/10): any other address is reached through the routing table"
	// +kubebuilder:validation:XValidation:rule="!has(self.bfd) || !has(self.bfd.minimumTTL) || (has(self.bfd.hops) ? self.bfd.hops == 'Multi' : has(self.ebgpMultihopTTL) && self.ebgpMultihopTTL > 1 && !has(self.interface))",fieldPath=".bfd.minimumTTL",reason=FieldValueForbidden,message="bfd.minimumTTL must be set only with bfd.hops Multi, which is the default only where ebgpMultihopTTL is above 1: set hops, or leave minimumTTL out"
	// +kubebuilder:validation:XValidation:rule="!has(self.bfd) || !has(self.bfd.hops) || self.bfd.hops != 'Multi' || !isIP(self.peerIP) || !cidr('fe80::/10').containsIP(self.peerIP)",fieldPath=".bfd.hops",reason=FieldValueForbidden,message="bfd.hops must not be Multi with a link-local peerIP (fe80::/10), which is never more than one hop away: leave it out"
	// +required
	Spec BGPPeerSpec `json:"spec"`

	// status is what the nodes' sessions with the peer are doing.
	// +optional
	Status BGPPeerStatus `json:"status,omitzero"`
}

// BGPPeerList is a list of BGPPeers.
//
// +kubebuilder:object:root=true
type BGPPeerList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []BGPPeer `json:"items"`
}
