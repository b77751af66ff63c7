package intent_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/herald-network/herald/api/v1alpha1"
	"github.com/herald-network/herald/internal/core/bgp"
	"github.com/herald-network/herald/internal/core/intent"
	"github.com/herald-network/herald/internal/core/password"
)

var key = v1alpha1.SecretKeyRef{Name: "tor", Key: "password"}

const protected = "{peerIP: 192.168.1.1, asNumber: 64512, password: {secretKeyRef: {name: tor, key: password}}}"

// answers is what was found of the key that protected names.
func answers(found password.Found) map[v1alpha1.SecretKeyRef]password.Found {
	return map[v1alpha1.SecretKeyRef]password.Found{key: found}
}

func secret(value string) password.Found {
	return password.Found{Password: bgp.PasswordOf(value)}
}

// running is a peer that has run with a password so far.
func running(change ...func(*intent.Opened)) map[string]intent.Opened {
	opened := intent.Opened{UID: "uid-tor", Password: bgp.PasswordOf("old")}
	for _, c := range change {
		c(&opened)
	}
	return map[string]intent.Opened{"tor": opened}
}

func TestAPeerRunsWithItsPasswordOrNotAtAll(t *testing.T) {
	missing := func(field, mentions string) []problem {
		return []problem{{"BGPPeer/tor", "spec.password.secretKeyRef." + field, v1alpha1.ConditionAccepted, v1alpha1.ReasonSecretNotFound, mentions}}
	}
	gone := answers(password.Found{Verdict: password.NoSecret})
	for name, row := range map[string]struct {
		found  map[v1alpha1.SecretKeyRef]password.Found
		opened map[string]intent.Opened
		// want is the password that the peer runs with, "" where it does not run.
		want     string
		problems []problem
	}{
		"a password":                  {found: answers(secret("hush")), want: "hush"},
		"one with a line break":       {found: answers(password.Found{Verdict: password.EndsInLineBreak, Password: bgp.PasswordOf("hush\n")}), want: "hush\n"},
		"another one":                 {found: answers(secret("new")), opened: running(), want: "new"},
		"no answer yet":               {problems: []problem{{"BGPPeer/tor", "spec.password.secretKeyRef.name", v1alpha1.ConditionEstablished, v1alpha1.ReasonPending, `the Secret "tor"`}}},
		"no answer yet, but it runs":  {opened: running(), want: "old"},
		"no Secret":                   {found: gone, problems: missing("name", `no Secret "tor" in Herald's namespace "herald-system"`)},
		"no Secret, but it runs":      {found: gone, opened: running(), want: "old", problems: missing("name", "keeps its password")},
		"no right to read it":         {found: answers(password.Found{Verdict: password.Unreadable}), problems: missing("name", "that agents may read")},
		"no key":                      {found: answers(password.Found{Verdict: password.NoKey}), problems: missing("key", `no key "password"`)},
		"an empty one":                {found: answers(password.Found{Verdict: password.Empty}), problems: missing("key", "empty")},
		"one that is too long":        {found: answers(password.Found{Verdict: password.TooLong}), problems: missing("key", "80 bytes")},
		"too long, but it runs":       {found: answers(password.Found{Verdict: password.TooLong}), opened: running(), want: "old", problems: missing("key", "80 bytes")},
		"another peer of its name":    {found: gone, opened: running(func(o *intent.Opened) { o.UID = "uid-other" }), problems: missing("name", "no Secret")},
		"a password of another's key": {found: map[v1alpha1.SecretKeyRef]password.Found{{Name: "tor", Key: "md5"}: secret("hush")}, problems: []problem{{"BGPPeer/tor", "spec.password.secretKeyRef.name", v1alpha1.ConditionEstablished, v1alpha1.ReasonPending, ""}}},
	} {
		t.Run(name, func(t *testing.T) {
			got := intent.For(intent.Input{
				Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, protected), peer(t, "spine", 2, "{peerIP: 192.168.1.2, asNumber: 64512}")},
				Passwords: intent.Passwords{Namespace: "herald-system", Found: row.found, Opened: row.opened},
			})
			want, wantOpened := map[string]string{"spine": ""}, map[string]intent.Opened(nil)
			if row.want != "" {
				want["tor"] = row.want
				wantOpened = running(func(o *intent.Opened) { o.Password = bgp.PasswordOf(row.want) })
			}
			passwords := map[string]string{}
			for _, p := range got.Peers {
				passwords[p.Name] = p.Password.Reveal()
			}
			if diff := cmp.Diff(want, passwords); diff != "" {
				t.Errorf("passwords by peer (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(wantOpened, got.Opened, cmp.Comparer(func(a, b bgp.Password) bool { return a == b })); diff != "" {
				t.Errorf("opened (-want +got):\n%s", diff)
			}
			checkProblems(t, row.problems, got.Problems)
			for _, p := range got.Problems {
				if strings.Contains(p.Message, "hush") {
					t.Errorf("a password is told: %s", p)
				}
			}
		})
	}
}

