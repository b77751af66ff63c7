package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ExternalIPPoolSpec says which addresses may be assigned, and to which
// Services.
type ExternalIPPoolSpec struct {
	// addresses are what the pool holds, each a CIDR, a range of two addresses, or
	// one address: 1 to 64. What is in them twice counts once. Changing it does
	// nothing to sessions.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +required
	Addresses []AddressRange `json:"addresses"`

	// avoid are addresses in the pool that are never assigned, written as in
	// addresses: at most 64. Defaults to none. Changing it does nothing to
	// sessions.
	// +kubebuilder:validation:MaxItems=64
	// +listType=set
	// +optional
	Avoid []AddressRange `json:"avoid,omitempty"`

	// assignment is Automatic where any Service that fits may take from the pool,
	// and OnRequest where only Services may that name the pool or an address in
	// it. Defaults to Automatic. Changing it does nothing to sessions.
	// +optional
	Assignment Assignment `json:"assignment,omitempty"`

	// namespaceSelector selects the namespaces whose Services may take from the
	// pool. Absent or empty selects all. Changing it does nothing to sessions.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="namespaceSelector.matchLabels must have at most 64 entries"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="namespaceSelector.matchExpressions must have at most 64 entries"
	// +optional
	NamespaceSelector *metav1.LabelSelector `json:"namespaceSelector,omitempty"`

	// serviceSelector selects the Services that may take from the pool. Absent or
	// empty selects all. Changing it does nothing to sessions.
	// +kubebuilder:validation:XValidation:rule="!has(self.matchLabels) || size(self.matchLabels) <= 64",message="serviceSelector.matchLabels must have at most 64 entries"
	// +kubebuilder:validation:XValidation:rule="!has(self.matchExpressions) || size(self.matchExpressions) <= 64",message="serviceSelector.matchExpressions must have at most 64 entries"
	// +optional
	ServiceSelector *metav1.LabelSelector `json:"serviceSelector,omitempty"`

	// priority orders the pools that fit a Service: the highest first, then by
	// name; -1000000 to 1000000. Defaults to 0. Changing it does nothing to
	// sessions.
	// +kubebuilder:validation:Minimum=-1000000
	// +kubebuilder:validation:Maximum=1000000
	// +optional
	Priority int32 `json:"priority,omitempty"`
}

// AddressRange is a CIDR, two addresses of one family joined by "-", the lower
// one first, or one address; all in canonical text.
// +kubebuilder:validation:MaxLength=79
// +kubebuilder:validation:XValidation:rule="self.contains('/') ? isCIDR(self) && string(cidr(self).masked()) == self : self.split('-').size() <= 2 && self.split('-').all(a, isIP(a) && ip.isCanonical(a))",message="addresses and avoid must hold CIDRs without host bits, addresses, or ranges of two addresses, all in canonical form, such as 192.168.3.0/24, 192.168.3.9 or 192.168.3.10-192.168.3.20"
// +kubebuilder:validation:XValidation:rule="!self.contains('-') || !self.split('-').all(a, isIP(a)) || self.split('-').all(a, ip(a).family() == ip(self.split('-')[0]).family())",message="addresses and avoid must hold ranges whose two addresses are of one family, such as 192.168.3.10-192.168.3.20"
type AddressRange string

// Assignment says which Services may take from a pool.
// +kubebuilder:validation:Enum=Automatic;OnRequest
type Assignment string

// The kinds of assignment.
const (
	AssignAutomatic Assignment = "Automatic"
	AssignOnRequest Assignment = "OnRequest"
)

// ExternalIPPoolStatus is how much of a pool is in use.
type ExternalIPPoolStatus struct {
	// observedGeneration is the generation of the spec that this status is about.
	// +kubebuilder:validation:Minimum=0
	// +optional
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`

	// conditions are Accepted; Allowlisted: every address is inside a block of the
	// BGPConfiguration named default; and, while the pool is being deleted,
	// Released: no Service has an address from it any more.
	// +kubebuilder:validation:MaxItems=16
	// +listType=map
	// +listMapKey=type
	// +optional
	Conditions []metav1.Condition `json:"conditions,omitempty"`

	// ipv4 counts the pool's IPv4 addresses; absent where it has none.
	// +optional
	IPv4 AddressCounts `json:"ipv4,omitzero"`

	// ipv6 counts the pool's IPv6 addresses; absent where it has none.
	// +optional
	IPv6 AddressCounts `json:"ipv6,omitzero"`

	// summary says the same in short, for people.
	// +optional
	Summary PoolSummary `json:"summary,omitzero"`
}

// AddressCounts counts addresses of one family, as decimal strings: an IPv6
// pool may hold more than 64 bits can count.
type AddressCounts struct {
	// total is the number of addresses that the pool holds, less those to avoid.
	// +optional
	Total DecimalCount `json:"total,omitempty"`

	// assigned is how many of them Services have, from Herald or by hand.
	// +optional
	Assigned DecimalCount `json:"assigned,omitempty"`

	// available is how many of them can be assigned: those that are free and
	// inside a block of the BGPConfiguration named default.
	// +optional
	Available DecimalCount `json:"available,omitempty"`
}

// DecimalCount is a number that is not negative, in decimal: up to 2^128.
// +kubebuilder:validation:MaxLength=39
// +kubebuilder:validation:Pattern=`^(0|[1-9][0-9]*)$`
type DecimalCount string

// PoolSummary is what the columns of kubectl get show.
type PoolSummary struct {
	// addresses is the first entry of the spec's addresses and how many more there
	// are, such as 192.168.3.0/24 +2.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Addresses string `json:"addresses,omitempty"`

	// assigned is the number of assigned addresses, IPv4 and IPv6 apart in a
	// dual-stack pool, such as 3/0.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Assigned string `json:"assigned,omitempty"`

	// available is the number of addresses that can be assigned, IPv4 and IPv6
	// apart in a dual-stack pool, such as 242/256.
	// +kubebuilder:validation:MaxLength=128
	// +optional
	Available string `json:"available,omitempty"`
}

// ExternalIPPool holds addresses that Herald may assign to Services.
//
// +kubebuilder:object:root=true
// +kubebuilder:resource:scope=Cluster,categories=herald,shortName=eippool
// +kubebuilder:subresource:status
// +kubebuilder:printcolumn:name="Addresses",type=string,JSONPath=`.status.summary.addresses`
// +kubebuilder:printcolumn:name="Assigned",type=string,JSONPath=`.status.summary.assigned`
// +kubebuilder:printcolumn:name="Available",type=string,JSONPath=`.status.summary.available`
// +kubebuilder:printcolumn:name="Allowlisted",type=string,JSONPath=`.status.conditions[?(@.type=="Allowlisted")].status`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:printcolumn:name="Assignment",type=string,priority=1,JSONPath=`.spec.assignment`
// +kubebuilder:printcolumn:name="Priority",type=integer,priority=1,JSONPath=`.spec.priority`
type ExternalIPPool struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitzero"`

	// spec says which addresses may be assigned, and to which Services.
	// +required
	Spec ExternalIPPoolSpec `json:"spec"`

	// status is how much of the pool is in use.
	// +optional
	Status ExternalIPPoolStatus `json:"status,omitzero"`
}

// ExternalIPPoolList is a list of ExternalIPPools.
//
// +kubebuilder:object:root=true
type ExternalIPPoolList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitzero"`

	Items []ExternalIPPool `json:"items"`
}
