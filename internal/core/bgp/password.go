package bgp

import (
	"fmt"
	"io"
)

// Password is the password of TCP MD5 signatures (RFC 2385). It never shows in a log, an error or JSON: whatever prints
// or marshals it gets a placeholder. Equal passwords are equal under ==, and the zero value is none.
type Password struct{ secret string }

// MaxPasswordLength is how many bytes of a password Linux takes (TCP_MD5SIG_MAXKEYLEN).
const MaxPasswordLength = 80

// placeholder stands wherever a password would be printed.
const placeholder = "[redacted]"

// PasswordOf returns the password with the given bytes; "" is none.
func PasswordOf(secret string) Password { return Password{secret: secret} }

// IsSet reports whether there is a password.
func (p Password) IsSet() bool { return p.secret != "" }

// Length returns how many bytes it has.
func (p Password) Length() int { return len(p.secret) }

// Reveal returns the password itself, for the socket that it protects and the state file that only root can read.
func (p Password) Reveal() string { return p.secret }

// Format prints the placeholder, whatever the verb; nothing where there is no password.
func (p Password) Format(f fmt.State, _ rune) {
	if p.IsSet() {
		_, _ = io.WriteString(f, placeholder) // There is nobody to tell of an error.
	}
}

// MarshalText returns the placeholder, for JSON and for structured logs.
func (p Password) MarshalText() ([]byte, error) { return fmt.Append(nil, p), nil }
