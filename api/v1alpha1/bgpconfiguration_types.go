package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// DefaultConfigurationName is the name of the BGPConfiguration that is the
// base of every node; all others are overlays.
const DefaultConfigurationName = "default"

// BGPConfigurationSpec says what the nodes are to BGP and what they may
// advertise. In an overlay, each field that is set replaces the base's on the
// nodes that the overlay selects.
type BGPConfigurationSpec struct {
	// nodeSelector selects the nodes that an overlay is for. An overlay must have
	// one, and the configuration named default must not. Two overlays that select
	// the same node conflict: the older one holds there, and the newer one says so
	// in its condition Accepted. Changing it does to the nodes that come or go
	// what changing the overlay's other fields does.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="nodeSelector.matchLabels must have at most 64 entries"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="nodeSelector.matchExpressions must have at most 64 entries"
	// +optional
	NodeSelector *metav1.LabelSelector `json:"nodeSelector,omitempty"`

	// asNumber is the AS number of the nodes: 1 to 4294967295 (RFC 6793), but not
	// 23456, which is reserved. A peer's localASNumber takes its place on that
	// peer's sessions. Defaults to 64512. Changing it resets the sessions.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4294967295
	// +kubebuilder:validation:XValidation:rule="self != 23456",message="asNumber must not be 23456 (AS_TRANS), which RFC 6793 reserves: use the node's own AS number"
	// +optional
	ASNumber int64 `json:"asNumber,omitempty"`

	// listenPort is the TCP port on which peers with connectionMode Passive are
	// expected: 1 to 65535. Without such a peer nothing listens. Defaults to 179.
	// Changing it resets the sessions of passive peers.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=65535
	// +optional
	ListenPort int32 `json:"listenPort,omitempty"`

	// routerID is the BGP identifier of a node, written as an IPv4 address other
	// than 0.0.0.0 (RFC 6286). It must be unique, so only an overlay may have one,
	// and each such overlay should select a single node. Defaults to the node's
	// first IPv4 InternalIP, else to one derived from the node's name. Changing it
	// resets the sessions.
	// +kubebuilder:validation:MaxLength=15
	// +kubebuilder:validation:XValidation:rule="isIP(self) && ip(self).family() == 4 && !ip(self).isUnspecified()",message="routerID must be written as an IPv4 address other than 0.0.0.0, such as 10.0.0.1"
	// +optional
	RouterID string `json:"routerID,omitempty"`

	// serviceClusterIPs are the blocks whose ClusterIPs may be advertised: at most
	// 64. Absent or null inherits, an empty list allows none. Defaults to none.
	// Changing it re-advertises or withdraws routes.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=cidr
	// +nullable
	// +optional
	ServiceClusterIPs []Block `json:"serviceClusterIPs,omitzero"`

	// serviceExternalIPs are the blocks whose externalIPs may be advertised: at
	// most 64. Absent or null inherits, an empty list allows none. Defaults to
	// none. Changing it re-advertises or withdraws routes.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=cidr
	// +nullable
	// +optional
	ServiceExternalIPs []Block `json:"serviceExternalIPs,omitzero"`

	// serviceLoadBalancerIPs are the blocks whose load balancer addresses may be
	// advertised: at most 64. Absent or null inherits, an empty list allows none.
	// Defaults to none. Changing it re-advertises or withdraws routes.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=cidr
	// +nullable
	// +optional
	ServiceLoadBalancerIPs []Block `json:"serviceLoadBalancerIPs,omitzero"`

	// podCIDRAdvertisement is Enabled where each node advertises its
	// spec.podCIDRs, which is right only where the CNI routes by them. Defaults to
	// Disabled. Changing it re-advertises or withdraws routes.
	// +optional
	PodCIDRAdvertisement Mode `json:"podCIDRAdvertisement,omitempty"`

	// communities gives names to communities, for use in prefixAdvertisements: at
	// most 64. Defaults to none. Changing it re-advertises the routes that carry
	// them.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=name
	// +optional
	Communities []Community `json:"communities,omitzero"`

	// prefixAdvertisements sets path attributes by prefix: at most 64. For each
	// route the entry with the longest cidr that contains it holds, alone.
	// Defaults to none. Changing it re-advertises the routes inside.
	// +kubebuilder:validation:MaxItems=64
	// +listType=map
	// +listMapKey=cidr
	// +optional
	PrefixAdvertisements []PrefixAdvertisement `json:"prefixAdvertisements,omitzero"`

	// gracefulRestart says whether the routers shall keep a node's routes while
	// its agent restarts (RFC 4724). Each of its fields that is absent inherits
	// alone. Changing it resets the sessions.
	// +optional
	GracefulRestart GracefulRestart `json:"gracefulRestart,omitzero"`

	// gracefulShutdown says how a node leaves the routers for good: out of
	// service, shut down, or without Herald. Each of its fields that is absent
	// inherits alone. Changing it does nothing to sessions.
	// +optional
	GracefulShutdown GracefulShutdown `json:"gracefulShutdown,omitzero"`

	// externalIPPolicy is what admission does with an externalIP that a request
	// adds to a Service outside serviceExternalIPs: Enforce refuses it, Warn lets
	// it pass with a warning, Ignore lets it pass. Defaults to Enforce once
	// serviceExternalIPs is set, else to Ignore. Changing it does nothing to
	// sessions.
	// +optional
	ExternalIPPolicy ExternalIPPolicy `json:"externalIPPolicy,omitempty"`

	// serviceLoopPrevention is what a node does with a packet for an address
	// inside an aggregate that it advertises where no Service claims the packet and
	// it would go back to the network that it came from, from where it would return
	// until its TTL ends: Drop drops it, Reject drops it and answers with ICMP port
	// unreachable, as kube-proxy does for a Service without endpoints, Disabled lets
	// it go. Defaults to Drop. Changing it does nothing to sessions.
	// +optional
	ServiceLoopPrevention LoopPrevention `json:"serviceLoopPrevention,omitempty"`
}

