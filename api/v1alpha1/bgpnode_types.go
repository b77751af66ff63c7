package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BGPNodeStatus is what a node's agent observes.
type BGPNodeStatus struct {
	// asNumber is the node's AS number.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	// +optional
	ASNumber int64 `json:"asNumber,omitempty"`

	// routerID is the node's BGP identifier, written as an IPv4 address (RFC
	// 6286).
	// +kubebuilder:validation:MaxLength=15
	// +optional
	RouterID string `json:"routerID,omitempty"`

	// agentVersion is the version of the node's agent.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	AgentVersion string `json:"agentVersion,omitempty"`

	// conditions are Ready and LoopsPrevented.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// sessions are the node's sessions, one for each BGPPeer that selects it: at
	// most 256.
	// +kubebuilder:validation:MaxItems=256
	// +listType=map
	// +listMapKey=peer
	// +optional
	Sessions []NodeSession `json:"sessions,omitempty"`

	// routes counts the prefixes that were sent on at least one session.
	// +optional
	Routes RouteCounts `json:"routes"`

	// advertisements are the prefixes that were sent on at least one session,
	// aggregates first: at most 200.
	// +kubebuilder:validation:MaxItems=200
	// +listType=map
	// +listMapKey=prefix
	// +listMapKey=kind
	// +optional
	Advertisements []NodeAdvertisement `json:"advertisements,omitempty"`

	// truncated is true where advertisements was cut.
	// +optional
	Truncated bool `json:"truncated,omitempty"`
}

// NodeAdvertisement is a prefix that a node advertises.
type NodeAdvertisement struct {
	// prefix is the prefix in canonical form.
	// +kubebuilder:validation:MaxLength=43
	// +required
	Prefix string `json:"prefix"`

	// kind says why the prefix is advertised.
	// +required
	Kind AdvertisementKind `json:"kind"`

	// services are Services that the prefix is advertised for, as namespace/name:
	// the first 5 by namespace and name, none for an aggregate.
	// +kubebuilder:validation:MaxItems=5
	// +kubebuilder:validation:items:MaxLength=320
	// +listType=set
	// +optional
	Services []string `json:"services,omitempty"`
}

// BGPNode shows what a node does: its sessions and the routes that it
// advertises. Each node's agent keeps the one that has the node's name; it
// goes with the Node.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=herald,shortName=bgpn
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="AS",type=integer,JSONPath=`.status.asNumber`
// +kubebuilder:printcolumn:name="Router ID",type=string,JSONPath=`.status.routerID`
// +kubebuilder:printcolumn:name="IPv4 Routes",type=integer,JSONPath=`.status.routes.ipv4`
// +kubebuilder:printcolumn:name="IPv6 Routes",type=integer,JSONPath=`.status.routes.ipv6`
// +kubebuilder:printcolumn:name="Ready",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].status`
// +kubebuilder:printcolumn:name="Reason",type=string,JSONPath=`.status.conditions[?(@.type=="Ready")].reason`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Version",type=string,priority=1,JSONPath=`.status.agentVersion`
type BGPNode struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// status is what the node's agent observes.
	// +optional
	Status BGPNodeStatus `json:"status,omitzero"`
}

// BGPNodeList is a list of BGPNodes.
//
// +kubebuilder:object:root=true
type BGPNodeList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []BGPNode `json:"items"`
}
