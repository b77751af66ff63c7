package ipam

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/herald-network/herald/internal/core/advertise"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/validate"
	"github.com/herald-network/herald/internal/core/wording"
)

// maxQuoted is how much of a user's text a message repeats.
const maxQuoted = 128

// quote returns a user's text in quotation marks, cut where it is long.
func quote(text string) string { return strconv.Quote(wording.Cut(text, maxQuoted)) }

// blocksOf names the list of the blocks of a kind.
func blocksOf(kind advertise.Kind) string {
	list := validate.LoadBalancerIPBlocks
	if kind == advertise.ExternalIP {
		list = validate.ExternalIPBlocks
	}
	return "block of " + list + " in the BGPConfiguration named default"
}

// kindName names an address of a kind, as in "an external IP".
func kindName(kind advertise.Kind) string {
	if kind == advertise.ExternalIP {
		return "external IP"
	}
	return "load balancer IP"
}

func withArticle(noun string) string {
	if strings.HasPrefix(noun, "e") || strings.HasPrefix(noun, "I") {
		return "an " + noun
	}
	return "a " + noun
}

// poolsText names pools, such as "the ExternalIPPool public".
func poolsText(pools []*pool) string {
	if len(pools) == 1 {
		return "the ExternalIPPool " + pools[0].Name
	}
	return "the ExternalIPPools " + few(pools, func(p *pool) string { return p.Name })
}

// maxPools is how many pools a message names before it counts the rest.
const maxPools = 3

// few says something of the first of some pools, and counts the others.
func few(pools []*pool, say func(*pool) string) string {
	var parts []string
	for _, p := range pools[:min(len(pools), maxPools)] {
		parts = append(parts, say(p))
	}
	if rest := len(pools) - len(parts); rest > 0 {
		return strings.Join(parts, ", ") + " and " + strconv.Itoa(rest) + " more"
	}
	last := len(parts) - 1
	if last == 0 {
		return parts[0]
	}
	return strings.Join(parts[:last], ", ") + " and " + parts[last]
}

// why says why a pool is not for a Service; it comes after the pool's name.
func (u unfit) why(p *pool, s *service) string {
	switch u {
	case closed:
		return "gives no more addresses: " + p.Closed
	case onRequest:
		return "gives addresses only to Services that ask for it with the annotation herald.network/pool"
	case otherNamespaces:
		return "has a namespaceSelector that does not select the namespace " + s.Key.Namespace
	default:
		return "has a serviceSelector that does not select this Service"
	}
}

func (t *Table) noFitText(s *service) string {
	candidates := t.candidates(s)
	if s.Request.Pool != "" && len(candidates) == 0 {
		return "the Service asks for the ExternalIPPool " + quote(s.Request.Pool) + ", which does not exist: create it, or ask for another"
	}
	if len(candidates) == 0 {
		return "there is no ExternalIPPool: create one"
	}
	return "no ExternalIPPool is for this Service: " + few(candidates, func(p *pool) string {
		return p.Name + " " + t.fit(s, p).why(p, s)
	})
}

func noFamilyText(pools []*pool, family bgp.Family) string {
	verb := " holds no "
	if len(pools) > 1 {
		verb = " hold no "
	}
	return poolsText(pools) + verb + family.String() + " addresses: add some to a pool that is for this Service"
}

func noneAllowedText(pools []*pool, family bgp.Family, kind advertise.Kind) string {
	return fmt.Sprintf("no %s holds an %s address of %s: add a block", blocksOf(kind), family, poolsText(pools))
}

func exhaustedText(pools []*pool, family bgp.Family) string {
	return fmt.Sprintf("no %s address of %s is free: add addresses, or delete Services that have some", family, poolsText(pools))
}

func noPoolText(a netip.Addr) string {
	return fmt.Sprintf("no ExternalIPPool holds %s, which the Service asks for: add it to one, or ask for another", a)
}

func otherPoolText(s *service, a netip.Addr, owner *pool) string {
	return fmt.Sprintf("the Service asks for %s, which is in the ExternalIPPool %s, and for addresses of the ExternalIPPool %s: ask for one of the two",
		a, owner.Name, quote(s.Request.Pool))
}

func unfitAddressText(s *service, a netip.Addr, owner *pool, why unfit) string {
	return fmt.Sprintf("the Service asks for %s, which is in the ExternalIPPool %s, and that %s", a, owner.Name, why.why(owner, s))
}

func outsideText(a netip.Addr, kind advertise.Kind) string {
	return fmt.Sprintf("no %s holds %s, which the Service asks for: add a block, or ask for another address", blocksOf(kind), a)
}

func keptOutsideText(a netip.Addr, kind advertise.Kind) string {
	return fmt.Sprintf("no %s holds %s, so it is not advertised: add a block, or ask for another address", blocksOf(kind), a)
}

func inUseText(s *service, a netip.Addr, o obstacle) string {
	holder := "the Service " + o.service.Key.String()
	if o.service == s {
		holder = "this Service itself"
	}
	return fmt.Sprintf("%s, which the Service asks for, is in use by %s: %s", a, holder, o.why)
}

func restingText(a netip.Addr) string {
	return fmt.Sprintf("%s, which the Service asks for, was released a moment ago: it is assigned once its old routes are gone", a)
}

func conflictText(a netip.Addr, rival obstacle) string {
	return fmt.Sprintf("%s is also in use by the Service %s, which keeps it: %s", a, rival.service.Key, rival.why)
}

// requestText says what a Service asks for that an address of a family is not.
func requestText(s *service, family bgp.Family) string {
	if a := s.named(family); a.IsValid() {
		return fmt.Sprintf("the Service asks for %s", a)
	}
	if s.Request.Pool != "" {
		return "the Service asks for the ExternalIPPool " + quote(s.Request.Pool)
	}
	return fmt.Sprintf("the Service has another %s address from Herald", family)
}

// invalid says why a Service's request can't be followed; "" where it can.
func (s *service) invalid() string {
	if s.Request.Problem != "" {
		return s.Request.Problem
	}
	for _, a := range s.Request.Addresses {
		if family := bgp.FamilyOf(a); !slices.Contains(s.Families, family) {
			return fmt.Sprintf("the Service asks for %s, but is not of the family %s: ask for addresses of its spec.ipFamilies only, or add the family there", a, family)
		}
	}
	return ""
}
