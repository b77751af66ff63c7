package advertise

import "github.com/herald-network/herald/internal/core/bgp"

// Conditions of an endpoint, with the fields of Kubernetes' own type: an absent ready counts as true, an absent serving
// as ready, an absent terminating as false.
type Conditions struct{ Ready, Serving, Terminating *bool }

func (c Conditions) isReady() bool { return c.Ready == nil || *c.Ready }

// isDraining reports whether the endpoint still serves although it is on its way out.
func (c Conditions) isDraining() bool {
	serving := c.isReady()
	if c.Serving != nil {
		serving = *c.Serving
	}
	return serving && c.Terminating != nil && *c.Terminating
}

// Endpoints counts the endpoints of one family, of a slice or of a whole Service. Endpoints that can't serve are not
// counted at all, so that 100,000 endpoints take no more room than one.
type Endpoints struct {
	// Ready counts the endpoints that are ready, ReadyHere those of them that are on this node.
	Ready, ReadyHere uint32
	// Draining counts the endpoints that are not ready but still serving while they terminate, DrainingHere those of
	// them that are on this node.
	Draining, DrainingHere uint32
}

// Add counts one endpoint; here says that it is on this node.
func (e *Endpoints) Add(c Conditions, here bool) {
	switch {
	case c.isReady() && here:
		e.plus(Endpoints{Ready: 1, ReadyHere: 1})
	case c.isReady():
		e.plus(Endpoints{Ready: 1})
	case c.isDraining() && here:
		e.plus(Endpoints{Draining: 1, DrainingHere: 1})
	case c.isDraining():
		e.plus(Endpoints{Draining: 1})
	}
}

func (e *Endpoints) plus(other Endpoints) {
	e.Ready += other.Ready
	e.ReadyHere += other.ReadyHere
	e.Draining += other.Draining
	e.DrainingHere += other.DrainingHere
}

func (e *Endpoints) minus(other Endpoints) {
	e.Ready -= other.Ready
	e.ReadyHere -= other.ReadyHere
	e.Draining -= other.Draining
	e.DrainingHere -= other.DrainingHere
}

// usableAnywhere reports whether any node has a usable endpoint: a ready one, or where there is none in the whole
// cluster, a draining one, since that is what kube-proxy falls back to.
func (e Endpoints) usableAnywhere() bool { return e.Ready > 0 || e.Draining > 0 }

// usableHere reports whether this node has a usable endpoint. Where kube-proxy falls back to draining endpoints node by
// node, this falls back for the cluster: a node whose endpoints all drain gives up the route while another has a ready
// one, and kube-proxy meanwhile still serves what is under way.
func (e Endpoints) usableHere() bool { return e.ReadyHere > 0 || e.Ready == 0 && e.DrainingHere > 0 }

// EndpointsByFamily counts a Service's endpoints. The families are decided apart, as kube-proxy does: an IPv4 endpoint
// neither advertises an IPv6 address nor keeps its draining IPv6 endpoints from being used.
type EndpointsByFamily struct{ IPv4, IPv6 Endpoints }

// Of returns the count of one family for reading or changing; nil where the family is none.
func (e *EndpointsByFamily) Of(f bgp.Family) *Endpoints {
	switch f {
	case bgp.IPv4:
		return &e.IPv4
	case bgp.IPv6:
		return &e.IPv6
	default:
		return nil
	}
}

// SliceKey identifies an EndpointSlice.
type SliceKey struct{ Namespace, Name string }

// Slice is what of an EndpointSlice bears on advertisement.
type Slice struct {
	// Service is the value of the slice's label kubernetes.io/service-name: a Service in the slice's own namespace; ""
	// where it belongs to none.
	Service string
	// Family of the slice's addresses; none for host names, and then the slice counts for nothing.
	Family    bgp.Family
	Endpoints Endpoints
}

func (s Slice) serviceKey(slice SliceKey) ServiceKey {
	return ServiceKey{Namespace: slice.Namespace, Name: s.Service}
}
