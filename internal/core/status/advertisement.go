package status

import (
	"cmp"
	"net/netip"
	"slices"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/advertise"
)

// maxAdvertisements is how many advertisements the API lets a BGPConfiguration list.
const maxAdvertisements = 100

// advertisementsOf returns what the nodes advertise, in the order of advertise.ComparePrefixes, with the number of nodes. A
// node whose own list was cut is left out, since what it lacks may be advertised all the same. It also returns whether the
// list was cut, or lacks such a node's part.
func advertisementsOf(nodes []*Node) (advertisements []v1alpha1.Advertisement, truncated bool) {
	var first firstAdvertisements
	for _, node := range nodes {
		if node.Report.Truncated {
			truncated = true
			continue
		}
		first.add(node.Report.Advertisements)
	}
	for _, a := range first.entries {
		advertisements = append(advertisements, a.Advertisement)
	}
	return advertisements, truncated || first.cut
}

// firstAdvertisements keeps the first of all advertisements. One that fell out never comes back, for those before it stay.
type firstAdvertisements struct {
	entries []parsedAdvertisement
	// cut says that some fell out.
	cut bool
}

type parsedAdvertisement struct {
	prefix netip.Prefix
	v1alpha1.Advertisement
}

// add counts what one node advertises. Nodes mostly list the same in the same order, so an entry is looked for beside the
// last one before it is read and searched for.
func (f *firstAdvertisements) add(list []v1alpha1.NodeAdvertisement) {
	next := 0
	for i := range list {
		a := &list[i]
		if next < len(f.entries) && f.entries[next].Prefix == a.Prefix && f.entries[next].Kind == a.Kind {
			f.entries[next].Nodes++
			next++
			continue
		}
		prefix, err := netip.ParsePrefix(a.Prefix)
		if err != nil {
			continue // Nobody can tell what it means.
		}
		next = f.count(parsedAdvertisement{prefix, v1alpha1.Advertisement{Prefix: a.Prefix, Kind: a.Kind, Nodes: 1}}) + 1
	}
}

// count counts one advertisement, and returns its place, or where it would be.
func (f *firstAdvertisements) count(a parsedAdvertisement) int {
	place, known := slices.BinarySearchFunc(f.entries, a, compareAdvertisements)
	switch {
	case known:
		f.entries[place].Nodes++
		return place
	case place == maxAdvertisements:
		f.cut = true
		return place
	case len(f.entries) == maxAdvertisements:
		f.cut = true
		f.entries = f.entries[:maxAdvertisements-1]
	}
	f.entries = slices.Insert(f.entries, place, a)
	return place
}

func compareAdvertisements(a, b parsedAdvertisement) int {
	return cmp.Or(advertise.ComparePrefixes(a.prefix, b.prefix), cmp.Compare(a.Kind, b.Kind))
}
