package intent

import (
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/password"
)

// Passwords are what an agent knows of the passwords of its peers.
type Passwords struct {
	// Namespace is the name of Herald's own, where the Secrets are; "" where it is not known.
	Namespace string
	// Found is what was found of each key of a Secret that an answer came about.
	Found map[v1alpha1.SecretKeyRef]password.Found
	// Opened is that of the intent before: a peer that runs keeps its password while its Secret is missing.
	Opened map[string]Opened
}

// keyring gives peers their passwords.
type keyring struct {
	Passwords
	// assumed says that every password is taken to be there.
	assumed bool
}

// Opened is the password with which a peer runs.
type Opened struct {
	UID      types.UID
	Password bgp.Password
}

// open gives a peer its password where it names one, and reports whether the peer can run: never without its password.
func (k keyring) open(intent *Intent, found *problems, p *v1alpha1.BGPPeer, peer *bgp.Peer) bool {
	if p.Spec.Password == nil {
		return true
	}
	key := p.Spec.Password.SecretKeyRef
	intent.SecretKeys = append(intent.SecretKeys, key)
	secret := k.of(p, key, found)
	if !secret.IsSet() {
		return false
	}
	peer.Password = secret
	if intent.Opened == nil {
		intent.Opened = map[string]Opened{}
	}
	intent.Opened[p.Name] = Opened{UID: p.UID, Password: secret}
	return true
}

// of returns the password of a peer, none where it has none now and had none before; and reports what is wrong with it.
func (k keyring) of(p *v1alpha1.BGPPeer, key v1alpha1.SecretKeyRef, problems *problems) bgp.Password {
	if k.assumed {
		return bgp.PasswordOf(key.Name + "/" + key.Key) // Another key is another password, as far as can be told.
	}
	found, answered := k.Found[key]
	if found.Password.IsSet() {
		return found.Password
	}
	object, at := objectOf(KindBGPPeer, p.ObjectMeta), field.NewPath("spec", "password", "secretKeyRef")
	if answered {
		fault := found.Fault(at, key, k.Namespace)
		problems.report(Problem{
			Object: object, Field: fault.Field, Message: fault.Detail,
			Condition: v1alpha1.ConditionAccepted, Reason: v1alpha1.ReasonSecretNotFound,
		})
	}
	// A peer that runs goes on with the password that it has, also where it now names another Secret.
	if before, runs := k.Opened[p.Name]; runs && before.UID == p.UID {
		return before.Password
	}
	if !answered {
		problems.report(Problem{
			Object: object, Field: at.Child("name").String(),
			Message:   fmt.Sprintf("the Secret %q has not been read yet, and the session is opened once it has been", key.Name),
			Condition: v1alpha1.ConditionEstablished, Reason: v1alpha1.ReasonPending,
		})
	}
	return bgp.Password{}
}
