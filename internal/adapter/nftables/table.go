package nftables

import (
	"fmt"
	"maps"
	"net/netip"
	"sync"

	"github.com/google/nftables"

	"github.com/herald-network/herald/internal/core/loopguard"
)

// Table is Herald's nftables table in the network namespace of the process. Its methods may be called from any goroutine.
type Table struct {
	mu sync.Mutex
	// blocks are those of the ranges in the kernel, by their first address, once it is known what is there.
	blocks map[netip.Addr]netip.Prefix
	// counted are packets of rules that have been replaced since.
	counted map[netip.Prefix]uint64
}

// New returns the table; nothing happens to what is in the kernel before Apply.
func New() *Table {
	return &Table{blocks: map[netip.Addr]netip.Prefix{}, counted: map[netip.Prefix]uint64{}}
}

// Apply makes the kernel's rules those that guard against loops between the uplinks, interfaces by name, and removes them
// where there is nothing to guard against. It reports whether it had to change anything; what is right stays untouched.
func (t *Table) Apply(guard loopguard.Guard, uplinks []string) (changed bool, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return false, fmt.Errorf("open a netlink socket to nf_tables: %w", err)
	}
	defer func() { _ = conn.CloseLasting() }()
	present, err := isPresent(conn)
	if err != nil {
		return false, err
	}
	if guard.IsNone() {
		return present, t.remove(conn, present)
	}
	want := rulesetOf(guard, uplinks)
	if present {
		// What can't be read is not what it should be: it is replaced.
		if have, err := read(conn); err == nil && have == want.text() {
			t.blocks = want.blocks()
			return false, nil
		}
	}
	keep := t.count(conn)
	if err := want.replace(conn); err != nil {
		return false, fmt.Errorf("write the nftables table inet %s: %w", tableName, err)
	}
	keep()
	t.blocks = want.blocks()
	return true, nil
}

func (t *Table) remove(conn *nftables.Conn, present bool) error {
	if !present {
		return nil
	}
	keep := t.count(conn)
	conn.AddTable(table()) // Else it would be an error, had somebody else removed it just now.
	conn.DelTable(table())
	if err := conn.Flush(); err != nil {
		return fmt.Errorf("delete the nftables table inet %s: %w", tableName, err)
	}
	keep()
	t.blocks = map[netip.Addr]netip.Prefix{}
	return nil
}

// Packets returns how many packets were dropped or rejected for each block, since the rules were first put in place after
// the node booted, or since this process started where they have been changed since.
func (t *Table) Packets() (map[netip.Prefix]uint64, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	packets := make(map[netip.Prefix]uint64, len(t.counted)+len(t.blocks))
	maps.Copy(packets, t.counted)
	if len(t.blocks) == 0 {
		return packets, nil
	}
	for _, block := range t.blocks {
		packets[block] += 0
	}
	conn, err := nftables.New(nftables.AsLasting())
	if err != nil {
		return nil, fmt.Errorf("open a netlink socket to nf_tables: %w", err)
	}
	defer func() { _ = conn.CloseLasting() }()
	err = t.eachCounter(conn, func(block netip.Prefix, n uint64) { packets[block] += n })
	return packets, err
}

// count reads what the kernel has counted, before that is replaced, and returns what keeps it once it was. What can't be read is
// lost: it is only statistics.
func (t *Table) count(conn *nftables.Conn) (keep func()) {
	counted := map[netip.Prefix]uint64{}
	_ = t.eachCounter(conn, func(block netip.Prefix, n uint64) { counted[block] += n })
	return func() {
		for block, n := range counted {
			t.counted[block] += n
		}
	}
}

func (t *Table) eachCounter(conn *nftables.Conn, take func(block netip.Prefix, packets uint64)) error {
	if len(t.blocks) == 0 {
		return nil
	}
	for _, name := range []string{blocksIPv4, blocksIPv6} {
		elements, err := conn.GetSetElements(&nftables.Set{Table: table(), Name: name})
		if err != nil {
			return fmt.Errorf("read the counters of nftables set inet %s %s: %w", tableName, name, err)
		}
		for _, e := range elements {
			first, ok := netip.AddrFromSlice(e.Key)
			if block, known := t.blocks[first]; ok && known && e.Counter != nil && !e.IntervalEnd {
				take(block, e.Counter.Packets)
			}
		}
	}
	return nil
}

// isPresent reports whether there is a table of the name.
func isPresent(conn *nftables.Conn) (bool, error) {
	tables, err := conn.ListTablesOfFamily(nftables.TableFamilyINet)
	if err != nil {
		return false, fmt.Errorf("list nftables tables (which takes the capability NET_ADMIN and a kernel with nf_tables): %w", err)
	}
	for _, t := range tables {
		if t.Name == tableName {
			return true, nil
		}
	}
	return false, nil
}
