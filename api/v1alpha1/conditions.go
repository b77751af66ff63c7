package v1alpha1

// ConditionType is the type of a condition in a status. All types are positive: True is what one hopes for.
type ConditionType string

// The types of conditions, with the reasons that each may carry.
const (
	// ConditionAccepted says that Herald acts on the object: on BGPConfiguration, BGPPeer and ExternalIPPool.
	//
	// True: Valid. False: Invalid, Conflict, OutsideBase, RouterIDConflict, SecretNotFound. Unknown: Pending.
	ConditionAccepted ConditionType = "Accepted"

	// ConditionEstablished says that every node that a BGPPeer selects has an established session of the peer's present
	// generation.
	//
	// True: AllEstablished, FamilyNotNegotiated, ExportIgnored. False: NotAccepted, NoNodes, SessionsDown. Unknown:
	// AgentSilent, Pending.
	ConditionEstablished ConditionType = "Established"

	// ConditionAdvertised says that what a BGPConfiguration allows is advertised by the nodes that it is for.
	//
	// True: Advertised, PrependIgnored. False: NotAccepted, NoNodes, NoPeers, NothingToAdvertise, SessionsDown. Unknown:
	// AgentSilent, Pending.
	ConditionAdvertised ConditionType = "Advertised"

	// ConditionAllowlisted says that every address of an ExternalIPPool is inside a block of the BGPConfiguration named
	// default.
	//
	// True: InsideBlocks. False: OutsideBlocks, NoConfiguration. Unknown: NotAccepted, Pending.
	ConditionAllowlisted ConditionType = "Allowlisted"

	// ConditionReleased says of an ExternalIPPool that is being deleted whether any Service still has an address that Herald
	// assigned from it; no other pool has this condition. The pool is gone once none has.
	//
	// True: NoneAssigned. False: AddressesInUse. Unknown: Pending.
	ConditionReleased ConditionType = "Released"

	// ConditionReady says that a node advertises what it should on all of its sessions: on BGPNode.
	//
	// True: AllEstablished, FamilyNotNegotiated, ExportIgnored, PrependIgnored. False: Draining, NodeExcluded,
	// NoConfiguration, NoPeers, SessionsDown, RouterIDConflict, Invalid, WaitingForServiceProxy, SpeakingFromSavedState.
	// Unknown: Pending.
	ConditionReady ConditionType = "Ready"

	// ConditionLoopsPrevented says that packets for addresses that no Service has, inside the aggregates that a node
	// advertises, end on the node and do not go back to the router: on BGPNode.
	//
	// True: RulesInPlace, NoAggregates. False: PreventionDisabled, PreventionFailed. Unknown: Pending.
	ConditionLoopsPrevented ConditionType = "LoopsPrevented"
)

// ConditionReason is the reason of a condition: why its status is what it is.
type ConditionReason string

