package probe

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// receiveBuffer holds the events of a burst of some ten thousand routes; the kernel drops what does not fit.
const receiveBuffer = 16 << 20

// WatchRoutes writes the routes of the kernel's main table that a routing daemon put there, and then every change, as
// the kernel reports it: nothing that comes and goes can be missed between two looks.
func WatchRoutes(ctx context.Context, out io.Writer) error {
	failed := make(chan error, 1)
	updates := make(chan netlink.RouteUpdate, 1024)
	err := netlink.RouteSubscribeWithOptions(updates, ctx.Done(), netlink.RouteSubscribeOptions{
		ReceiveBufferSize:      receiveBuffer,
		ReceiveBufferForceSize: true,
		ErrorCallback: func(err error) {
			select {
			case failed <- err:
			default:
			}
		},
	})
	if err != nil {
		return fmt.Errorf("subscribe to routes: %w", err)
	}
	present, err := netlink.RouteListFiltered(netlink.FAMILY_ALL, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE)
	if err != nil {
		return fmt.Errorf("list routes: %w", err)
	}
	for _, route := range present {
		if err := report(out, Present, route); err != nil {
			return err
		}
	}
	if err := write(out, Route{Time: time.Now(), Event: Watching}); err != nil {
		return err
	}
	for update := range updates {
		event := Set
		if update.Type == unix.RTM_DELROUTE {
			event = Deleted
		}
		if err := report(out, event, update.Route); err != nil {
			return err
		}
	}
	select {
	case err := <-failed:
		if ctx.Err() == nil {
			return fmt.Errorf("watch routes: %w", err)
		}
	default:
	}
	return nil
}

func report(out io.Writer, event RouteEvent, route netlink.Route) error {
	if route.Table != unix.RT_TABLE_MAIN || !fromDaemon(route) || route.Dst == nil {
		return nil
	}
	prefix, err := netip.ParsePrefix(route.Dst.String())
	if err != nil {
		return fmt.Errorf("destination of a route: %w", err)
	}
	return write(out, Route{Time: time.Now(), Event: event, Prefix: prefix, NextHops: nextHops(route)})
}

// fromDaemon reports whether BIRD or FRR owns the route.
func fromDaemon(route netlink.Route) bool {
	return slices.Contains([]netlink.RouteProtocol{unix.RTPROT_BIRD, unix.RTPROT_ZEBRA, unix.RTPROT_BGP}, route.Protocol)
}

func nextHops(route netlink.Route) []netip.Addr {
	hops := route.MultiPath
	if len(hops) == 0 {
		hops = []*netlink.NexthopInfo{{Gw: route.Gw, Via: route.Via}}
	}
	var addrs []netip.Addr
	for _, hop := range hops {
		gateway := hop.Gw
		if via, ok := hop.Via.(*netlink.Via); ok {
			gateway = via.Addr
		}
		if addr, ok := netip.AddrFromSlice(gateway); ok {
			addrs = append(addrs, addr.Unmap())
		}
	}
	slices.SortFunc(addrs, netip.Addr.Compare)
	return addrs
}
