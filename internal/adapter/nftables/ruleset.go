package nftables

import (
	"net/netip"
	"slices"

	"github.com/google/nftables"
	"github.com/google/nftables/binaryutil"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/loopguard"
)

// Names in the kernel.
const (
	tableName  = "herald"
	chainName  = "forward"
	uplinksSet = "uplinks"
	blocksIPv4 = "blocks-ipv4"
	blocksIPv6 = "blocks-ipv6"
)

// priority of the chain: after the filter chains of kube-proxy, in all of its modes.
const priority = 10

// statusDNAT is the bit of a connection whose destination is translated (IPS_DST_NAT).
const statusDNAT = 1 << 5

func table() *nftables.Table {
	return &nftables.Table{Name: tableName, Family: nftables.TableFamilyINet}
}

// ruleset is all that the table shall hold.
type ruleset struct {
	mode    loopguard.Mode
	ranges  []loopguard.Range
	uplinks []string
}

func rulesetOf(guard loopguard.Guard, uplinks []string) ruleset {
	sorted := slices.Clone(uplinks)
	slices.Sort(sorted)
	return ruleset{mode: guard.Mode, ranges: guard.Ranges(), uplinks: slices.Compact(sorted)}
}

// blocks returns the blocks by the first addresses of their ranges.
func (r ruleset) blocks() map[netip.Addr]netip.Prefix {
	blocks := make(map[netip.Addr]netip.Prefix, len(r.ranges))
	for _, each := range r.ranges {
		blocks[each.First] = each.Block
	}
	return blocks
}

// replace makes the table anew in one transaction: packets meet the old rules or the new ones.
func (r ruleset) replace(conn *nftables.Conn) error {
	conn.AddTable(table())
	conn.DelTable(table())
	conn.AddTable(table())
	for _, s := range r.sets() {
		if err := conn.AddSet(s.set, s.elements); err != nil {
			return err
		}
	}
	chain := conn.AddChain(r.chain())
	for _, exprs := range r.rules() {
		conn.AddRule(&nftables.Rule{Table: table(), Chain: chain, Exprs: exprs})
	}
	return conn.Flush()
}

type setWithElements struct {
	set      *nftables.Set
	elements []nftables.SetElement
}

func (r ruleset) sets() []setWithElements {
	uplinks := setWithElements{set: &nftables.Set{
		Table: table(), Name: uplinksSet, KeyType: nftables.TypeIFName, KeyByteOrder: binaryutil.NativeEndian,
	}}
	for _, name := range r.uplinks {
		uplinks.elements = append(uplinks.elements, nftables.SetElement{Key: interfaceKey(name)})
	}
	return []setWithElements{
		uplinks,
		{set: blocksOf(blocksIPv4, nftables.TypeIPAddr), elements: r.elements(bgp.IPv4)},
		{set: blocksOf(blocksIPv6, nftables.TypeIP6Addr), elements: r.elements(bgp.IPv6)},
	}
}

func blocksOf(name string, key nftables.SetDatatype) *nftables.Set {
	return &nftables.Set{
		Table: table(), Name: name, KeyType: key, Interval: true, Counter: true, KeyByteOrder: binaryutil.BigEndian,
	}
}

// interfaceKey is an interface's name as the kernel compares it.
func interfaceKey(name string) []byte {
	key := make([]byte, unix.IFNAMSIZ)
	copy(key, name)
	return key
}

// elements returns the ranges of a family as the kernel wants them: where each begins, and what comes after it.
func (r ruleset) elements(family bgp.Family) []nftables.SetElement {
	var elements []nftables.SetElement
	for _, each := range r.ranges {
		if bgp.FamilyOf(each.First) != family {
			continue
		}
		elements = append(elements, nftables.SetElement{Key: each.First.AsSlice(), Counter: &expr.Counter{}})
		if after := each.Last.Next(); after.IsValid() { // Else it reaches to the end of all addresses.
			elements = append(elements, nftables.SetElement{Key: after.AsSlice(), IntervalEnd: true})
		}
	}
	return elements
}

func (r ruleset) chain() *nftables.Chain {
	policy := nftables.ChainPolicyAccept
	return &nftables.Chain{
		Table: table(), Name: chainName, Type: nftables.ChainTypeFilter,
		Hooknum: nftables.ChainHookForward, Priority: nftables.ChainPriorityRef(priority), Policy: &policy,
	}
}

// register is where an expression leaves what the next one looks at.
const register = 1

func (r ruleset) rules() [][]expr.Any {
	accept := &expr.Verdict{Kind: expr.VerdictAccept}
	verdict := expr.Any(&expr.Verdict{Kind: expr.VerdictDrop})
	if r.mode == loopguard.Reject {
		verdict = &expr.Reject{Type: unix.NFT_REJECT_ICMPX_UNREACH, Code: unix.NFT_REJECT_ICMPX_PORT_UNREACH}
	}
	return [][]expr.Any{
		{
			&expr.Meta{Key: expr.MetaKeyIIFNAME, Register: register},
			&expr.Lookup{SourceRegister: register, SetName: uplinksSet, Invert: true},
			accept,
		},
		{
			&expr.Meta{Key: expr.MetaKeyOIFNAME, Register: register},
			&expr.Lookup{SourceRegister: register, SetName: uplinksSet, Invert: true},
			accept,
		},
		{
			&expr.Ct{Key: expr.CtKeySTATUS, Register: register},
			&expr.Bitwise{
				SourceRegister: register, DestRegister: register, Len: 4,
				Mask: binaryutil.NativeEndian.PutUint32(statusDNAT), Xor: binaryutil.NativeEndian.PutUint32(0),
			},
			&expr.Cmp{Op: expr.CmpOpNeq, Register: register, Data: binaryutil.NativeEndian.PutUint32(0)},
			accept,
		},
		// Where an IPv4 packet has its destination, and an IPv6 one.
		{isFamily(unix.NFPROTO_IPV4)[0], isFamily(unix.NFPROTO_IPV4)[1], destination(16, 4), in(blocksIPv4), verdict},
		{isFamily(unix.NFPROTO_IPV6)[0], isFamily(unix.NFPROTO_IPV6)[1], destination(24, 16), in(blocksIPv6), verdict},
	}
}

func isFamily(protocol byte) [2]expr.Any {
	return [2]expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: register},
		&expr.Cmp{Op: expr.CmpOpEq, Register: register, Data: []byte{protocol}},
	}
}

func destination(offset, length uint32) expr.Any {
	return &expr.Payload{DestRegister: register, Base: expr.PayloadBaseNetworkHeader, Offset: offset, Len: length}
}

func in(set string) expr.Any { return &expr.Lookup{SourceRegister: register, SetName: set} }
