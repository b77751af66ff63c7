// Package liveness tells which agents are alive from the signs of life that they give.
//
// What counts is when the manager saw a sign change, by the manager's own clock: the time that an agent writes into its sign
// comes from another machine's clock, which may be wrong. Leader election judges leases in the same way. So an agent that is
// seen for the first time counts as heard at that moment; but for one whose sign is older than any clock should be wrong: it
// is silent until it gives another, lest every change of leader brings dead agents to life for a while.
package liveness

import (
	"slices"
	"sync"
	"time"
)

// Timeout is after how long without a new sign of life an agent is silent. Agents give one every 10 s.
const Timeout = 40 * time.Second

// plausible is how old a sign may be that is seen for the first time: the time between two, and how far clocks may be apart.
const plausible = 2 * time.Minute

// Agents is what is known of each node's agent. Its zero value knows none. It may be used by several goroutines.
//
// An agent costs about 150 bytes, a sign of life one look into a map, and Changes a walk over all agents: 0.1 ms for 5,000.
type Agents struct {
	mu     sync.Mutex
	agents map[string]*agent
}

type agent struct {
	// sign is the latest sign of life: the time by the agent's clock.
	sign time.Time
	// seen is when the sign was first seen, by the caller's clock.
	seen time.Time
	// silent is whether the agent is silent, and told what Changes last told of it.
	silent, told bool
	// gone says that the sign was taken away.
	gone bool
}

// Heard notes the sign of life of a node's agent as it stands at a time, whether it is a new one or not.
func (a *Agents) Heard(node string, sign, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.agents[node]
	if known == nil {
		if a.agents == nil {
			a.agents = map[string]*agent{}
		}
		known = &agent{sign: sign, seen: now, told: true}
		if now.Sub(sign) > plausible {
			known.seen, known.silent = now.Add(-Timeout), true
		}
		a.agents[node] = known
		return
	}
	known.gone = false
	if !known.sign.Equal(sign) {
		known.sign, known.seen, known.silent = sign, now, false
	}
}

// Gone notes that an agent's sign of life was taken away. That is no silence yet, since the agent may be about to give
// another: it falls silent when its time is over, and is forgotten then.
func (a *Agents) Gone(node string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if known := a.agents[node]; known != nil {
		known.gone = true
	}
}

// Changes returns the nodes whose agents fell silent or came since it was last called, in order. Agents fall silent here and
// nowhere else: whoever calls it and passes the nodes on has told of every change.
func (a *Agents) Changes(now time.Time) []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	var changed []string
	for node, known := range a.agents {
		known.silent = now.Sub(known.seen) >= Timeout
		if known.silent != known.told {
			changed = append(changed, node)
			known.told = known.silent
		}
		if known.silent && known.gone {
			delete(a.agents, node)
		}
	}
	slices.Sort(changed)
	return changed
}

// Of reports whether a node's agent is silent, and the time of its last sign of life by the agent's own clock. One that was
// never heard is silent, and its time is zero.
func (a *Agents) Of(node string) (silent bool, lastHeard time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.agents[node]
	if known == nil {
		return true, time.Time{}
	}
	return known.silent, known.sign
}

// Silent returns how many of the agents that were once heard are silent.
func (a *Agents) Silent() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	count := 0
	for _, known := range a.agents {
		if known.silent {
			count++
		}
	}
	return count
}
