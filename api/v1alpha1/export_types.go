package v1alpha1

// ExportRule says what becomes of the routes that it matches on the sessions
// with a peer. A route matches where it is of each of prefixes, kinds and
// communities that the rule has; a rule without any matches every route.
// +kubebuilder:validation:XValidation:rule="self.action == 'Accept' || !has(self.set)",fieldPath=".set",reason=FieldValueForbidden,message="set must be left out with action Reject, since a route that is not sent has no attributes: remove it, or set action to Accept"
type ExportRule struct {
	// action is what becomes of a route that the rule matches: with Accept it is
	// sent, with the attributes in set, and with Reject it is not. Changing it
	// re-advertises or withdraws the routes that differ, and resets nothing.
	// +required
	Action ExportAction `json:"action"`

	// prefixes match a route whose prefix is held by at least one of them: 1 to
	// 32. Absent, they match any. Changing it re-advertises or withdraws the
	// routes that differ, and resets nothing.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=atomic
	// +optional
	Prefixes []PrefixMatch `json:"prefixes,omitempty"`

	// kinds match a route that is advertised for at least one of them; an
	// aggregate is of the kind of its block. Absent, they match any. Changing it
	// re-advertises or withdraws the routes that differ, and resets nothing.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=4
	// +listType=set
	// +optional
	Kinds []AdvertisementKind `json:"kinds,omitempty"`

	// communities match a route to which prefixAdvertisements gives at least one
	// of them: 1 to 32, each a name from communities of the node's
	// BGPConfiguration, a standard community aa:nn (RFC 1997) or a large community
	// aa:nn:mm (RFC 8092). Absent, they match any. A name that is not known
	// matches none, and a condition says so. Changing it re-advertises or
	// withdraws the routes that differ, and resets nothing.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	Communities []CommunityRef `json:"communities,omitempty"`

	// set is what the routes are sent with in place of what prefixAdvertisements
	// gives them, field by field. It is for Accept only. Changing it re-advertises
	// the routes that the rule decides about, and resets nothing.
	// +optional
	Set *ExportAttributes `json:"set,omitempty"`
}

// ExportAction is what becomes of a route.
// +kubebuilder:validation:Enum=Accept;Reject
type ExportAction string

// The actions of export rules.
const (
	ExportAccept ExportAction = "Accept"
	ExportReject ExportAction = "Reject"
)

// PrefixMatch holds prefixes as an entry of a router's prefix list does: that of
// cidr itself without ge and le, and otherwise those inside cidr of the lengths
// that ge and le allow.
// +kubebuilder:validation:XValidation:rule="!has(self.ge) || !isCIDR(self.cidr) || (self.ge >= cidr(self.cidr).prefixLength() && self.ge <= (cidr(self.cidr).ip().family() == 4 ? 32 : 128))",fieldPath=".ge",message="ge must be at least the length of cidr, and at most 32 for IPv4 or 128 for IPv6"
// +kubebuilder:validation:XValidation:rule="!has(self.le) || !isCIDR(self.cidr) || (self.le >= cidr(self.cidr).prefixLength() && self.le <= (cidr(self.cidr).ip().family() == 4 ? 32 : 128))",fieldPath=".le",message="le must be at least the length of cidr, and at most 32 for IPv4 or 128 for IPv6"
// +kubebuilder:validation:XValidation:rule="!has(self.ge) || !has(self.le) || self.ge <= self.le",fieldPath=".le",message="le must be at least ge: no prefix has a length that is not below ge and not above le"
type PrefixMatch struct {
	// cidr is the network that holds the prefixes, in canonical form, without host
	// bits. Changing it re-advertises or withdraws the routes that differ, and
	// resets nothing.
	// +required
	CIDR CIDR `json:"cidr"`

	// ge is the least length of the prefixes: from that of cidr to 32 for IPv4 or
	// 128 for IPv6. Defaults to the length of cidr. Changing it re-advertises or
	// withdraws the routes that differ, and resets nothing.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=128
	// +optional
	GE *int32 `json:"ge,omitempty"`

	// le is the greatest length of the prefixes: from that of cidr, or from ge, to
	// 32 for IPv4 or 128 for IPv6. Defaults to 32 or 128 with ge, and to the
	// length of cidr without. Changing it re-advertises or withdraws the routes
	// that differ, and resets nothing.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=128
	// +optional
	LE *int32 `json:"le,omitempty"`
}

// ExportAttributes are path attributes that a rule sets. One that is absent stays
// what prefixAdvertisements makes it.
type ExportAttributes struct {
	// communities take the place of those that the route has: at most 32, each a
	// name from communities of the node's BGPConfiguration, a standard community
	// aa:nn (RFC 1997) or a large community aa:nn:mm (RFC 8092). An empty list
	// removes them all; absent, the route keeps its own. A name that is not known
	// is left out, and a condition says so. Changing it re-advertises the routes
	// that the rule decides about.
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	Communities []CommunityRef `json:"communities,omitzero"`

	// addCommunities are carried besides those that the route has, or that
	// communities gives it: 1 to 32, each as in communities. Defaults to none.
	// Changing it re-advertises the routes that the rule decides about.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=32
	// +listType=set
	// +optional
	AddCommunities []CommunityRef `json:"addCommunities,omitempty"`

	// med is the MULTI_EXIT_DISC of the routes: 0 to 4294967295, the lowest wins
	// (RFC 4271, section 5.1.4). Defaults to that of the route. Changing it
	// re-advertises the routes that the rule decides about.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	// +optional
	MED *int64 `json:"med,omitempty"`

	// localPreference is the LOCAL_PREF of the routes on iBGP sessions: 0 to
	// 4294967295, the highest wins (RFC 4271, section 5.1.5). eBGP sessions never
	// carry it, so it is ignored there, and a condition says so. Defaults to that
	// of the route. Changing it re-advertises the routes that the rule decides
	// about.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=4294967295
	// +optional
	LocalPreference *int64 `json:"localPreference,omitempty"`

	// asPathPrepend is how many extra copies of the session's own AS number the AS
	// path carries on eBGP sessions: 0 to 10. On iBGP sessions it would hide the
	// route, so it is ignored there, and a condition says so. Defaults to that of
	// the route. Changing it re-advertises the routes that the rule decides about.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=10
	// +optional
	ASPathPrepend *int32 `json:"asPathPrepend,omitempty"`
}