// GracefulShutdown says how a node leaves the routers for good.
type GracefulShutdown struct {
	// timeSeconds is how long routes that are about to go are first marked with
	// the community GRACEFUL_SHUTDOWN, 65535:0 (RFC 8326), and on iBGP with the
	// LOCAL_PREF 0, so that routers take others before these are withdrawn: 0 to
	// 60 s. With 0 they are withdrawn at once. Defaults to 5. Changing it does
	// nothing to sessions.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=60
	// +optional
	TimeSeconds *int32 `json:"timeSeconds,omitempty"`
}

// Block is a network whose addresses may be advertised.
type Block struct {
	// cidr is the network in canonical form, without host bits. Changing it
	// re-advertises or withdraws routes.
	// +required
	CIDR CIDR `json:"cidr"`

	// aggregation is Enabled where every node advertises the block's own route,
	// which covers the Services with the policy Cluster, and Disabled where only
	// host routes (/32, /128) are advertised. A block of a single address is never
	// an aggregate. Defaults to Enabled. Changing it re-advertises or withdraws
	// routes.
	// +optional
	Aggregation Mode `json:"aggregation,omitempty"`
}

// Community is a named community.
type Community struct {
	// name is what prefixAdvertisements call the community. It begins with a
	// letter, which tells it from a value, and has at most 63 characters. Changing
	// it re-advertises the routes of the entries that use it.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_.-]*$')",message="name must begin with a letter and hold only letters, digits, '-', '_' and '.', such as blackhole-me"
	// +required
	Name string `json:"name"`

	// value is a standard community aa:nn of two numbers up to 65535 (RFC 1997) or
	// a large community aa:nn:mm of three numbers up to 4294967295 (RFC 8092), in
	// decimal without leading zeros. Changing it re-advertises the routes that
	// carry it.
	// +kubebuilder:validation:MaxLength=32
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|[1-9][0-9]{0,4})(:(0|[1-9][0-9]{0,4}))$') ? self.split(':').all(n, int(n) <= 65535) : self.matches('^(0|[1-9][0-9]{0,9})(:(0|[1-9][0-9]{0,9})){2}$') && self.split(':').all(n, int(n) <= 4294967295)",message="value must be a standard community aa:nn (each 0 to 65535) or a large community aa:nn:mm (each 0 to 4294967295), such as 64512:666"
	// +required
	Value string `json:"value"`
}

