package admission

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/validate"
)

// ExternalIPRequest is what of a request for a Service bears on its externalIPs.
type ExternalIPRequest struct {
	Service advertise.ServiceKey
	// Old are the spec.externalIPs that the Service has, none where it is created; New are those that it shall have.
	Old, New []string
	// Owners returns the Services that have an address, the one of the request included or not, in any order: as one of
	// their clusterIPs or externalIPs, or in status.loadBalancer. It is asked for each address that the request adds.
	Owners func(netip.Addr) []advertise.ServiceKey
	// BlocksWarned says that somebody else, such as a ValidatingAdmissionPolicy, warns of addresses outside the blocks, so that
	// nobody needs to be told twice. They are refused all the same where the policy is to refuse.
	BlocksWarned bool
}

// ExternalIPPolicy returns the policy for externalIPs that a configuration, the one named default, comes to; nil is for
// none.
func ExternalIPPolicy(configuration *v1alpha1.BGPConfiguration) v1alpha1.ExternalIPPolicy {
	if configuration == nil {
		return v1alpha1.ExternalIPIgnore
	}
	switch policy := configuration.Spec.ExternalIPPolicy; policy {
	case v1alpha1.ExternalIPEnforce, v1alpha1.ExternalIPWarn, v1alpha1.ExternalIPIgnore:
		return policy
	}
	if configuration.Spec.ServiceExternalIPs != nil {
		return v1alpha1.ExternalIPEnforce
	}
	return v1alpha1.ExternalIPIgnore
}

// ExternalIPs judges the addresses that a request adds to a Service's spec.externalIPs, as the BGPConfiguration named
// default wants it: who may edit a Service must not get at the traffic of another namespace, of the nodes or of the pods
// (CVE-2020-8554). Of the state it reads the configurations and the nodes.
func ExternalIPs(request ExternalIPRequest, state cluster.State) Verdict {
	base := state.Configuration(v1alpha1.DefaultConfigurationName)
	policy := ExternalIPPolicy(base)
	if policy == v1alpha1.ExternalIPIgnore {
		return Verdict{}
	}
	if policy == v1alpha1.ExternalIPWarn && request.BlocksWarned {
		base = nil
	}
	var v Verdict
	for _, added := range request.added() {
		at := field.NewPath("spec", "externalIPs").Index(added.index)
		for _, detail := range request.objections(added.address, base, state) {
			if policy == v1alpha1.ExternalIPWarn {
				v.warn(at.String() + ": " + detail)
				continue
			}
			v.Errors = append(v.Errors, field.Invalid(at, request.New[added.index], detail))
		}
	}
	return v.bounded()
}

// addedAddress is an address that a request adds, with its place in the list.
type addedAddress struct {
	index   int
	address netip.Addr
}

// added returns the addresses that the request adds, each once.
func (r ExternalIPRequest) added() []addedAddress {
	known := map[netip.Addr]bool{}
	for _, text := range r.Old {
		if address, ok := advertise.ParseAddress(text); ok {
			known[address] = true
		}
	}
	var added []addedAddress
	for i, text := range r.New {
		// What can't be read is refused by the API server.
		if address, ok := advertise.ParseAddress(text); ok && !known[address] {
			known[address] = true
			added = append(added, addedAddress{i, address})
		}
	}
	return added
}

// objections says what speaks against an address; without a base, no block does.
func (r ExternalIPRequest) objections(address netip.Addr, base *v1alpha1.BGPConfiguration, state cluster.State) []string {
	var objections []string
	if base != nil {
		if allowed, inside := inBlock(address, base); !inside {
			objections = append(objections, fmt.Sprintf(
				"%s is in no block of serviceExternalIPs in the BGPConfiguration named default (it has %s): use an address in one", address, allowed))
		}
	}
	if text := ofNodes(address, state); text != "" {
		objections = append(objections, text)
	}
	var owners []advertise.ServiceKey
	if r.Owners != nil {
		owners = slices.SortedFunc(slices.Values(r.Owners(address)), advertise.ServiceKey.Compare)
	}
	i := slices.IndexFunc(owners, func(owner advertise.ServiceKey) bool { return owner.Namespace != r.Service.Namespace })
	if i >= 0 {
		objections = append(objections, fmt.Sprintf(
			"%s is an address of the Service %s, which is in another namespace and would lose its traffic: use another address", address, owners[i]))
	}
	return objections
}

// inBlock reports whether an address is in a block of external IPs, and names the first of these.
func inBlock(address netip.Addr, base *v1alpha1.BGPConfiguration) (allowed string, inside bool) {
	const named = 5
	var names []string
	for _, block := range validate.Blocks(&base.Spec) {
		if block.List != validate.ExternalIPBlocks {
			continue
		}
		if block.CIDR.Contains(address) {
			return "", true
		}
		names = append(names, block.CIDR.String())
	}
	switch more := len(names) - named; {
	case len(names) == 0:
		return "none", false
	case more > 0:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:named], ", "), more), false
	default:
		return strings.Join(names, ", "), false
	}
}

// ofNodes says of which node or of whose pods an address is; "" where it is no such address.
func ofNodes(address netip.Addr, state cluster.State) string {
	owner, text := "", ""
	for i := range state.Nodes {
		node := &state.Nodes[i]
		if owner != "" && owner < node.Name {
			continue
		}
		if slices.Contains(node.InternalIPs, address) {
			owner, text = node.Name, fmt.Sprintf(
				"%s is the InternalIP of the node %q, which would lose its traffic: use another address", address, node.Name)
			continue
		}
		j := slices.IndexFunc(node.PodCIDRs, func(cidr netip.Prefix) bool { return cidr.Contains(address) })
		if j >= 0 {
			owner, text = node.Name, fmt.Sprintf(
				"%s is in the pod CIDR %s of the node %q, whose pods would lose their traffic: use another address",
				address, node.PodCIDRs[j], node.Name)
		}
	}
	return text
}
