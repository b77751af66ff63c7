package netlink

import (
	"slices"
	"testing"

	"github.com/vishvananda/netlink"
)

// Not every kernel has VRFs, so what it would say of them is made up.
func TestALinkInAVRFIsSeenAsTheVRFToo(t *testing.T) {
	t.Parallel()
	links := map[int]netlink.Link{
		2: &netlink.Device{LinkAttrs: netlink.LinkAttrs{Name: "eth0", MasterIndex: 3}},
		3: &netlink.Bond{LinkAttrs: netlink.LinkAttrs{Name: "bond0", MasterIndex: 4}},
		4: &netlink.Vrf{LinkAttrs: netlink.LinkAttrs{Name: "blue"}},
	}
	got, err := namesOf(3, func(index int) (netlink.Link, error) { return links[index], nil })
	if want := []string{"bond0", "blue"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("names %q, error %v, want %q", got, err, want)
	}
}
