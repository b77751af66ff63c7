package password

import (
	"bytes"
	"fmt"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
)

// WebhookSecret is the Secret with the key of the manager's own webhooks: no agent may read it.
const WebhookSecret = "herald-webhook-server" //nolint:gosec // The Secret's name, not what is in it.

// The types of Secrets that may hold a password: those that say so, or say nothing. Whoever may write BGPPeers may not choose
// from all of Herald's Secrets, such as the token of a ServiceAccount.
const (
	typeOpaque    = "Opaque"
	typeBasicAuth = "kubernetes.io/basic-auth"
)

// Secret is what of a Secret bears on passwords.
type Secret struct {
	// Type of the Secret; "" is Opaque.
	Type string
	// Data are the values by key; it is only read.
	Data map[string][]byte
}

// MayHold reports whether a password may be kept in a Secret of this name and type.
func MayHold(name, secretType string) bool {
	switch secretType {
	case "", typeOpaque, typeBasicAuth:
		return name != WebhookSecret
	default:
		return false
	}
}

// Verdict is what came of looking for a password.
type Verdict uint8

// The verdicts.
const (
	// Sound: there is a password.
	Sound Verdict = iota
	// EndsInLineBreak: there is one, but its last byte is a line break, which is hardly meant.
	EndsInLineBreak
	// Unreadable: the API server does not let the reader see the Secret, whether there is one or not.
	Unreadable
	// NoSecret, WrongType, NoKey, Empty, TooLong: there is none.
	NoSecret
	WrongType
	NoKey
	Empty
	TooLong
)

// Found is what was found under a key of a Secret. The zero Found has neither password nor fault.
type Found struct {
	Verdict Verdict
	// Password is what a session is to have; none unless the verdict is Sound or EndsInLineBreak.
	Password bgp.Password
	// Type is that of the Secret, where the verdict is WrongType.
	Type string
}

// In returns what a Secret holds under a key; the Secret is nil where it does not exist. A password is taken byte for byte.
func In(secret *Secret, ref v1alpha1.SecretKeyRef) Found {
	if secret == nil {
		return Found{Verdict: NoSecret}
	}
	switch {
	case ref.Name == WebhookSecret:
		return Found{Verdict: Unreadable}
	case !MayHold(ref.Name, secret.Type):
		return Found{Verdict: WrongType, Type: secret.Type}
	}
	value, found := secret.Data[ref.Key]
	switch {
	case !found:
		return Found{Verdict: NoKey}
	case len(value) == 0:
		return Found{Verdict: Empty}
	case len(value) > bgp.MaxPasswordLength:
		return Found{Verdict: TooLong}
	}
	password := bgp.PasswordOf(string(value))
	if bytes.HasSuffix(value, []byte("\n")) || bytes.HasSuffix(value, []byte("\r")) {
		return Found{Verdict: EndsInLineBreak, Password: password}
	}
	return Found{Verdict: Sound, Password: password}
}

// StandIn returns a value that gets the verdict of the given one and tells nothing else of it. The stand-in of a stand-in is
// itself.
func StandIn(value []byte) []byte {
	switch In(&Secret{Data: map[string][]byte{"": value}}, v1alpha1.SecretKeyRef{}).Verdict {
	case Empty:
		return nil
	case TooLong:
		return bytes.Repeat([]byte("x"), bgp.MaxPasswordLength+1)
	case EndsInLineBreak:
		return []byte("\n")
	default:
		return []byte("x")
	}
}

// notOpened is what comes of a password that is missing.
const notOpened = "until then no session is opened, and one that runs keeps its password"

// Fault says what is wrong with what was found under a key of a Secret in a namespace ("" where its name is not known), at
// the path of the reference; nil where nothing is. That of EndsInLineBreak is no more than a warning.
func (f Found) Fault(at *field.Path, ref v1alpha1.SecretKeyRef, namespace string) *field.Error {
	where := "Herald's own namespace"
	if namespace != "" {
		where = fmt.Sprintf("Herald's namespace %q", namespace)
	}
	secret := fmt.Sprintf("the Secret %q in %s", ref.Name, where)
	name, key := at.Child("name"), at.Child("key")
	switch f.Verdict {
	case Unreadable:
		return missing(name, ref.Name, "there is no Secret %q in %s that agents may read: create it there, as type %s or %s, with the key %q, "+
			"and the manager lets them read it at once; %s", ref.Name, where, typeOpaque, typeBasicAuth, ref.Key, notOpened)
	case NoSecret:
		return missing(name, ref.Name, "there is no Secret %q in %s: create it there with the key %q; %s", ref.Name, where, ref.Key, notOpened)
	case WrongType:
		return missing(name, ref.Name, "%s is of type %s, but agents read passwords only from Secrets of type %s or %s: "+
			"put the password into such a Secret; %s", secret, f.Type, typeOpaque, typeBasicAuth, notOpened)
	case NoKey:
		return missing(key, ref.Key, "%s has no key %q: add it; %s", secret, ref.Key, notOpened)
	case Empty:
		return missing(key, ref.Key, "the value of the key %q in %s is empty: a password has 1 to %d bytes; %s",
			ref.Key, secret, bgp.MaxPasswordLength, notOpened)
	case TooLong:
		return missing(key, ref.Key, "the value of the key %q in %s is longer than the %d bytes that a password may have: choose a shorter one, "+
			"here and on the router; %s", ref.Key, secret, bgp.MaxPasswordLength, notOpened)
	case EndsInLineBreak:
		return missing(key, ref.Key, "the value of the key %q in %s ends in a line break, which is part of the password: unless the router's has it too, "+
			"write the value without it, as kubectl create secret --from-literal does", ref.Key, secret)
	default:
		return nil
	}
}

func missing(at *field.Path, value, format string, args ...any) *field.Error {
	err := field.NotFound(at, value)
	err.Detail = fmt.Sprintf(format, args...)
	return err
}