// PrefixAdvertisement sets the path attributes of the routes inside a network.
type PrefixAdvertisement struct {
	// cidr is the network whose routes get the attributes, in canonical form,
	// without host bits. Changing it re-advertises the routes inside.
	// +required
	CIDR CIDR `json:"cidr"`

	// communities are carried by the routes: at most 64, each a name from
	// spec.communities, a standard community aa:nn (RFC 1997) or a large community
	// aa:nn:mm (RFC 8092). Defaults to none. Changing it re-advertises the routes
	// inside.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Communities []CommunityRef `json:"communities,omitzero"`

	// localPreference is the LOCAL_PREF of the routes on iBGP sessions: 0 to
	// 4294967295, the highest wins (RFC 4271, section 5.1.5). eBGP sessions never
	// carry it. Defaults to 100. Changing it re-advertises the routes inside.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	// +optional
	LocalPreference *int64 `json:"localPreference,omitempty"`

	// med is the MULTI_EXIT_DISC of the routes: 0 to 4294967295, the lowest wins
	// (RFC 4271, section 5.1.4). Defaults to none. Changing it re-advertises the
	// routes inside.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	// +optional
	MED *int64 `json:"med,omitempty"`

	// asPathPrepend is how many extra copies of the session's own AS number the AS
	// path carries on eBGP sessions: 0 to 10. On iBGP sessions it would hide the
	// route, so it is ignored there, and a condition says so. Defaults to 0.
	// Changing it re-advertises the routes inside.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	ASPathPrepend *int32 `json:"asPathPrepend,omitempty"`
}

// CommunityRef is the name or the value of a community.
// +kubebuilder:validation:MaxLength=63
// +kubebuilder:validation:XValidation:rule="self.matches('^[A-Za-z][A-Za-z0-9_.-]*$') || (self.matches('^(0|[1-9][0-9]{0,4})(:(0|[1-9][0-9]{0,4}))$') ? self.split(':').all(n, int(n) <= 65535) : self.matches('^(0|[1-9][0-9]{0,9})(:(0|[1-9][0-9]{0,9})){2}$') && self.split(':').all(n, int(n) <= 4294967295))",message="communities must each be a name from spec.communities, a standard community aa:nn (each 0 to 65535) or a large community aa:nn:mm (each 0 to 4294967295)"
type CommunityRef string

// ExternalIPPolicy is what admission does with externalIPs outside the blocks.
// +kubebuilder:validation:Enum=Enforce;Warn;Ignore
type ExternalIPPolicy string

// The policies for externalIPs.
const (
	ExternalIPEnforce ExternalIPPolicy = "Enforce"
	ExternalIPWarn    ExternalIPPolicy = "Warn"
	ExternalIPIgnore  ExternalIPPolicy = "Ignore"
)

// LoopPrevention is what a node does with a packet that would loop between it
// and a router.
// +kubebuilder:validation:Enum=Drop;Reject;Disabled
type LoopPrevention string

// What becomes of packets that would loop.
const (
	LoopPreventionDrop     LoopPrevention = "Drop"
	LoopPreventionReject   LoopPrevention = "Reject"
	LoopPreventionDisabled LoopPrevention = "Disabled"
)

