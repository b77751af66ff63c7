package v1alpha1

// LoadBalancerClass is the spec.loadBalancerClass of the Services of type LoadBalancer that Herald assigns addresses to,
// besides those that have no class.
const LoadBalancerClass = "herald.network/bgp"

// Annotations of Services. Where one of the first four is absent, those of other projects that mean the same are honoured.
const (
	// AnnotationAddresses requests addresses, at most one of each family, joined by commas: "192.168.3.180,2001:db8::1".
	AnnotationAddresses = "herald.network/addresses"
	// AnnotationPool requests that all addresses come from the ExternalIPPool of this name.
	AnnotationPool = "herald.network/pool"
	// AnnotationSharedAddress lets Services of one namespace that have the same value share an address, as long as their
	// ports differ and all have externalTrafficPolicy Cluster, or all have Local and the same selector.
	AnnotationSharedAddress = "herald.network/shared-address"
	// AnnotationAssignExternalIP is "true" on a Service that is not of type LoadBalancer and is to have an address in its
	// spec.externalIPs.
	AnnotationAssignExternalIP = "herald.network/assign-external-ip"
	// AnnotationAssigned is Herald's mark: those of spec.externalIPs that Herald assigned, joined by commas. Herald writes
	// it, nobody else has to.
	AnnotationAssigned = "herald.network/assigned"
)

// ConditionAddressAssigned is the condition of a Service that says which addresses Herald assigned to it, from which
// ExternalIPPools, or why it has none. Of a Service of type LoadBalancer it is Herald's mark: the addresses that its message
// begins with are those of status.loadBalancer.ingress that Herald assigned.
//
// True: Assigned. False: InvalidRequest, NoMatchingPool, AddressNotInPool, AddressNotAllowlisted, AddressInUse,
// AddressConflict, PoolExhausted, ExternalIPsRefused.
const ConditionAddressAssigned = "herald.network/AddressAssigned"

// The reasons of the condition AddressAssigned, of the event AssignmentFailed, and of the label reason in metrics.
const (
	// ReasonAssigned: the Service has what it asks for; of a family that it only prefers, where there is any.
	ReasonAssigned ConditionReason = "Assigned"
	// ReasonInvalidRequest: an annotation of the Service can't be read, or two contradict each other; the message names both.
	ReasonInvalidRequest ConditionReason = "InvalidRequest"
	// ReasonNoMatchingPool: no ExternalIPPool is for the Service, or none of those that are has addresses of the family; see
	// the pools' selectors, their assignment, and whether they are accepted.
	ReasonNoMatchingPool ConditionReason = "NoMatchingPool"
	// ReasonPoolExhausted: every address of the pools that are for the Service is in use; add addresses, or delete Services.
	ReasonPoolExhausted ConditionReason = "PoolExhausted"
	// ReasonAddressInUse: a requested address is another Service's, and can't be shared with it.
	ReasonAddressInUse ConditionReason = "AddressInUse"
	// ReasonAddressNotInPool: a requested address, or the one that the Service had, is in no pool that is for it.
	ReasonAddressNotInPool ConditionReason = "AddressNotInPool"
	// ReasonAddressNotAllowlisted: the address, or every address of the pools, is in no block of the kind that the Service
	// needs in the BGPConfiguration named default; add a block there.
	ReasonAddressNotAllowlisted ConditionReason = "AddressNotAllowlisted"
	// ReasonAddressConflict: an older Service came to have the same address, and keeps it.
	ReasonAddressConflict ConditionReason = "AddressConflict"
	// ReasonExternalIPsRefused: the API server refused to have the address in spec.externalIPs; the message says what it
	// answered. Clusters may forbid external IPs: use a Service of type LoadBalancer there.
	ReasonExternalIPsRefused ConditionReason = "ExternalIPsRefused"
)

// PoolFinalizer is on every ExternalIPPool whose addresses Herald has assigned to Services, so that a pool which is deleted
// stays until they have been given back.
const PoolFinalizer = "herald.network/assigned-addresses"
