package password_test

import (
	"bytes"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/password"
)

func holding(value string) *password.Secret {
	return &password.Secret{Type: "Opaque", Data: map[string][]byte{"password": []byte(value), "other": []byte("x")}}
}

// rows each are a Secret, and what comes of looking for the key password in it.
var rows = map[string]struct {
	name   string
	secret *password.Secret
	want   password.Verdict
	// secretValue is the password that is found; "" for none.
	secretValue string
}{
	"a password":                   {secret: holding("hush"), want: password.Sound, secretValue: "hush"},
	"one byte":                     {secret: holding("h"), want: password.Sound, secretValue: "h"},
	"bytes that are no text":       {secret: holding("\x00\xff"), want: password.Sound, secretValue: "\x00\xff"},
	"blanks are part of it":        {secret: holding(" hush "), want: password.Sound, secretValue: " hush "},
	"as long as may be":            {secret: holding(strings.Repeat("h", 80)), want: password.Sound, secretValue: strings.Repeat("h", 80)},
	"a byte too long":              {secret: holding(strings.Repeat("h", 81)), want: password.TooLong},
	"a line break at the end":      {secret: holding("hush\n"), want: password.EndsInLineBreak, secretValue: "hush\n"},
	"a line break of Windows":      {secret: holding("hush\r\n"), want: password.EndsInLineBreak, secretValue: "hush\r\n"},
	"a carriage return at the end": {secret: holding("hush\r"), want: password.EndsInLineBreak, secretValue: "hush\r"},
	"a line break inside":          {secret: holding("hu\nsh"), want: password.Sound, secretValue: "hu\nsh"},
	"nothing but a line break":     {secret: holding("\n"), want: password.EndsInLineBreak, secretValue: "\n"},
	"too long by the line break":   {secret: holding(strings.Repeat("h", 80) + "\n"), want: password.TooLong},
	"nothing":                      {secret: holding(""), want: password.Empty},
	"no Secret":                    {want: password.NoSecret},
	"no key":                       {secret: &password.Secret{Data: map[string][]byte{"other": []byte("x")}}, want: password.NoKey},
	"no type":                      {secret: &password.Secret{Data: map[string][]byte{"password": []byte("hush")}}, want: password.Sound, secretValue: "hush"},
	"a user's":                     {secret: &password.Secret{Type: "kubernetes.io/basic-auth", Data: map[string][]byte{"password": []byte("hush")}}, want: password.Sound, secretValue: "hush"},
	"a certificate's":              {secret: &password.Secret{Type: "kubernetes.io/tls", Data: map[string][]byte{"password": []byte("hush")}}, want: password.WrongType},
	"the webhooks'":                {name: password.WebhookSecret, secret: holding("hush"), want: password.Unreadable},
}

func TestWhatASecretHolds(t *testing.T) {
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			ref := v1alpha1.SecretKeyRef{Name: "tor", Key: "password"}
			if row.name != "" {
				ref.Name = row.name
			}
			got := password.In(row.secret, ref)
			if got.Verdict != row.want || got.Password.Reveal() != row.secretValue {
				t.Errorf("found %v with %q, want %v with %q", got.Verdict, got.Password.Reveal(), row.want, row.secretValue)
			}
			fault := got.Fault(field.NewPath("spec"), ref, "herald-system")
			if (fault == nil) != (row.want == password.Sound) {
				t.Errorf("the fault is %v", fault)
			}
			if fault != nil && (!strings.Contains(fault.Detail, ref.Name) || !strings.Contains(fault.Detail, `"herald-system"`)) {
				t.Errorf("the fault %q does not say where", fault.Detail)
			}
		})
	}
}

func TestAStandInTellsNothingButTheVerdict(t *testing.T) {
	ref := v1alpha1.SecretKeyRef{Name: "tor", Key: "password"}
	for name, row := range rows {
		if row.secret == nil || row.secret.Data["password"] == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			once := password.StandIn(row.secret.Data["password"])
			if twice := password.StandIn(once); !bytes.Equal(once, twice) {
				t.Errorf("the stand-in of %q is %q", once, twice)
			}
			if bytes.Contains(once, []byte("hush")) {
				t.Errorf("the stand-in is %q", once)
			}
			in := password.Secret{Type: row.secret.Type, Data: map[string][]byte{"password": once}}
			if row.name == "" && password.In(&in, ref).Verdict != row.want {
				t.Errorf("the stand-in %q gets another verdict: %v", once, password.In(&in, ref).Verdict)
			}
		})
	}
}
