package v1alpha1

// BFD has nodes watch the path to a peer with bidirectional forwarding
// detection (RFC 5880), so that both sides notice within a second that the
// other can't be reached, and end the session at once. It runs without echo
// and without authentication, in asynchronous mode. A session that is
// established never waits for BFD to be up.
type BFD struct {
	// hops says how far away the peer is: Single is on a network of the node's
	// own (RFC 5881, UDP port 3784), Multi may be behind other routers (RFC 5883,
	// UDP port 4784). Both sides must say the same. Defaults to Multi where
	// ebgpMultihopTTL is above 1, else to Single. Changing it makes BFD start anew,
	// as removing bfd and adding it again.
	// +optional
	Hops BFDHops `json:"hops,omitempty"`

	// transmitIntervalMilliseconds is the least time between packets that a node
	// wants to send: 10 to 60000 ms. The slower of this and what the peer can
	// take is used, less a jitter of up to a quarter, and at least 1 s until BFD
	// is up. Defaults to 300. Changing it does nothing to sessions: both sides
	// agree on it while BFD goes on.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	// +optional
	TransmitIntervalMilliseconds int32 `json:"transmitIntervalMilliseconds,omitempty"`

	// receiveIntervalMilliseconds is the least time between packets that a node
	// can take: 10 to 60000 ms. A node calls the peer down after the peer's
	// multiplier times the slower of this and what the peer wants to send.
	// Defaults to 300. Changing it does nothing to sessions: both sides agree on
	// it while BFD goes on.
	// +kubebuilder:validation:Minimum=10
	// +kubebuilder:validation:Maximum=60000
	// +optional
	ReceiveIntervalMilliseconds int32 `json:"receiveIntervalMilliseconds,omitempty"`

	// detectMultiplier is after how many of a node's packets that don't arrive
	// the peer calls the node down: 2 to 255. With 1, which RFC 5880 has too and
	// some routers refuse, a single lost packet would take the routes away.
	// Defaults to 3. Changing it does nothing to sessions: the peer heeds it at
	// once.
	// +kubebuilder:validation:Minimum=2
	// +kubebuilder:validation:Maximum=255
	// +optional
	DetectMultiplier int32 `json:"detectMultiplier,omitempty"`

	// minimumTTL is, with hops Multi, the lowest TTL or hop limit with which a
	// packet of the peer counts: 1 to 254, 255 less the number of routers in
	// between. Defaults to 254. Changing it does nothing to sessions: the next
	// packet is held against it.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=254
	// +optional
	MinimumTTL int32 `json:"minimumTTL,omitempty"`
}

// BFDHops says how far away a BFD peer may be.
// +kubebuilder:validation:Enum=Single;Multi
type BFDHops string

// The distances.
const (
	BFDSingleHop BFDHops = "Single"
	BFDMultihop  BFDHops = "Multi"
)

// BFDState is the state of a BFD session (RFC 5880, section 4.1).
// +kubebuilder:validation:Enum=AdminDown;Down;Init;Up
type BFDState string

// The states.
const (
	BFDAdminDown BFDState = "AdminDown"
	BFDDown      BFDState = "Down"
	BFDInit      BFDState = "Init"
	BFDUp        BFDState = "Up"
)
