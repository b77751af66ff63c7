package agent

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/password"
)

// firstAnswer bounds how long an agent that starts waits to hear of its peers' Secrets, so that sessions whose passwords are
// there open with the others, and are not said to lack them for a blink.
const firstAnswer = time.Second

// Secrets follows the Secrets that peers' passwords are in; what it finds comes as events.
type Secrets interface {
	// Follow makes keys the only ones that are followed, and returns at once. Each has an occasion: a key that can't be read
	// is tried ever more rarely, but at once where that changes.
	Follow(keys map[v1alpha1.SecretKeyRef]string)
}

// followSecrets has those Secrets followed that the node's peers need now, forgets what the others hold, and remembers what
// peers are opened with.
func (a *Agent) followSecrets() {
	a.objects.passwords.Opened = a.intent.Opened
	keys := make(map[v1alpha1.SecretKeyRef]string, len(a.intent.SecretKeys))
	for _, key := range a.intent.SecretKeys {
		keys[key] = a.objects.occasion(key)
	}
	maps.DeleteFunc(a.objects.passwords.Found, func(key v1alpha1.SecretKeyRef, _ password.Found) bool {
		_, needed := keys[key]
		return !needed
	})
	a.Secrets.Follow(keys)
}

// occasion is a text that changes when a key may have become readable: when a peer that names it changes, or when the manager,
// which lets agents read a Secret once it is there, says something else about such a peer.
func (o *objects) occasion(key v1alpha1.SecretKeyRef) string {
	var said []string
	for _, p := range o.peers {
		if p.Spec.Password == nil || p.Spec.Password.SecretKeyRef != key {
			continue
		}
		about := fmt.Sprintf("%s/%d", p.UID, p.Generation)
		if accepted := meta.FindStatusCondition(p.Status.Conditions, string(v1alpha1.ConditionAccepted)); accepted != nil {
			about += " " + accepted.Reason + " " + accepted.Message
		}
		said = append(said, about)
	}
	slices.Sort(said)
	return strings.Join(said, "\n")
}

// awaitsSecrets reports whether the agent still waits, before it says anything at all, for word of a Secret.
func (a *Agent) awaitsSecrets() bool {
	if a.hasSpoken || !slices.ContainsFunc(a.intent.SecretKeys, func(key v1alpha1.SecretKeyRef) bool {
		_, answered := a.objects.passwords.Found[key]
		return !answered
	}) {
		return false
	}
	if a.secretsBy.IsZero() {
		a.secretsBy = time.Now().Add(firstAnswer)
	}
	left := time.Until(a.secretsBy)
	if left <= 0 {
		return false
	}
	a.retry.Reset(left)
	return true
}