// BGPConfigurationStatus is what the nodes make of a configuration.
type BGPConfigurationStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Accepted and Advertised.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// nodes counts the nodes that the configuration is for.
	// +optional
	Nodes ConfigurationNodes `json:"nodes,omitzero"`

	// routes is the most that any one node reports to advertise, by family.
	// +optional
	Routes RouteCounts `json:"routes,omitzero"`

	// advertisements are the prefixes that nodes advertise, aggregates first: at
	// most 100.
	// +kubebuilder:validation:MaxItems=100
	// +listType=map
	// +listMapKey=prefix
	// +listMapKey=kind
	// +optional
	Advertisements []Advertisement `json:"advertisements,omitempty"`

	// truncated is true where advertisements was cut, or where its counts are
	// lower bounds because a node's own list was, or because a node's agent does
	// not report.
	// +optional
	Truncated bool `json:"truncated,omitempty"`
}

// ConfigurationNodes counts the nodes that a configuration is for.
type ConfigurationNodes struct {
	// desired is the number of nodes that the configuration is for and that are in
	// service: neither being deleted or shut down, nor labelled as excluded from
	// load balancers or under maintenance.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Desired int32 `json:"desired"`

	// reporting is how many of them have an agent that reports.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Reporting int32 `json:"reporting"`
}

// Advertisement is a prefix and how many nodes advertise it.
type Advertisement struct {
	// prefix is the prefix in canonical form.
	// +kubebuilder:validation:MaxLength=43
	// +required
	Prefix string `json:"prefix"`

	// kind says why the prefix is advertised.
	// +required
	Kind AdvertisementKind `json:"kind"`

	// nodes is the number of nodes that advertise the prefix.
	// +kubebuilder:validation:Minimum=0
	// +optional
	Nodes int32 `json:"nodes"`
}

// BGPConfiguration says what the nodes are to BGP and what they may advertise.
// The one named default is the base for every node; any other is an overlay
// for the nodes that its nodeSelector selects. Without default, no Service is
// advertised.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=herald,shortName=bgpconfig
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="AS",type=integer,JSONPath=`.spec.asNumber`
// +kubebuilder:printcolumn:name="Nodes",type=integer,JSONPath=`.status.nodes.reporting`
// +kubebuilder:printcolumn:name="IPv4 Routes",type=integer,JSONPath=`.status.routes.ipv4`
// +kubebuilder:printcolumn:name="IPv6 Routes",type=integer,JSONPath=`.status.routes.ipv6`
// +kubebuilder:printcolumn:name="Accepted",type=string,JSONPath=`.status.conditions[?(@.type=="Accepted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Node Selector",type=string,priority=1,JSONPath=`.spec.nodeSelector`
// +kubebuilder:printcolumn:name="Reason",type=string,priority=1,JSONPath=`.status.conditions[?(@.type=="Accepted")].reason`
// +kubebuilder:validation:XValidation:rule="self.metadata.name == 'default' || (has(self.spec) && has(self.spec.nodeSelector))",fieldPath=".spec.nodeSelector",reason=FieldValueRequired,message="nodeSelector is required in an overlay, which every BGPConfiguration is but the one named default: select the nodes that it is for"
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'default' || !has(self.spec) || !has(self.spec.nodeSelector)",fieldPath=".spec.nodeSelector",reason=FieldValueForbidden,message="nodeSelector must not be set in the BGPConfiguration named default, which is the base for every node: use an overlay with another name"
// +kubebuilder:validation:XValidation:rule="self.metadata.name != 'default' || !has(self.spec) || !has(self.spec.routerID)",fieldPath=".spec.routerID",reason=FieldValueForbidden,message="routerID must not be set in the BGPConfiguration named default, since each node needs its own: use an overlay for that node"
type BGPConfiguration struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says what the nodes are to BGP and what they may advertise. In an overlay,
	// each field that is set replaces the base's.
	// +optional
	Spec BGPConfigurationSpec `json:"spec,omitzero"`

	// status is what the nodes make of the configuration.
	// +optional
	Status BGPConfigurationStatus `json:"status,omitzero"`
}

// BGPConfigurationList is a list of BGPConfigurations.
//
// +kubebuilder:object:root=true
type BGPConfigurationList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []BGPConfiguration `json:"items"`
}
