package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
)

// Request is what the annotations of a Service ask for.
type Request struct {
	// Addresses are those asked for by name, at most one of each family.
	Addresses []netip.Addr
	// Pool is the name of the ExternalIPPool that all addresses are to come from; "" for any.
	Pool string
	// SharingKey lets Services of the same namespace and key share an address; "" for none.
	SharingKey string
	// Problem says why the annotations can't be followed, with what would be right; "" where they can.
	Problem string
}

// wish is something that a Service may ask for, with the annotations that do: Herald's own first.
type wish []string

func addressesWish() wish {
	return wish{
		v1alpha1.AnnotationAddresses,
		"metallb.universe.tf/loadBalancerIPs", "metallb.io/loadBalancerIPs", "lbipam.cilium.io/ips", "io.cilium/lb-ipam-ips",
	}
}

func poolWish() wish {
	return wish{v1alpha1.AnnotationPool, "metallb.universe.tf/address-pool", "metallb.io/address-pool"}
}

func sharingWish() wish {
	return wish{
		v1alpha1.AnnotationSharedAddress,
		"metallb.universe.tf/allow-shared-ip", "metallb.io/allow-shared-ip",
		"lbipam.cilium.io/sharing-key", "io.cilium/lb-ipam-sharing-key",
	}
}

// ParseRequest reads the annotations of a Service, and its deprecated spec.loadBalancerIP. Herald's own annotations come
// first; where one of them is absent, those of MetalLB and Cilium that mean the same are honoured, and are a problem where
// they contradict each other. An annotation without a value is absent.
func ParseRequest(annotations map[string]string, loadBalancerIP string) Request {
	addresses, addressProblem := requestedAddresses(annotations, loadBalancerIP)
	pool, poolProblem := requestedName(annotations, poolWish())
	key, keyProblem := requestedName(annotations, sharingWish())
	request := Request{SharingKey: key}
	for _, problem := range []string{addressProblem, poolProblem, keyProblem} {
		if problem != "" {
			// The key stays: what is shared already must not fall apart because of a problem elsewhere.
			request.Problem = problem
			return request
		}
	}
	request.Addresses, request.Pool = addresses, pool
	return request
}

// asked is an annotation that asks for something.
type asked struct{ key, value string }

func (a asked) String() string { return a.key + ": " + quote(a.value) }

// in returns the annotations that count for a wish: Herald's own, or else all others that are there.
func (w wish) in(annotations map[string]string) []asked {
	var found []asked
	for i, key := range w {
		value := strings.TrimSpace(annotations[key])
		if value == "" {
			continue
		}
		found = append(found, asked{key, value})
		if i == 0 {
			break
		}
	}
	return found
}

func contradiction(a, b asked) string {
	return fmt.Sprintf("the annotations %s and %s contradict each other: keep one of them, or let both say the same", a, b)
}

// requestedName returns the name that is asked for, the first one where several contradict each other.
func requestedName(annotations map[string]string, of wish) (name, problem string) {
	for i, a := range of.in(annotations) {
		switch {
		case i == 0:
			name = a.value
		case a.value != name:
			return name, contradiction(of.in(annotations)[0], a)
		}
	}
	return name, ""
}

func requestedAddresses(annotations map[string]string, loadBalancerIP string) (addresses []netip.Addr, problem string) {
	all := addressesWish().in(annotations)
	if loadBalancerIP = strings.TrimSpace(loadBalancerIP); loadBalancerIP != "" {
		all = append(all, asked{"spec.loadBalancerIP", loadBalancerIP})
	}
	for i, a := range all {
		parsed, problem := parseAddresses(a)
		switch {
		case problem != "":
			return nil, problem
		case i == 0:
			addresses = parsed
		case a.key == "spec.loadBalancerIP":
			if !slices.Contains(addresses, parsed[0]) {
				return nil, lacking(all[0], a)
			}
		case !slices.Equal(parsed, addresses):
			return nil, contradiction(all[0], a)
		}
	}
	return addresses, ""
}

func lacking(annotation, field asked) string {
	return fmt.Sprintf("the annotation %s lacks the address in %s: name it in both, or leave the deprecated field empty", annotation, field)
}

// parseAddresses reads addresses joined by commas: each once, IPv4 first.
func parseAddresses(from asked) (addresses []netip.Addr, problem string) {
	for text := range strings.SplitSeq(from.value, ",") {
		a, err := validate.ParseAddress(strings.TrimSpace(text))
		if err != nil {
			return nil, fmt.Sprintf("%s can't be read: %s is no address: write at most one address of each family, joined by commas, such as %q",
				from, quote(strings.TrimSpace(text)), "192.168.3.180,2001:db8::1")
		}
		if !slices.Contains(addresses, a) {
			addresses = append(addresses, a)
		}
	}
	slices.SortFunc(addresses, netip.Addr.Compare)
	for i := 1; i < len(addresses); i++ {
		if a, b := addresses[i-1], addresses[i]; bgp.FamilyOf(a) == bgp.FamilyOf(b) {
			return nil, fmt.Sprintf("%s asks for two %s addresses, %s and %s: ask for at most one of each family", from, bgp.FamilyOf(a), a, b)
		}
	}
	return addresses, ""
}
