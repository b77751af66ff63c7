package v1alpha1

// Mode turns something on or off.
// +kubebuilder:validation:Enum=Enabled;Disabled
type Mode string

// The modes.
const (
	Enabled  Mode = "Enabled"
	Disabled Mode = "Disabled"
)

// CIDR is a network in canonical text: the address is the network's own,
// without host bits, and IPv6 is written as RFC 5952 says. So one network has
// one text, and lists can be keyed by it.
// +kubebuilder:validation:MaxLength=43
// +kubebuilder:validation:XValidation:rule="isCIDR(self) && string(cidr(self).masked()) == self",message="cidr must be an IPv4 or IPv6 network in canonical form, without host bits, such as 192.168.3.0/24 or 2001:db8:3::/64"
type CIDR string

// AddressFamily is a family of addresses, with the unicast subsequent address
// family (RFC 4760).
// +kubebuilder:validation:Enum=IPv4;IPv6
type AddressFamily string

// The address families.
const (
	IPv4 AddressFamily = "IPv4"
	IPv6 AddressFamily = "IPv6"
)

// GracefulRestart says whether the routers shall keep the node's routes while
// its agent restarts (RFC 4724).
type GracefulRestart struct {
	// mode is Enabled where the capability is offered, and Disabled where it is
	// not; then every restart of an agent withdraws the node's routes. Defaults to
	// Enabled. Changing it resets the session.
	// +optional
	Mode Mode `json:"mode,omitempty"`

	// restartTimeSeconds is how long the router shall keep the routes and wait for
	// the session to come back (RFC 4724, section 3): 1 to 4095 s, 12 bits on the
	// wire. Defaults to 120. Changing it resets the session.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=4095
	// +optional
	RestartTimeSeconds int32 `json:"restartTimeSeconds,omitempty"`
}

// AdvertisementKind says why a prefix is advertised.
// +kubebuilder:validation:Enum=ClusterIP;ExternalIP;LoadBalancerIP;PodCIDR
type AdvertisementKind string

// The kinds of advertisements: the first three are host routes and aggregates
// of the block list of that kind.
const (
	// KindClusterIP is an address of spec.clusterIPs, allowed by
	// serviceClusterIPs.
	KindClusterIP AdvertisementKind = "ClusterIP"
	// KindExternalIP is an address of spec.externalIPs, allowed by
	// serviceExternalIPs.
	KindExternalIP AdvertisementKind = "ExternalIP"
	// KindLoadBalancerIP is an address of status.loadBalancer, allowed by
	// serviceLoadBalancerIPs.
	KindLoadBalancerIP AdvertisementKind = "LoadBalancerIP"
	// KindPodCIDR is one of the node's own pod CIDRs, advertised where
	// podCIDRAdvertisement is Enabled.
	KindPodCIDR AdvertisementKind = "PodCIDR"
)

// RouteCounts counts distinct prefixes by family.
type RouteCounts struct {
	// ipv4 is the number of IPv4 prefixes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	IPv4 int32 `json:"ipv4"`

	// ipv6 is the number of IPv6 prefixes.
	// +kubebuilder:validation:Minimum=0
	// +optional
	IPv6 int32 `json:"ipv6"`
}
