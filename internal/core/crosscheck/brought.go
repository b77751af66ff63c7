package crosscheck

import (
	"cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/intent"
)

// KindExternalIPPool is the kind of pools, beside those that an intent is made of.
const KindExternalIPPool = "ExternalIPPool"

// Object names an object that something was found about.
type Object struct{ Kind, Name string }

// Brought is what a change brings upon an object that it leaves alone.
type Brought struct {
	Object   Object
	Findings []Finding
}

// BroughtUpon returns what a change of one object brings upon the others that are in both states, by kind and name. The
// states have the same nodes. A pool brings nothing upon others that is not found about itself.
func BroughtUpon(was, will *Check, changed Object) []Brought {
	if changed.Kind == KindExternalIPPool {
		return nil
	}
	var all []Brought
	add := func(object Object, before, after []Finding) {
		if worse, _ := Worse(before, after); len(worse) > 0 && object != changed {
			all = append(all, Brought{object, worse})
		}
	}
	both(was.state.Configurations, will.state.Configurations, nameOfConfiguration, func(before, after int) {
		name := will.state.Configurations[after].Name
		add(Object{intent.KindBGPConfiguration, name}, was.configuration(before), will.configuration(after))
	})
	isBase := changed == Object{intent.KindBGPConfiguration, v1alpha1.DefaultConfigurationName}
	beside := will.besides(was.besides(map[string]bool{}, changed), changed)
	both(was.state.Peers, will.state.Peers, nameOfPeer, func(before, after int) {
		if name := will.state.Peers[after].Name; isBase || beside[name] {
			add(Object{intent.KindBGPPeer, name}, was.peer(before), will.peer(after))
		}
	})
	if isBase {
		both(was.state.Pools, will.state.Pools, nameOfPool, func(before, after int) {
			add(Object{KindExternalIPPool, will.state.Pools[after].Name}, was.pool(before), will.pool(after))
		})
	}
	return all
}

// besides adds the peers, by name, that select a node which an object selects too.
func (c *Check) besides(names map[string]bool, object Object) map[string]bool {
	var nodes []int
	if object.Kind == intent.KindBGPPeer {
		if i, found := find(c.state.Peers, object.Name, nameOfPeer); found {
			nodes = c.rolled().byPeer[i]
		}
	} else if i, found := c.place(object.Name); found {
		nodes = c.rolled().byOverlay[i]
	}
	for _, of := range c.rolled().classesOf(nodes) {
		for _, i := range of.peers {
			names[c.state.Peers[i].Name] = true
		}
	}
	return names
}

// both calls visit with the places of each object that is in both lists, which are sorted by name.
func both[T any](before, after []T, nameOf func(*T) string, visit func(before, after int)) {
	for i, j := 0, 0; i < len(before) && j < len(after); {
		switch order := cmp.Compare(nameOf(&before[i]), nameOf(&after[j])); {
		case order < 0:
			i++
		case order > 0:
			j++
		default:
			visit(i, j)
			i, j = i+1, j+1
		}
	}
}

func nameOfConfiguration(c *v1alpha1.BGPConfiguration) string { return c.Name }

func nameOfPeer(p *v1alpha1.BGPPeer) string { return p.Name }

func nameOfPool(p *v1alpha1.ExternalIPPool) string { return p.Name }
