package crosscheck

import (
	"cmp"
	"encoding/binary"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/cluster"
	"github.com/herald-network/herald/internal/core/intent"
)

// roll says which objects select which nodes. Nodes and objects are named by their place in the state.
type roll struct {
	// byPeer and byOverlay are the nodes that each object selects, in order; nil for an object whose selector can't be read.
	byPeer, byOverlay [][]int
	// classes of the nodes, in the order of their first nodes, and the class of each node.
	classes []*class
	classOf []*class
}

// class is all nodes that mean the same to every object: the same objects select them, and they have addresses of the same
// families. What is said of one of them is said of all, but for router IDs.
type class struct {
	nodes []int
	// peers and overlays that select the nodes, in order.
	peers, overlays []int
	// overlay is the one of them that holds; noOverlay where there is none.
	overlay  int
	problems []intent.Problem
	// solved says that the problems are known.
	solved bool
}

// rolled returns the roll, which is called up once.
func (c *Check) rolled() *roll {
	if c.roll == nil {
		c.roll = c.callRoll()
	}
	return c.roll
}

func (c *Check) callRoll() *roll {
	r := &roll{
		byPeer:    make([][]int, len(c.state.Peers)),
		byOverlay: make([][]int, len(c.state.Configurations)),
		classOf:   make([]*class, len(c.state.Nodes)),
	}
	index := labelIndex{nodes: c.state.Nodes, byKey: map[string]map[string][]int{}}
	peers, overlays := make([][]int, len(c.state.Nodes)), make([][]int, len(c.state.Nodes))
	for i := range c.state.Peers {
		selector := c.state.Peers[i].Spec.NodeSelector
		if selector == nil {
			selector = &metav1.LabelSelector{} // A peer without one selects every node.
		}
		r.byPeer[i] = index.selected(selector)
		for _, node := range r.byPeer[i] {
			peers[node] = append(peers[node], i)
		}
	}
	for i := range c.state.Configurations {
		if c.state.Configurations[i].Name == v1alpha1.DefaultConfigurationName {
			continue
		}
		r.byOverlay[i] = index.selected(c.state.Configurations[i].Spec.NodeSelector)
		for _, node := range r.byOverlay[i] {
			overlays[node] = append(overlays[node], i)
		}
	}
	c.classify(r, peers, overlays)
	return r
}

// classify puts each node into its class.
func (c *Check) classify(r *roll, peers, overlays [][]int) {
	known := map[string]*class{}
	var key []byte
	for i := range c.state.Nodes {
		key = appendKey(key[:0], &c.state.Nodes[i], peers[i], overlays[i])
		of := known[string(key)]
		if of == nil {
			of = &class{peers: peers[i], overlays: overlays[i], overlay: c.holding(overlays[i])}
			known[string(key)] = of
			r.classes = append(r.classes, of)
		}
		of.nodes = append(of.nodes, i)
		r.classOf[i] = of
	}
}

// appendKey appends what nodes of one class have in common: all that an intent's problems depend on.
func appendKey(key []byte, node *intent.Node, peers, overlays []int) []byte {
	var families bgp.Families
	for _, ip := range node.InternalIPs {
		families |= bgp.FamiliesOf(bgp.FamilyOf(ip))
	}
	inService := byte(1)
	if node.IsOutOfService() {
		inService = 0
	}
	key = append(key, byte(families), inService)
	key = binary.AppendUvarint(key, uint64(len(peers)))
	for _, list := range [...][]int{peers, overlays} {
		for _, i := range list {
			key = binary.AppendUvarint(key, uint64(i))
		}
	}
	return key
}

// holding returns the oldest of some overlays, by name where they are as old.
func (c *Check) holding(overlays []int) int {
	if len(overlays) == 0 {
		return noOverlay
	}
	return slices.MinFunc(overlays, func(a, b int) int {
		older, other := &c.state.Configurations[a], &c.state.Configurations[b]
		return cmp.Or(older.CreationTimestamp.Compare(other.CreationTimestamp.Time), strings.Compare(older.Name, other.Name))
	})
}

// problemsOf returns the problems on the nodes of a class, which its first node stands for. What an object has by itself
// is not among them unless it selects the nodes.
func (c *Check) problemsOf(of *class) []intent.Problem {
	if of.solved {
		return of.problems
	}
	var state cluster.State
	for _, i := range of.peers {
		state.Peers = append(state.Peers, c.state.Peers[i])
	}
	for _, i := range of.overlays {
		state.Configurations = append(state.Configurations, c.state.Configurations[i])
	}
	if i, found := c.place(v1alpha1.DefaultConfigurationName); found {
		state.Configurations = append(state.Configurations, c.state.Configurations[i])
	}
	of.problems, of.solved = state.Intent(c.state.Nodes[of.nodes[0]]).Problems, true
	return of.problems
}

// classesOf returns the classes of some nodes, each once, in the order of the nodes.
func (r *roll) classesOf(nodes []int) []*class {
	var classes []*class
	seen := map[*class]bool{}
	for _, node := range nodes {
		if of := r.classOf[node]; !seen[of] {
			seen[of] = true
			classes = append(classes, of)
		}
	}
	return classes
}

// names returns the names of some nodes, in order.
func (c *Check) names(nodes []int) []string {
	slices.Sort(nodes)
	names := make([]string, len(nodes))
	for i, node := range nodes {
		names[i] = c.state.Nodes[node].Name
	}
	return names
}

// labelIndex finds nodes by their labels, without asking each node for each selector.
type labelIndex struct {
	nodes []intent.Node
	// byKey are the nodes by a label's key and value, for the keys that were asked for.
	byKey map[string]map[string][]int
}

// selected returns the nodes that a selector selects, in order; nil where it can't be read.
func (x labelIndex) selected(selector *metav1.LabelSelector) []int {
	parsed, err := metav1.LabelSelectorAsSelector(selector)
	if err != nil {
		return nil
	}
	selected := []int{}
	for _, i := range x.candidates(selector) {
		if parsed.Matches(labels.Set(x.nodes[i].Labels)) {
			selected = append(selected, i)
		}
	}
	return selected
}

// candidates returns nodes, in order, among which are all that the selector selects.
func (x labelIndex) candidates(selector *metav1.LabelSelector) []int {
	candidates := -1
	var fewest []int
	consider := func(key, value string) {
		if found := x.with(key, value); candidates < 0 || len(found) < candidates {
			candidates, fewest = len(found), found
		}
	}
	if selector != nil {
		for key, value := range selector.MatchLabels {
			consider(key, value)
		}
		for _, e := range selector.MatchExpressions {
			if e.Operator == metav1.LabelSelectorOpIn && len(e.Values) == 1 {
				consider(e.Key, e.Values[0])
			}
		}
	}
	if candidates >= 0 {
		return fewest
	}
	all := make([]int, len(x.nodes))
	for i := range all {
		all[i] = i
	}
	return all
}

// with returns the nodes that have a label of this value, in order.
func (x labelIndex) with(key, value string) []int {
	byValue := x.byKey[key]
	if byValue == nil {
		byValue = map[string][]int{}
		for i := range x.nodes {
			if has, labelled := x.nodes[i].Labels[key]; labelled {
				byValue[has] = append(byValue[has], i)
			}
		}
		x.byKey[key] = byValue
	}
	return byValue[value]
}