// The reasons, with what a user can do about those that are not good news.
const (
	// ReasonValid: the object is sound and in use.
	ReasonValid ConditionReason = "Valid"
	// ReasonInvalid: the object breaks a rule, which the message names with the field; it is left out until it is put
	// right.
	ReasonInvalid ConditionReason = "Invalid"
	// ReasonConflict: an older object of the kind claims the same (an overlay's nodes, a peer's address and port, a pool's
	// addresses), and holds; change or delete one of the two.
	ReasonConflict ConditionReason = "Conflict"
	// ReasonOutsideBase: a block of an overlay is not inside a block of the same kind of the BGPConfiguration named
	// default; an overlay may narrow, never widen.
	ReasonOutsideBase ConditionReason = "OutsideBase"
	// ReasonSecretNotFound: there is no password where a peer's secretKeyRef says: the Secret or its key is missing, the
	// Secret is of a type that agents don't read, or the value is empty or too long. No session is opened, and one that runs
	// keeps the password that it has.
	ReasonSecretNotFound ConditionReason = "SecretNotFound"
	// ReasonPending: the present generation was not dealt with yet.
	ReasonPending ConditionReason = "Pending"

	// ReasonAllEstablished: all sessions are established.
	ReasonAllEstablished ConditionReason = "AllEstablished"
	// ReasonFamilyNotNegotiated: sessions are established, but a peer did not offer all of addressFamilies; enable the
	// family on the router, or leave it out.
	ReasonFamilyNotNegotiated ConditionReason = "FamilyNotNegotiated"
	// ReasonExportIgnored: sessions are established, but a part of a peer's export rules has no effect: a community's name
	// that no BGPConfiguration gives a value, localPreference on eBGP, or asPathPrepend on iBGP; the message names the field.
	ReasonExportIgnored ConditionReason = "ExportIgnored"
	// ReasonSessionsDown: at least one session is not established; its lastError says why.
	ReasonSessionsDown ConditionReason = "SessionsDown"
	// ReasonAgentSilent: no session is known to be down, but at least one node's agent does not report; see that its pod
	// runs.
	ReasonAgentSilent ConditionReason = "AgentSilent"
	// ReasonNotAccepted: the object is not accepted; the condition Accepted says why.
	ReasonNotAccepted ConditionReason = "NotAccepted"
	// ReasonNoNodes: the object is for no node that is in service; see its node selector, and the nodes' labels.
	ReasonNoNodes ConditionReason = "NoNodes"
	// ReasonNoPeers: no BGPPeer selects the nodes.
	ReasonNoPeers ConditionReason = "NoPeers"

	// ReasonAdvertised: at least one prefix is advertised.
	ReasonAdvertised ConditionReason = "Advertised"
	// ReasonNothingToAdvertise: no block is an aggregate, and no Service has an address in a block that a node can serve; or
	// the export rules of the peers reject what there is.
	ReasonNothingToAdvertise ConditionReason = "NothingToAdvertise"
	// ReasonPrependIgnored: routes are advertised, but an asPathPrepend was left out on iBGP sessions, where it would hide
	// the route.
	ReasonPrependIgnored ConditionReason = "PrependIgnored"

	// ReasonInsideBlocks: every address of the pool is inside a block.
	ReasonInsideBlocks ConditionReason = "InsideBlocks"
	// ReasonOutsideBlocks: some addresses of the pool are in no block, and are not assigned; add a block, or avoid them.
	ReasonOutsideBlocks ConditionReason = "OutsideBlocks"
	// ReasonNoConfiguration: there is no BGPConfiguration named default, so no Service is advertised.
	ReasonNoConfiguration ConditionReason = "NoConfiguration"

	// ReasonNoneAssigned: no Service has an address from the pool.
	ReasonNoneAssigned ConditionReason = "NoneAssigned"
	// ReasonAddressesInUse: Services have addresses from the pool, which is deleted once they have given them back; the
	// message counts them and names the first. Move them to another pool, or delete them.
	ReasonAddressesInUse ConditionReason = "AddressesInUse"

	// ReasonDraining: the node goes out of service; its routes are marked as about to go, so that routers take others, and
	// are withdrawn at the time that the message names.
	ReasonDraining ConditionReason = "Draining"
	// ReasonNodeExcluded: the node is out of service and advertises nothing. The message says which label, or what else,
	// took it out.
	ReasonNodeExcluded ConditionReason = "NodeExcluded"
	// ReasonWaitingForServiceProxy: the node has just booted, and the agent opens no session before kube-proxy is healthy or
	// has been waited for long enough; see the manager's configuration, agent.serviceProxy.
	ReasonWaitingForServiceProxy ConditionReason = "WaitingForServiceProxy"
	// ReasonSpeakingFromSavedState: the agent could not read everything from the API server since it started, and advertises
	// what the agent before it did; see that it reaches the API server, and may read what it needs.
	ReasonSpeakingFromSavedState ConditionReason = "SpeakingFromSavedState"

	// ReasonRulesInPlace: the node's nftables hold the rules.
	ReasonRulesInPlace ConditionReason = "RulesInPlace"
	// ReasonNoAggregates: the node advertises no aggregate, so nothing can loop and there are no rules.
	ReasonNoAggregates ConditionReason = "NoAggregates"
	// ReasonPreventionDisabled: serviceLoopPrevention is Disabled.
	ReasonPreventionDisabled ConditionReason = "PreventionDisabled"
	// ReasonPreventionFailed: the rules could not be put in place, which is tried again; the message says why. BGP does not
	// depend on them.
	ReasonPreventionFailed ConditionReason = "PreventionFailed"

	// ReasonRouterIDConflict: another node has the same router ID; give one of the two its own in an overlay.
	ReasonRouterIDConflict ConditionReason = "RouterIDConflict"
)
