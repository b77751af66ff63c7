package podnet_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/herald-network/herald/test/lab/kubelet/podnet"
)

func take(t *testing.T, p *podnet.Pool) []netip.Addr {
	t.Helper()
	addrs, err := p.Take()
	if err != nil {
		t.Fatal(err)
	}
	return addrs
}

func TestPodHasOneNumberInEveryFamily(t *testing.T) {
	pool := podnet.NewPool([]netip.Prefix{netip.MustParsePrefix("10.48.2.0/24"), netip.MustParsePrefix("fd00:48:0:2::/64")})
	for _, want := range [][]netip.Addr{
		{netip.MustParseAddr("10.48.2.2"), netip.MustParseAddr("fd00:48:0:2::2")},
		{netip.MustParseAddr("10.48.2.3"), netip.MustParseAddr("fd00:48:0:2::3")},
	} {
		if got := take(t, pool); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestAddressIsReusedLast(t *testing.T) {
	pool := podnet.NewPool([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/29")}) // .2 to .6
	first := take(t, pool)
	take(t, pool)
	pool.Give(first)
	for range 3 {
		if got := take(t, pool); got[0] == first[0] {
			t.Fatalf("%v was given again before others", got)
		}
	}
	if got := take(t, pool); got[0] != first[0] {
		t.Errorf("got %v, want %v, the only one that is free", got, first)
	}
	if got, err := pool.Take(); err == nil {
		t.Errorf("got %v from an empty pool", got)
	}
}

func TestPoolWithoutRangesSaysSo(t *testing.T) {
	if got, err := podnet.NewPool(nil).Take(); err == nil {
		t.Errorf("got %v", got)
	}
}