func TestOnlyTheSecretsOfTheNodesOwnPeersAreNeeded(t *testing.T) {
	named := func(address, secret, more string) string {
		return "{peerIP: " + address + ", asNumber: 64512, password: {secretKeyRef: " + secret + "}" + more + "}"
	}
	input := intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{
		peer(t, "a", 1, named("192.168.1.1", "{name: tor, key: b}", "")),
		peer(t, "b", 2, named("192.168.1.2", "{name: tor, key: a}", "")),
		peer(t, "c", 3, named("192.168.1.3", "{name: spine, key: z}", "")),
		peer(t, "same", 4, named("192.168.1.4", "{name: tor, key: a}", "")),
		peer(t, "in-conflict", 5, named("192.168.1.1", "{name: other, key: a}", "")),
		peer(t, "elsewhere", 6, named("192.168.1.6", "{name: other, key: b}", ", nodeSelector: {matchLabels: {rack: b}}")),
		peer(t, "broken", 7, named("192.168.1.7", "{name: other, key: c}", ", holdTimeSeconds: 1")),
	}}
	want := []v1alpha1.SecretKeyRef{{Name: "spine", Key: "z"}, {Name: "tor", Key: "a"}, {Name: "tor", Key: "b"}}
	if diff := cmp.Diff(want, intent.For(input).SecretKeys); diff != "" {
		t.Errorf("keys (-want +got):\n%s", diff)
	}
}

// A node that was out of service opens its sessions anew.
func TestANodeOutOfServiceForgetsPasswords(t *testing.T) {
	input := intent.Input{Node: newNode(), Peers: []v1alpha1.BGPPeer{peer(t, "tor", 1, protected)}, Passwords: intent.Passwords{Found: answers(secret("hush"))}}
	input.Node.Deleting = true
	got := intent.For(input)
	if len(got.Opened) != 0 || len(got.Peers) != 0 {
		t.Errorf("opened %v, peers %v", got.Opened, got.Peers)
	}
	if diff := cmp.Diff([]v1alpha1.SecretKeyRef{key}, got.SecretKeys); diff != "" {
		t.Errorf("keys that are followed all the same (-want +got):\n%s", diff)
	}
}

func TestAResolverTakesPasswordsToBeThere(t *testing.T) {
	peers := func(spec string) []bgp.Peer {
		got := intent.NewResolver(nil, []v1alpha1.BGPPeer{peer(t, "tor", 1, spec)}).For(newNode())
		checkProblems(t, nil, got.Problems)
		return got.Peers
	}
	one, other := peers(protected), peers(strings.Replace(protected, "name: tor", "name: spine", 1))
	if len(one) != 1 || len(other) != 1 || !one[0].Password.IsSet() || one[0] == other[0] {
		t.Errorf("peers %v and, with another Secret, %v", one, other)
	}
}
