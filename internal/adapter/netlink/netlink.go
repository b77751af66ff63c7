// Package netlink tells which interfaces lead out of the node, to routers and to everybody else, and when that changes.
package netlink

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Uplinks is the network namespace of the process.
type Uplinks struct{ changed chan struct{} }

// New returns the uplinks; changes are told once Follow runs.
func New() *Uplinks { return &Uplinks{changed: make(chan struct{}, 1)} }

// Changed receives a nudge when routes or interfaces have changed.
func (u *Uplinks) Changed() <-chan struct{} { return u.changed }

// Find returns the names of the interfaces through which the addresses are reached, and of those of the default routes of
// both families in the main table; each once, in order. Of an interface in a VRF it returns the VRF's too, which is what
// a forwarded packet is seen to come in by. An address that is reached in no way is passed over.
func (u *Uplinks) Find(addresses []netip.Addr) ([]string, error) {
	indices := map[int]struct{}{}
	var names []string
	for _, a := range addresses {
		if a.Zone() != "" {
			names = append(names, a.Zone())
			continue
		}
		if err := addTowards(indices, a); err != nil {
			return nil, fmt.Errorf("look up the route to %s: %w", a, err)
		}
	}
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		if err := addDefaults(indices, family); err != nil {
			return nil, err
		}
	}
	for index := range indices {
		found, err := namesOf(index, netlink.LinkByIndex)
		if err != nil {
			return nil, err
		}
		names = append(names, found...)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// addTowards adds the interface through which an address is reached now, and every one through which it may be.
func addTowards(indices map[int]struct{}, a netip.Addr) error {
	for _, fibMatch := range []bool{false, true} {
		routes, err := netlink.RouteGetWithOptions(a.AsSlice(), &netlink.RouteGetOptions{FIBMatch: fibMatch})
		if err != nil && !isUnreachable(err) {
			return err
		}
		for i := range routes {
			if routes[i].Type != unix.RTN_LOCAL {
				addLinks(indices, &routes[i])
			}
		}
	}
	return nil
}

// isUnreachable reports whether an error of a lookup says that there is no route, or one that refuses.
func isUnreachable(err error) bool {
	return errors.Is(err, unix.ENETUNREACH) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.EACCES) ||
		errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EAFNOSUPPORT)
}

func addLinks(indices map[int]struct{}, r *netlink.Route) {
	if r.LinkIndex > 0 {
		indices[r.LinkIndex] = struct{}{}
	}
	for _, hop := range r.MultiPath {
		indices[hop.LinkIndex] = struct{}{}
	}
}

func addDefaults(indices map[int]struct{}, family int) error {
	err := netlink.RouteListFilteredIter(family, &netlink.Route{Table: unix.RT_TABLE_MAIN}, netlink.RT_FILTER_TABLE,
		func(r netlink.Route) (more bool) {
			if r.Type == unix.RTN_UNICAST && isDefault(r) {
				addLinks(indices, &r)
			}
			return true
		})
	if err != nil && !errors.Is(err, netlink.ErrDumpInterrupted) { // Then it changed meanwhile, and is read again soon.
		return fmt.Errorf("list routes: %w", err)
	}
	return nil
}

func isDefault(r netlink.Route) bool {
	if r.Dst == nil {
		return true
	}
	ones, _ := r.Dst.Mask.Size()
	return ones == 0
}

// namesOf returns the name of an interface and of the VRF that it is in; none where it is gone, or leads nowhere.
func namesOf(index int, linkBy func(index int) (netlink.Link, error)) ([]string, error) {
	var names []string
	for index > 0 {
		link, err := linkBy(index)
		if err != nil && !errors.As(err, new(netlink.LinkNotFoundError)) {
			return nil, fmt.Errorf("look up interface %d: %w", index, err)
		}
		if link == nil {
			break
		}
		isVRF := link.Type() == "vrf"
		isLoopback := link.Attrs().RawFlags&unix.IFF_LOOPBACK != 0
		if !isLoopback && (len(names) == 0 || isVRF) {
			names = append(names, link.Attrs().Name)
		}
		if isVRF {
			break
		}
		index = link.Attrs().MasterIndex
	}
	return names, nil
}

// Follow watches routes and interfaces until the context ends. It returns an error where it can't watch, or no longer.
func (u *Uplinks) Follow(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	broken := make(chan error, 2)
	note := func(err error) {
		select {
		case broken <- err:
		default:
		}
	}
	routes, links := make(chan netlink.RouteUpdate, 64), make(chan netlink.LinkUpdate, 64)
	if err := netlink.RouteSubscribeWithOptions(routes, ctx.Done(), netlink.RouteSubscribeOptions{ErrorCallback: note}); err != nil {
		return fmt.Errorf("watch routes: %w", err)
	}
	if err := netlink.LinkSubscribeWithOptions(links, ctx.Done(), netlink.LinkSubscribeOptions{ErrorCallback: note}); err != nil {
		return fmt.Errorf("watch interfaces: %w", err)
	}
	u.nudge() // What changed before the watch began.
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-broken:
			return ended(ctx, err)
		case _, open := <-routes:
			if !open {
				return ended(ctx, net.ErrClosed)
			}
		case _, open := <-links:
			if !open {
				return ended(ctx, net.ErrClosed)
			}
		}
		u.nudge()
	}
}

// ended returns why a watch has ended, nil where its context did first.
func ended(ctx context.Context, cause error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("watch routes and interfaces: %w", cause)
	}
	return nil
}

func (u *Uplinks) nudge() {
	select {
	case u.changed <- struct{}{}:
	default:
	}
}
